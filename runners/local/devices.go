package local

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// What the plan of memory and the limits of a batch ask a card.
var (
	_ models.Blocker   = (*cuda.Device)(nil)
	_ models.Packer    = (*cuda.Device)(nil)
	_ models.Mixer     = (*cuda.Device)(nil)
	_ engine.Companion = (*cuda.Device)(nil)
)

// DeviceNames lists what --device takes besides auto.
func DeviceNames() []string { return []string{"cpu", "ref", "cuda", "cuda:N", "cuda:all"} }

// deviceList reads a list such as "cuda:0,cuda:1". A device may be named more than once.
// "auto" is the first GPU if one is usable, else the CPU.
func deviceList(list string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		index, isCUDA := strings.CutPrefix(name, "cuda")
		switch {
		case name == "auto":
			name = "cpu"
			if r := cuda.Probe(); len(r.Cards) > 0 && len(r.Missing) == 0 {
				name = "cuda:0"
			}
			names = append(names, name)
		case name == "cuda":
			names = append(names, "cuda:0")
		case name == "cuda:all":
			for i := range max(1, len(cuda.Probe().Cards)) { // without a card, opening cuda:0 says what is missing
				names = append(names, fmt.Sprintf("cuda:%d", i))
			}
		case engine.OnHost(name) || isCUDA && isIndex(index):
			names = append(names, name)
		default:
			return nil, runners.Mistake(fmt.Errorf("--device: %w, or several of them: cuda:0,cuda:1", lookup.Unknown("device", name, append([]string{"auto"}, DeviceNames()...)...)))
		}
	}
	return names, nil
}

// isIndex says whether s is ":N".
func isIndex(s string) bool {
	digits, ok := strings.CutPrefix(s, ":")
	n, err := strconv.Atoi(digits)
	return ok && err == nil && strconv.Itoa(n) == digits && n >= 0
}

// openDevices opens devices as deviceList names them. All must compute in one number format,
// since rows of two formats are not one measurement.
func openDevices(names []string, dtype string) (list []engine.Device, err error) {
	defer func() {
		if err != nil {
			for _, d := range list {
				d.Close()
			}
			list = nil
		}
	}()
	processors := 0
	for _, name := range names {
		if name == "cpu" {
			processors++
		}
	}
	for _, name := range names {
		// CPU devices share the threads: more of them than there are would wait for each other.
		d, err := openDevice(name, dtype, max(1, runtime.GOMAXPROCS(0)/max(1, processors)))
		if err != nil {
			return list, err
		}
		list = append(list, d)
	}
	for _, d := range list {
		if first := list[0]; d.Type() != first.Type() {
			return list, runners.Mistake(fmt.Errorf("--device %s: %s computes in %s, %s in %s: --dtype float32 serves every device",
				strings.Join(names, ","), first.Name(), first.Type(), d.Name(), d.Type()))
		}
	}
	return list, nil
}

// openDevice opens one device. threads is the number that a CPU device uses.
func openDevice(name, dtype string, threads int) (engine.Device, error) {
	t := engine.Float32
	switch dtype {
	case "auto":
		if !engine.OnHost(name) {
			t = engine.BFloat16
		}
	case "float32":
	case "float16":
		t = engine.Float16
	case "bfloat16":
		t = engine.BFloat16
	default:
		return nil, runners.Mistake(lookup.Unknown("dtype", dtype, "auto", "float32", "float16", "bfloat16"))
	}
	if engine.OnHost(name) && t != engine.Float32 {
		return nil, runners.Mistake(fmt.Errorf("--dtype %s: the %s device computes in float32 (weights stay as they are stored)", dtype, name))
	}
	switch name {
	case "ref":
		return ref.New(), nil
	case "cpu":
		return cpu.NewThreads(threads)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(name, "cuda:"))
	if err != nil {
		panic("device " + name + " was not read by deviceList")
	}
	return cuda.Open(n, t)
}

// kindOf is a device's name without the number of its card, which does not affect a row.
func kindOf(d engine.Device) string {
	kind, _, _ := strings.Cut(d.Name(), ":")
	return kind
}

// kindsOf joins the kinds of devices, each once: "cpu,ref".
func kindsOf(devices []engine.Device) string {
	var kinds []string
	for _, d := range devices {
		kinds = append(kinds, kindOf(d))
	}
	slices.Sort(kinds)
	return strings.Join(slices.Compact(kinds), ",")
}
