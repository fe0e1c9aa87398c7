package cpu

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
)

// Device computes on the processor's cores. It is used by one goroutine at a
// time and shares the work out itself.
type Device struct {
	k     *kernels
	pool  *pool
	mem   memory
	err   error // first since the last Sync
	zeros []float32
	pack  []float32   // shared by the workers of one operation
	local [][]float32 // per worker
	parts []float32   // of decode attention
}

var (
	_ engine.Device    = (*Device)(nil)
	_ engine.Quantizer = (*Device)(nil)
)

// New opens the processor with the fastest kernels it has, or with those that
// the environment variable SNAPBENCH_CPU names. It uses GOMAXPROCS threads.
func New() (*Device, error) { return NewThreads(runtime.GOMAXPROCS(0)) }

// NewThreads is New with so many threads, at least 1: for several devices that
// share the processor. Results do not depend on their number.
func NewThreads(threads int) (*Device, error) {
	if threads < 1 {
		panic(fmt.Sprintf("cpu: %d threads", threads))
	}
	have := available()
	k := have[0]
	if want := os.Getenv("SNAPBENCH_CPU"); want != "" {
		k = nil
		var names []string
		for _, h := range have {
			names = append(names, h.name)
			if h.name == want {
				k = h
			}
		}
		if k == nil {
			return nil, fmt.Errorf("SNAPBENCH_CPU: this processor has no kernels %q: have %s", want, strings.Join(names, ", "))
		}
	}
	return open(k, threads), nil
}

func open(k *kernels, threads int) *Device {
	return &Device{k: k, pool: newPool(threads, k.pause), zeros: make([]float32, 2*k.panelWidth), local: make([][]float32, threads)}
}

// Name returns "cpu".
func (d *Device) Name() string { return "cpu" }

// Type returns Float32.
func (d *Device) Type() engine.Type { return engine.Float32 }

// Describe names the processor, the kernels and the number of threads.
func (d *Device) Describe() string {
	return fmt.Sprintf("%s, %s, %d threads", processor(), d.k.name, d.pool.workers)
}

// processor returns the name that the system gives the processor.
func processor() string {
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

// Close stops the workers and gives back the scratch memory. Arrays and weights
// that were not freed stay readable.
func (d *Device) Close() error {
	d.pool.close()
	d.pack, d.local, d.parts = nil, nil, nil
	return nil
}

// Sync returns the first error since the last Sync.
func (d *Device) Sync() error {
	err := d.err
	d.err = nil
	return err
}

func (d *Device) fail(format string, a ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("cpu: "+format, a...)
	}
}

// scratch returns n numbers that live until the next call.
func scratch(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n+n/4)
	}
	return (*buf)[:n]
}

func shape(format string, a ...any) { panic("cpu: " + fmt.Sprintf(format, a...)) }

// rowsOf returns how many rows of width a holds.
func rowsOf(op, name string, a engine.Array, width int) int {
	if width <= 0 || a.Len%width != 0 {
		shape("%s: %s has %d numbers, which are no rows of %d", op, name, a.Len, width)
	}
	return a.Len / width
}

func wantLen(op, name string, a engine.Array, n int) {
	if a.Len != n {
		shape("%s: %s has %d numbers, want %d", op, name, a.Len, n)
	}
}
