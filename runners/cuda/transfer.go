package cuda

import (
	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// Put copies from the host, converting.
func (d *Device) Put(dst engine.Array, src []float32) {
	same("Put", "dst", dst.Len, len(src))
	if dst.Type == engine.Int32 {
		panic("cuda: Put: an array of int32 wants PutInts")
	}
	d.card.HostNeeded("Put")
	d.put("Put", dst, func(to []byte, first, n int) { encode(to, src[first:first+n], dst.Type) })
}

// PutInts copies from the host.
func (d *Device) PutInts(dst engine.Array, src []int32) {
	same("PutInts", "dst", dst.Len, len(src))
	if dst.Type != engine.Int32 {
		panic("cuda: PutInts: an array of " + dst.Type.String() + " wants Put")
	}
	d.card.HostNeeded("PutInts")
	d.put("PutInts", dst, func(to []byte, first, n int) { copy(to, card.Bytes(src[first:first+n])) })
}

func (d *Device) put(operation string, dst engine.Array, fill func(to []byte, first, n int)) {
	if !d.card.Enter(operation) || dst.Len == 0 {
		d.card.Leave()
		return
	}
	defer d.card.Leave()
	size := dst.Type.Size()
	to := d.pointer(operation, dst, dst.Type)
	for first := 0; first < dst.Len; {
		n := min(dst.Len-first, card.PieceBytes/size)
		p := d.card.Stage(n * size)
		fill(p, first, n)
		if !d.card.Send(to+uint64(first*size), p) {
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
	d.card.HostNeeded("Get")
	d.get("Get", src, func(from []byte, first, n int) { decode(dst[first:first+n], from, src.Type) })
}

// GetInts copies to the host; it waits for what came before.
func (d *Device) GetInts(dst []int32, src engine.Array) {
	same("GetInts", "src", src.Len, len(dst))
	if src.Type != engine.Int32 {
		panic("cuda: GetInts: an array of " + src.Type.String() + " wants Get")
	}
	d.card.HostNeeded("GetInts")
	d.get("GetInts", src, func(from []byte, first, n int) { copy(card.Bytes(dst[first:first+n]), from) })
}

func (d *Device) get(operation string, src engine.Array, read func(from []byte, first, n int)) {
	if !d.card.Enter(operation) || src.Len == 0 {
		d.card.Leave()
		return
	}
	defer d.card.Leave()
	size := src.Type.Size()
	from := d.pointer(operation, src, src.Type)
	for first := 0; first < src.Len; {
		n := min(src.Len-first, card.PieceBytes/size)
		p := d.card.Stage(n * size)
		if !d.card.Fetch(p, from+uint64(first*size)) || !d.card.Wait() {
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
	ok := d.card.Enter("Copy")
	defer d.card.Leave()
	if ok && dst.Len > 0 {
		d.card.Copy(to, from, src.Bytes())
	}
}
