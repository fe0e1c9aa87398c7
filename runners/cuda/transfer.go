package cuda

import (
	"unsafe"

	"github.com/snapbench/snapbench/runners/engine"
)

// staging is page-locked host memory through which everything travels, used
// round and round: what was put in stays until the stream has taken it.
type staging struct {
	memory []byte
	next   int
}

func (s *staging) open(d *Device) error {
	p, err := d.hostMemory(stagingBytes)
	if err != nil {
		return err
	}
	s.memory = unsafe.Slice((*byte)(p), stagingBytes)
	return nil
}

func (s *staging) close(d *Device) {
	if s.memory != nil {
		call(d.driver.MemFreeHost, uintptr(unsafe.Pointer(&s.memory[0])))
		s.memory = nil
	}
}

// part returns n bytes to fill; n is at most half the memory. Coming round, it
// waits for the stream.
func (s *staging) part(d *Device, n int) []byte {
	n = int(roundUp(int64(n), 64))
	if s.next+n > len(s.memory) {
		d.wait()
		s.next = 0
	}
	p := s.memory[s.next : s.next+n]
	s.next += n
	return p
}

// pieceBytes is the most that is converted before it is sent.
const pieceBytes = 4 << 20

// wait waits for the stream.
func (d *Device) wait() bool {
	d.idle("waiting")
	code := call(d.driver.StreamSynchronize, d.stream)
	return d.ok(code)
}

// idle panics inside a recorded step: the host cannot take part in one.
func (d *Device) idle(what string) {
	if d.recording != nil {
		panic("cuda: " + what + " inside Replay: a recorded step runs without the host")
	}
}

func (d *Device) send(to uint64, from []byte) bool {
	return d.ok(call(d.driver.MemcpyHtoDAsync, uintptr(to), uintptr(unsafe.Pointer(&from[0])), uintptr(len(from)), d.stream))
}

func (d *Device) fetch(to []byte, from uint64) bool {
	return d.ok(call(d.driver.MemcpyDtoHAsync, uintptr(unsafe.Pointer(&to[0])), uintptr(from), uintptr(len(to)), d.stream))
}

// Put copies from the host, converting.
func (d *Device) Put(dst engine.Array, src []float32) {
	same("Put", "dst", dst.Len, len(src))
	if dst.Type == engine.Int32 {
		panic("cuda: Put: an array of int32 wants PutInts")
	}
	d.idle("Put")
	d.put("Put", dst, func(to []byte, first, n int) { encode(to, src[first:first+n], dst.Type) })
}

// PutInts copies from the host.
func (d *Device) PutInts(dst engine.Array, src []int32) {
	same("PutInts", "dst", dst.Len, len(src))
	if dst.Type != engine.Int32 {
		panic("cuda: PutInts: an array of " + dst.Type.String() + " wants Put")
	}
	d.idle("PutInts")
	d.put("PutInts", dst, func(to []byte, first, n int) { copy(to, bytesOf(src[first:first+n])) })
}

func (d *Device) put(operation string, dst engine.Array, fill func(to []byte, first, n int)) {
	if !d.enter(operation) || dst.Len == 0 {
		d.leave()
		return
	}
	defer d.leave()
	size := dst.Type.Size()
	to := d.pointer(operation, dst, dst.Type)
	for first := 0; first < dst.Len; {
		n := min(dst.Len-first, pieceBytes/size)
		p := d.staging.part(d, n*size)[:n*size]
		fill(p, first, n)
		if !d.send(to+uint64(first*size), p) {
			return
		}
		first += n
	}
}

// Get copies to the host, converting; it waits for what came before.
func (d *Device) Get(dst []float32, src engine.Array) {
	same("Get", "src", src.Len, len(dst))
	if src.Type == engine.Int32 {
		panic("cuda: Get: an array of int32 wants GetInts")
	}
	d.idle("Get")
	d.get("Get", src, func(from []byte, first, n int) { decode(dst[first:first+n], from, src.Type) })
}

// GetInts copies to the host; it waits for what came before.
func (d *Device) GetInts(dst []int32, src engine.Array) {
	same("GetInts", "src", src.Len, len(dst))
	if src.Type != engine.Int32 {
		panic("cuda: GetInts: an array of " + src.Type.String() + " wants Get")
	}
	d.idle("GetInts")
	d.get("GetInts", src, func(from []byte, first, n int) { copy(bytesOf(dst[first:first+n]), from) })
}

func (d *Device) get(operation string, src engine.Array, read func(from []byte, first, n int)) {
	if !d.enter(operation) || src.Len == 0 {
		d.leave()
		return
	}
	defer d.leave()
	size := src.Type.Size()
	from := d.pointer(operation, src, src.Type)
	for first := 0; first < src.Len; {
		n := min(src.Len-first, pieceBytes/size)
		p := d.staging.part(d, n*size)[:n*size]
		if !d.fetch(p, from+uint64(first*size)) || !d.wait() {
			return
		}
		read(p, first, n)
		first += n
	}
}

// Copy copies on the device.
func (d *Device) Copy(dst, src engine.Array) {
	same("Copy", "dst", dst.Len, src.Len)
	to, from := d.pointer("Copy", dst, src.Type), d.pointer("Copy", src, src.Type)
	ok := d.enter("Copy")
	defer d.leave()
	if ok && dst.Len > 0 {
		d.ok(call(d.driver.MemcpyDtoDAsync, uintptr(to), uintptr(from), uintptr(src.Bytes()), d.stream))
	}
}

// clear sets memory to zero.
func (d *Device) clear(p uint64, bytes int64) bool {
	return d.ok(call(d.driver.MemsetD8Async, uintptr(p), 0, uintptr(bytes), d.stream))
}

// table sends a table to scratch memory, for kernels to read.
func table[T any](d *Device, rows []T) (p uint64, done func(), ok bool) {
	b := bytesOf(rows)
	p, done, ok = d.scratch(int64(len(b)))
	if !ok || !d.sendAll(p, b) {
		return 0, done, false
	}
	return p, done, true
}

// sendAll sends bytes of any number through the staging memory.
func (d *Device) sendAll(to uint64, b []byte) bool {
	d.idle("sending a table")
	for len(b) > 0 {
		n := min(len(b), pieceBytes)
		part := d.staging.part(d, n)[:n]
		copy(part, b)
		if !d.send(to, part) {
			return false
		}
		b, to = b[n:], to+uint64(n)
	}
	return true
}

// bytesOf views numbers or plain structures as bytes.
func bytesOf[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}
