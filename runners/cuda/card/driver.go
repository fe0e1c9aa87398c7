package card

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// driverName is the library that comes with the driver.
const driverName = "libcuda.so.1"

// driver holds the addresses of the driver's functions, by field name.
type driver struct {
	Init, DriverGetVersion                                                                      uintptr
	DeviceGetCount, DeviceGet, DeviceGetName, DeviceGetAttribute, DeviceTotalMem                uintptr
	DevicePrimaryCtxRetain, DevicePrimaryCtxRelease, CtxSetCurrent                              uintptr
	StreamCreate, StreamDestroy, StreamSynchronize, StreamBeginCapture, StreamEndCapture        uintptr
	EventCreate, EventDestroy, EventRecord, EventSynchronize, EventElapsedTime                  uintptr
	MemAlloc, MemFree, MemGetInfo, MemHostAlloc, MemFreeHost, MemHostGetDevicePointer           uintptr
	MemcpyHtoDAsync, MemcpyDtoHAsync, MemcpyDtoDAsync, MemsetD8Async                            uintptr
	ModuleLoadDataEx, ModuleUnload, ModuleGetFunction, FuncSetAttribute                         uintptr
	LaunchKernelEx, TensorMapEncodeTiled                                                        uintptr
	GraphInstantiate, GraphLaunch, GraphExecDestroy, GraphDestroy, GetErrorName, GetErrorString uintptr
}

func (d *driver) symbols() map[string]*uintptr {
	return map[string]*uintptr{
		"cuInit": &d.Init, "cuDriverGetVersion": &d.DriverGetVersion,
		"cuDeviceGetCount": &d.DeviceGetCount, "cuDeviceGet": &d.DeviceGet, "cuDeviceGetName": &d.DeviceGetName,
		"cuDeviceGetAttribute": &d.DeviceGetAttribute, "cuDeviceTotalMem_v2": &d.DeviceTotalMem,
		"cuDevicePrimaryCtxRetain": &d.DevicePrimaryCtxRetain, "cuDevicePrimaryCtxRelease_v2": &d.DevicePrimaryCtxRelease,
		"cuCtxSetCurrent": &d.CtxSetCurrent, "cuStreamCreate": &d.StreamCreate, "cuStreamDestroy_v2": &d.StreamDestroy,
		"cuStreamSynchronize": &d.StreamSynchronize, "cuStreamBeginCapture_v2": &d.StreamBeginCapture, "cuStreamEndCapture": &d.StreamEndCapture,
		"cuEventCreate": &d.EventCreate, "cuEventDestroy_v2": &d.EventDestroy, "cuEventRecord": &d.EventRecord,
		"cuEventSynchronize": &d.EventSynchronize, "cuEventElapsedTime": &d.EventElapsedTime,
		"cuMemAlloc_v2": &d.MemAlloc, "cuMemFree_v2": &d.MemFree, "cuMemGetInfo_v2": &d.MemGetInfo,
		"cuMemHostAlloc": &d.MemHostAlloc, "cuMemFreeHost": &d.MemFreeHost, "cuMemHostGetDevicePointer_v2": &d.MemHostGetDevicePointer,
		"cuMemcpyHtoDAsync_v2": &d.MemcpyHtoDAsync, "cuMemcpyDtoHAsync_v2": &d.MemcpyDtoHAsync,
		"cuMemcpyDtoDAsync_v2": &d.MemcpyDtoDAsync, "cuMemsetD8Async": &d.MemsetD8Async,
		"cuModuleLoadDataEx": &d.ModuleLoadDataEx, "cuModuleUnload": &d.ModuleUnload, "cuModuleGetFunction": &d.ModuleGetFunction,
		"cuFuncSetAttribute": &d.FuncSetAttribute, "cuLaunchKernelEx": &d.LaunchKernelEx, "cuTensorMapEncodeTiled": &d.TensorMapEncodeTiled,
		"cuGraphInstantiateWithFlags": &d.GraphInstantiate, "cuGraphLaunch": &d.GraphLaunch,
		"cuGraphExecDestroy": &d.GraphExecDestroy, "cuGraphDestroy": &d.GraphDestroy,
		"cuGetErrorName": &d.GetErrorName, "cuGetErrorString": &d.GetErrorString,
	}
}

// openDriver loads and initialises the driver once for the process.
var openDriver = sync.OnceValues(func() (*driver, error) {
	handle, err := openLibrary(driverName)
	if err != nil {
		return nil, fmt.Errorf("cuda: no NVIDIA driver: %s cannot be opened (%v)", driverName, err)
	}
	return newDriver(func(name string) (uintptr, error) { return symbol(handle, name) })
})

// oldestDriver is the first version that reads PTX 8.0.
const oldestDriver = "CUDA 12.0 or later"

// newDriver looks the functions up and initialises the driver.
func newDriver(symbol func(name string) (uintptr, error)) (*driver, error) {
	d := &driver{}
	for name, at := range d.symbols() {
		var err error
		if *at, err = symbol(name); err != nil {
			return nil, fmt.Errorf("cuda: the driver is too old: %s has no %s (%s is needed)", driverName, name, oldestDriver)
		}
	}
	if err := d.check(call(d.Init, 0)); err != nil {
		return nil, fmt.Errorf("cuda: cuInit: %w", err)
	}
	if v := d.version(); v < 12000 {
		return nil, fmt.Errorf("cuda: the driver is too old: %s supports CUDA %d.%d (%s is needed)", driverName, v/1000, v%1000/10, oldestDriver)
	}
	return d, nil
}

// call calls a function that returns a CUresult or cublasStatus_t. A Go variable that the
// function reads or writes before it returns must be converted in the argument list itself,
// uintptr(unsafe.Pointer(&v)): then it stays where it is during the call.
//
//go:uintptrescapes
func call(f uintptr, arguments ...uintptr) uint32 {
	r, _, _ := purego.SyscallN(f, arguments...)
	return uint32(r)
}

// at converts an address of memory that is not Go's.
func at(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// text copies a C string.
func text(p uintptr) string {
	if p == 0 {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(at(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(at(p)), n))
}

// resultError is an error of the driver.
type resultError struct {
	code       uint32
	name, text string
}

func (e *resultError) Error() string { return fmt.Sprintf("%s (%d): %s", e.name, e.code, e.text) }

const errorOutOfMemory = 2 // CUDA_ERROR_OUT_OF_MEMORY

// check turns a CUresult into an error.
func (d *driver) check(code uint32) error {
	if code == 0 {
		return nil
	}
	e := &resultError{code: code, name: "CUDA error"}
	var p uintptr
	if call(d.GetErrorName, uintptr(code), uintptr(unsafe.Pointer(&p))) == 0 {
		e.name = text(p)
	}
	if call(d.GetErrorString, uintptr(code), uintptr(unsafe.Pointer(&p))) == 0 {
		e.text = text(p)
	}
	return e
}

// version is the highest CUDA version the driver supports, 13.0 as 13000.
func (d *driver) version() int {
	var v int32
	call(d.DriverGetVersion, uintptr(unsafe.Pointer(&v)))
	return int(v)
}

// The device attributes that are read.
const (
	attributeMultiprocessors = 16
	attributeCapabilityMajor = 75
	attributeCapabilityMinor = 76
	attributeL2Bytes         = 38
)

// Properties are those of a GPU that the driver sees.
type Properties struct {
	Index           int
	Name            string
	Major, Minor    int   // compute capability
	Memory          int64 // bytes
	Multiprocessors int
	L2              int64 // bytes of the L2 cache
}

func (p Properties) String() string {
	return fmt.Sprintf("cuda:%d %s, compute capability %d.%d, %.1f GiB", p.Index, p.Name, p.Major, p.Minor, float64(p.Memory)/(1<<30))
}

func (d *driver) cards() ([]Properties, error) {
	var n int32
	if err := d.check(call(d.DeviceGetCount, uintptr(unsafe.Pointer(&n)))); err != nil {
		return nil, fmt.Errorf("cuda: counting devices: %w", err)
	}
	cards := make([]Properties, n)
	for i := range cards {
		var err error
		if cards[i], _, err = d.card(i); err != nil {
			return nil, err
		}
	}
	return cards, nil
}

// card describes a device and returns its handle.
func (d *driver) card(index int) (Properties, int32, error) {
	c := Properties{Index: index}
	var device int32
	if err := d.check(call(d.DeviceGet, uintptr(unsafe.Pointer(&device)), uintptr(index))); err != nil {
		return c, 0, fmt.Errorf("cuda: device %d: %w", index, err)
	}
	name := make([]byte, 128)
	if err := d.check(call(d.DeviceGetName, uintptr(unsafe.Pointer(&name[0])), uintptr(len(name)), uintptr(device))); err != nil {
		return c, 0, fmt.Errorf("cuda: device %d: %w", index, err)
	}
	for i, b := range name {
		if b == 0 {
			c.Name = string(name[:i])
			break
		}
	}
	attribute := func(id uintptr) int {
		var v int32
		call(d.DeviceGetAttribute, uintptr(unsafe.Pointer(&v)), id, uintptr(device))
		return int(v)
	}
	c.Major, c.Minor = attribute(attributeCapabilityMajor), attribute(attributeCapabilityMinor)
	c.Multiprocessors, c.L2 = attribute(attributeMultiprocessors), int64(attribute(attributeL2Bytes))
	var total uint64
	if err := d.check(call(d.DeviceTotalMem, uintptr(unsafe.Pointer(&total)), uintptr(device))); err != nil {
		return c, 0, fmt.Errorf("cuda: device %d: %w", index, err)
	}
	c.Memory = int64(total)
	return c, device, nil
}
