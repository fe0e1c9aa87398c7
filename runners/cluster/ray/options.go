package ray

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners/cluster"
)

// addressVariable is the variable by which Ray's own commands find a cluster.
const addressVariable = "RAY_ADDRESS"

// options are what the user says to the engine.
type options struct {
	address string // http://HOST:8265, without a slash at the end
	gpus    float64
	cpus    float64
	// threads says that a part may use as many threads as it has CPUs, and no more.
	threads    bool
	resources  map[string]float64
	env        map[string]string
	autoDevice bool // the command names no device
	onGPU      bool // it names GPUs
}

// option is an argument of the engine's own.
type option struct {
	name, form string
	set        func(o *options, value string) error
}

// optionList are all of them.
var optionList = []option{
	{"--address", "http://HOST:8265", func(o *options, v string) error { o.address = v; return nil }},
	{"--num-gpus", "N", func(o *options, v string) (err error) { o.gpus, err = amount(v); return err }},
	{"--num-cpus", "N", func(o *options, v string) (err error) { o.cpus, err = amount(v); o.threads = true; return err }},
	{"--resources", `{"NAME": N}`, setResources},
	{"--env", "NAME=VALUE", setEnv},
}

func optionNames() (list []string) {
	for _, k := range optionList {
		list = append(list, k.name+"="+k.form)
	}
	return list
}

// parseOptions reads the engine's arguments, --name=value or --name value, over what the
// environment and the command say.
func parseOptions(w cluster.Work, env func(string) (string, bool)) (options, error) {
	o := options{cpus: 1, env: map[string]string{}}
	switch {
	case w.Image != "":
		return o, fmt.Errorf("--image %s: a Ray cluster starts no containers for its tasks: put snapbench where its nodes find it", w.Image)
	case w.Claim != "":
		return o, fmt.Errorf("--claim %s: a Ray cluster mounts nothing: its nodes must have the run's folder under one path", w.Claim)
	}
	o.address, _ = env(addressVariable)
	device, given := flagOf(w.Arguments, "--device")
	gpus, err := gpusOf(device)
	o.onGPU = gpus != 0
	o.gpus, o.threads, o.autoDevice = float64(gpus), !o.onGPU, !given || device == "auto"
	for args := w.EngineArgs; len(args) > 0; {
		name, value, has := strings.Cut(args[0], "=")
		args = args[1:]
		i := slices.IndexFunc(optionList, func(k option) bool { return k.name == name })
		if i < 0 {
			return o, fmt.Errorf("ray has no argument %q: %shave %s", name, lookup.Offer(name, optionNames()), strings.Join(optionNames(), ", "))
		}
		if !has {
			if len(args) == 0 {
				return o, fmt.Errorf("%s: want %s=%s", name, name, optionList[i].form)
			}
			value, args = args[0], args[1:]
		}
		if bad := optionList[i].set(&o, value); bad != nil {
			return o, fmt.Errorf("%s=%q: %w: want %s=%s", name, value, bad, name, optionList[i].form)
		}
		if name == "--num-gpus" {
			err, o.autoDevice = nil, o.autoDevice && o.gpus == 0
		}
	}
	if err != nil {
		return o, err
	}
	o.address, err = checkAddress(o.address)
	return o, err
}

// flagOf returns the value of a flag among snapbench's arguments.
func flagOf(args []string, name string) (value string, given bool) {
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, name+"="); ok {
			value, given = v, true
		} else if a == name && i+1 < len(args) {
			value, given = args[i+1], true
		}
	}
	return value, given
}

// gpusOf returns how many cards a --device asks for. Only the machine itself knows what
// "all" of its cards are.
func gpusOf(device string) (n int, err error) {
	for d := range strings.SplitSeq(device, ",") {
		switch d = strings.TrimSpace(d); {
		case d == "cuda:all":
			return 1, errors.New("--device cuda:all: Ray gives a part the cards that it asks for: say how many by --num-gpus=N among the engine's arguments")
		case d == "cuda" || strings.HasPrefix(d, "cuda:"):
			n++
		}
	}
	return n, nil
}

func amount(text string) (float64, error) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || n < 0 {
		return 0, errors.New("no amount")
	}
	return n, nil
}

func setResources(o *options, text string) error {
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	if err := dec.Decode(&o.resources); err != nil || dec.More() || o.resources == nil {
		return errors.New("no JSON object of amounts")
	}
	for name, n := range o.resources {
		switch {
		case name == "CPU" || name == "GPU":
			return fmt.Errorf("%s has an argument of its own", name)
		case n < 0 || name == "":
			return fmt.Errorf("%v of %q", n, name)
		}
	}
	return nil
}

func setEnv(o *options, text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" || strings.ContainsRune(text, 0) {
		return errors.New("no variable")
	}
	if strings.HasPrefix(name, "SNAPBENCH_") {
		return errors.New("the parts' own variables are set by their job")
	}
	o.env[name] = value
	return nil
}

// checkAddress refuses addresses of Ray that are not of its jobs' interface.
func checkAddress(text string) (string, error) {
	if text == "" {
		return "", errNoAddress
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("address %q of Ray: want that of its jobs' interface, http://HOST:8265; ray:// and HOST:6379 lead to other ports of a cluster", text)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("address %q of Ray: want http://HOST:8265, with a path at most", u.Redacted())
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// total is what a part asks of a node, by Ray's names.
func (o options) total() map[string]float64 {
	all := map[string]float64{}
	for name, n := range o.resources {
		all[name] = n
	}
	all["CPU"], all["GPU"] = o.cpus, o.gpus
	maps.DeleteFunc(all, func(_ string, n float64) bool { return n == 0 })
	return all
}

// needs is total for people: "1 CPU, 1 GPU".
func (o options) needs() string {
	all := o.total()
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, fmt.Sprintf("%v %s", all[name], name))
	}
	if len(list) == 0 {
		return "room for a part"
	}
	return strings.Join(list, ", ")
}
