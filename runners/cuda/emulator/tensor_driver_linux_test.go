package emulator

import (
	"strings"
	"testing"
	"unsafe"
)

func TestEncodeTiled(t *testing.T) {
	type call struct {
		room    [3]tensorMap
		dims    [3]uint64
		strides [2]uint64
		box     [3]uint32
		steps   [3]uint32
	}
	c, _ := plugged(t, small())
	array := alloc(t, 8192)
	good := &call{dims: [3]uint64{64, 8, 4}, strides: [2]uint64{128, 1024}, box: [3]uint32{64, 8, 1}, steps: [3]uint32{1, 1, 1}}
	encode := func(a *call, off, rank, interleave uintptr) cuResult {
		at := uintptr(unsafe.Pointer(&a.room))
		at += (64-at%64)%64 + off
		return called("cuTensorMapEncodeTiled", at, 9, rank, uintptr(array), uintptr(unsafe.Pointer(&a.dims)), uintptr(unsafe.Pointer(&a.strides)),
			uintptr(unsafe.Pointer(&a.box)), uintptr(unsafe.Pointer(&a.steps)), interleave, swizzle128, 3, 0)
	}
	ok(t, "encode", encode(good, 0, 3, 0))
	m := *(*tensorMap)(unsafe.Add(unsafe.Pointer(&good.room), (64-uintptr(unsafe.Pointer(&good.room))%64)%64))
	if m.magic != tensorMapMagic || m.address != array || m.rank != 3 || m.dims != [5]uint64{64, 8, 4} || m.strides != [4]uint64{128, 1024} || m.box != [5]uint16{64, 8, 1} || m.elements != 2 || m.swizzle != swizzle128 {
		t.Errorf("%+v", m)
	}
	wide := *good
	wide.box[0] = 128
	for _, r := range []struct {
		name string
		code cuResult
		want cuResult
	}{
		{"multiple of 64", encode(good, 16, 3, 0), invalidValue},
		{"0 dimensions", encode(good, 0, 0, 0), invalidValue},
		{"6 dimensions", encode(good, 0, 6, 0), invalidValue},
		{"interleaving", encode(good, 0, 3, 1), notSupported},
		{"the swizzle spans 128", encode(&wide, 0, 3, 0), invalidValue},
	} {
		if r.code != r.want {
			t.Errorf("%s: %s, not %s", r.name, described(r.code), described(r.want))
		}
	}
	if code := encode(&wide, 0, 3, 0); !strings.Contains(described(code), "rows of a box have 256 bytes, the swizzle spans 128") {
		t.Error(described(code))
	}
	ok(t, "release", called("cuDevicePrimaryCtxRelease_v2", uintptr(c.Index())))
	old := small()
	old.Major = 8
	plugged(t, old)
	if code := encode(good, 0, 3, 0); code != notSupported {
		t.Errorf("on 8.0: %s", described(code))
	}
}
