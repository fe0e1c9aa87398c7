package emulator

import (
	"fmt"
	"sync"
	"unsafe"
)

// cuResult is CUresult.
type cuResult uint32

const (
	success            cuResult = 0
	invalidValue       cuResult = 1
	outOfMemory        cuResult = 2
	invalidDevice      cuResult = 101
	noBinary           cuResult = 209
	invalidContext     cuResult = 201
	invalidPTX         cuResult = 218
	invalidHandle      cuResult = 400
	notFound           cuResult = 500
	illegalAddress     cuResult = 700
	outOfResources     cuResult = 701
	launchFailed       cuResult = 719
	notSupported       cuResult = 801
	captureUnsupported cuResult = 900
	invalidClusterSize cuResult = 912
	unknown            cuResult = 999
)

// results are the names and texts of the driver's documentation.
var results = map[cuResult][2]string{
	success:            {"CUDA_SUCCESS", "no error"},
	invalidValue:       {"CUDA_ERROR_INVALID_VALUE", "invalid argument"},
	outOfMemory:        {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
	invalidDevice:      {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
	noBinary:           {"CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
	invalidContext:     {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
	invalidPTX:         {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
	invalidHandle:      {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
	notFound:           {"CUDA_ERROR_NOT_FOUND", "named symbol not found"},
	illegalAddress:     {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
	outOfResources:     {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
	launchFailed:       {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
	notSupported:       {"CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
	captureUnsupported: {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"},
	invalidClusterSize: {"CUDA_ERROR_INVALID_CLUSTER_SIZE", "cluster misconfiguration"},
	unknown:            {"CUDA_ERROR_UNKNOWN", "unknown error"},
}

// said is the last error of a call that belongs to no card's context.
var said struct {
	sync.Mutex
	code cuResult
	err  error
}

func refuse(code cuResult, format string, a ...any) cuResult {
	said.Lock()
	defer said.Unlock()
	said.code, said.err = code, fmt.Errorf(format, a...)
	return code
}

// describe is the text of an error, with the details of the last error of that kind.
func describe(code cuResult) string {
	text := results[code][1]
	var err error
	if c := current(); c != nil {
		c.mu.Lock()
		if c.fault != nil && c.fault.code == code {
			err = c.fault.err
		}
		c.mu.Unlock()
	}
	said.Lock()
	if err == nil && said.code == code {
		err = said.err
	}
	said.Unlock()
	if err != nil {
		text += ": " + err.Error()
	}
	return text
}

// kept holds C strings, which must stay readable.
var kept struct {
	sync.Mutex
	texts map[string][]byte
}

func cString(s string) uintptr {
	kept.Lock()
	defer kept.Unlock()
	b := kept.texts[s]
	if b == nil {
		if kept.texts == nil {
			kept.texts = map[string][]byte{}
		}
		b = append([]byte(s), 0)
		kept.texts[s] = b
	}
	return uintptr(unsafe.Pointer(&b[0]))
}

// hostAt is memory of the caller's.
func hostAt(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

func store[T any](p uintptr, v T) cuResult {
	if p == 0 {
		return refuse(invalidValue, "a null pointer for a result")
	}
	*(*T)(hostAt(p)) = v
	return success
}

func text(p uintptr) string {
	n := 0
	for *(*byte)(unsafe.Add(hostAt(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(hostAt(p)), n))
}

func errorText(a []uintptr, s string) cuResult {
	if _, ok := results[cuResult(a[0])]; !ok {
		return invalidValue
	}
	return store(a[1], cString(s))
}
