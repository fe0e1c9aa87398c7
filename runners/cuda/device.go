package cuda

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// Device is a GPU. [Open] makes it.
type Device struct {
	driver *driver
	blas   *cublas
	card   Card
	handle int32 // CUdevice
	kind   engine.Type
	suffix string // of the kernels: "bf16"
	about  string

	context, stream, blasHandle uintptr
	arena                       *arena
	staging                     staging
	fault                       *[2]int32 // in host memory that kernels write to: set, what
	faultAddress                uint64
	kernels                     kernels
	launch                      *launch
	segments                    []segment // Gather's tables, kept for the next call
	items                       []gatherItem
	recording                   *recording // what Replay is capturing, or nil
	stepping                    bool       // inside Replay
	anyTiles                    bool       // for tests: fused products of however few tiles
	arrived                     uint64     // int32 (maxHeads), zero between operations

	err     error    // the first since the last Sync
	last    string   // the last operation that was started
	between []string // operations since the last Sync, each named once
}

const (
	stagingBytes   = 32 << 20
	workspaceBytes = 64 << 20 // what cuBLAS is advised to have on 9.0
)

// Open opens the device of this index with activations, keys and values of type
// t: Float32, Float16 or BFloat16. It fails, saying what is missing, where the
// driver, the card or cuBLAS does not serve.
func Open(index int, t engine.Type) (engine.Device, error) {
	d, err := openOn(index, t, openDriver, openCublas)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// openOn opens a device of a driver and a cuBLAS: the machine's, or a test's.
func openOn(index int, t engine.Type, driver func() (*driver, error), blas func() (*cublas, error)) (*Device, error) {
	d := &Device{kind: t, launch: &launch{}}
	switch t {
	case engine.Float32:
		d.suffix = "f32"
	case engine.Float16:
		d.suffix = "f16"
	case engine.BFloat16:
		d.suffix = "bf16"
	default:
		return nil, fmt.Errorf("cuda: no device of type %v: have float32, float16, bfloat16", t)
	}
	if err := d.open(index, driver, blas); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Device) open(index int, driver func() (*driver, error), blas func() (*cublas, error)) error {
	var err error
	if d.driver, err = driver(); err != nil {
		return err
	}
	cards, err := d.driver.cards()
	if err != nil {
		return err
	}
	if index < 0 || index >= len(cards) {
		names := make([]string, len(cards))
		for i, c := range cards {
			names[i] = c.String()
		}
		return fmt.Errorf("cuda: unknown device %d: have %s", index, strings.Join(names, "; "))
	}
	if d.card, d.handle, err = d.driver.card(index); err != nil {
		return err
	}
	if d.card.Major < 8 {
		return fmt.Errorf("cuda: %s: compute capability 8.0 or later is needed", d.card)
	}
	if d.blas, err = blas(); err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, step := range []struct {
		what string
		do   func() uint32
	}{
		{"primary context", func() uint32 {
			return call(d.driver.DevicePrimaryCtxRetain, uintptr(unsafe.Pointer(&d.context)), uintptr(d.handle))
		}},
		{"current context", func() uint32 { return call(d.driver.CtxSetCurrent, d.context) }},
		{"stream", func() uint32 { return call(d.driver.StreamCreate, uintptr(unsafe.Pointer(&d.stream)), 1) }}, // non-blocking
	} {
		if err := d.driver.check(step.do()); err != nil {
			return fmt.Errorf("%s: %s: %w", d.Name(), step.what, err)
		}
	}
	d.arena = newArena(d.reserve, func(p uint64) { call(d.driver.MemFree, uintptr(p)) })
	if err := d.staging.open(d); err != nil {
		return fmt.Errorf("%s: %w", d.Name(), err)
	}
	host, err := d.hostMemory(8)
	if err != nil {
		return fmt.Errorf("%s: %w", d.Name(), err)
	}
	d.fault = (*[2]int32)(host)
	*d.fault = [2]int32{}
	if err := d.driver.check(call(d.driver.MemHostGetDevicePointer, uintptr(unsafe.Pointer(&d.faultAddress)), uintptr(host), 0)); err != nil {
		return fmt.Errorf("%s: host memory: %w", d.Name(), err)
	}
	var version int32
	if err := d.blas.check(call(d.blas.Create, uintptr(unsafe.Pointer(&d.blasHandle)))); err != nil {
		return fmt.Errorf("%s: %w", d.Name(), err)
	}
	if err := d.blas.check(call(d.blas.SetStream, d.blasHandle, d.stream)); err != nil {
		return fmt.Errorf("%s: %w", d.Name(), err)
	}
	workspace, err := d.take(workspaceBytes)
	if err != nil {
		return err
	}
	if d.arrived, err = d.take(4 * maxHeads); err != nil {
		return err
	}
	if !d.clear(d.arrived, 4*maxHeads) {
		return d.err
	}
	if err := d.blas.check(call(d.blas.SetWorkspace, d.blasHandle, uintptr(workspace), workspaceBytes)); err != nil {
		return fmt.Errorf("%s: %w", d.Name(), err)
	}
	call(d.blas.GetVersion, d.blasHandle, uintptr(unsafe.Pointer(&version)))
	v := d.driver.version()
	d.about = fmt.Sprintf("%s, driver CUDA %d.%d, cuBLAS %s", d.card.Name, v/1000, v%1000/10, cublasVersion(version))
	d.kernels.open()
	return nil
}

// Close gives everything back to the driver.
func (d *Device) Close() error {
	if d.context == 0 {
		return nil
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	call(d.driver.CtxSetCurrent, d.context)
	if d.stream != 0 {
		call(d.driver.StreamSynchronize, d.stream)
	}
	if d.blasHandle != 0 {
		call(d.blas.Destroy, d.blasHandle)
	}
	d.kernels.close(d)
	if d.arena != nil {
		d.arena.close()
	}
	d.staging.close(d)
	if d.fault != nil {
		call(d.driver.MemFreeHost, uintptr(unsafe.Pointer(d.fault)))
	}
	if d.stream != 0 {
		call(d.driver.StreamDestroy, d.stream)
	}
	call(d.driver.CtxSetCurrent, 0)
	err := d.driver.check(call(d.driver.DevicePrimaryCtxRelease, uintptr(d.handle)))
	name := d.Name()
	d.context = 0
	if err != nil {
		return fmt.Errorf("%s: closing: %w", name, err)
	}
	return nil
}

// Name returns "cuda:0".
func (d *Device) Name() string { return fmt.Sprintf("cuda:%d", d.card.Index) }

// Type returns the type the device was opened with.
func (d *Device) Type() engine.Type { return d.kind }

// Describe names the card, driver and cuBLAS.
func (d *Device) Describe() string { return d.about }

// Card returns the card's properties.
func (d *Device) Card() Card { return d.card }

// enter starts an operation: it makes the context current on this thread until
// leave, and says whether to go on, which is no where an operation has failed.
func (d *Device) enter(operation string) bool {
	runtime.LockOSThread()
	if d.context == 0 {
		runtime.UnlockOSThread()
		panic("cuda: " + operation + " on a closed device")
	}
	if d.err != nil {
		return false
	}
	if operation != d.last {
		d.last = operation
		if !slices.Contains(d.between, operation) {
			d.between = append(d.between, operation)
		}
	}
	return d.ok(call(d.driver.CtxSetCurrent, d.context))
}

func (d *Device) leave() { runtime.UnlockOSThread() }

// ok keeps the first failure, named after the operation.
func (d *Device) ok(code uint32) bool {
	if code == 0 {
		return d.err == nil
	}
	d.fail(d.driver.check(code))
	return false
}

func (d *Device) fail(err error) {
	if d.err == nil && err != nil {
		d.err = fmt.Errorf("%s: %s: %w", d.Name(), d.last, err)
	}
}

// Sync waits for everything and returns the first error since the last Sync. What
// a kernel did wrong shows only here: the error then names every operation since
// the last Sync.
func (d *Device) Sync() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if d.context == 0 {
		return errors.New("cuda: Sync on a closed device")
	}
	call(d.driver.CtxSetCurrent, d.context)
	if err := d.driver.check(call(d.driver.StreamSynchronize, d.stream)); err != nil && d.err == nil {
		d.err = fmt.Errorf("%s: in one of %s: %w", d.Name(), strings.Join(d.between, ", "), err)
	}
	if d.fault[0] != 0 {
		if d.err == nil {
			d.err = fmt.Errorf("%s: Embed: token id %d is outside the table", d.Name(), d.fault[1])
		}
		*d.fault = [2]int32{}
	}
	err := d.err
	d.err, d.last, d.between = nil, "", d.between[:0]
	return err
}

// same panics where a length does not fit.
func same(operation, what string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("cuda: %s: %s has %d elements, want %d", operation, what, got, want))
	}
}

var _ engine.Device = (*Device)(nil)
