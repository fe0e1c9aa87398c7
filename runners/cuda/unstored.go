package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// unstored is what kernels/quantize.cu could not store of what was gathered. To look at it is to wait for the card, so it is
// looked at for all caches at once.
type unstored struct {
	flags   uint64 // int32 (unstoredFlags), by head the number of a row that was refused, from 1
	used    int
	open    map[*buffer]flagged // by their keys, what was not looked at
	refused map[*buffer]error
}

// flagged is a cache's place among the flags.
type flagged struct {
	first, heads int
	format       string
}

const unstoredFlags = 1 << 14

// take returns the address of a cache's flags, which are 0.
func (u *unstored) take(d *Device, c engine.Cache) (uint64, error) {
	if len(c.Len) > unstoredFlags {
		panic(fmt.Sprintf("cuda: a cache of %d heads", len(c.Len)))
	}
	if u.used+len(c.Len) > unstoredFlags {
		u.look(d)
	}
	if u.flags == 0 {
		p, err := d.card.Take(4 * unstoredFlags)
		if err != nil {
			return 0, err
		}
		d.card.Clear(p, 4*unstoredFlags)
		u.flags = p
	}
	if u.open == nil {
		u.open, u.refused = map[*buffer]flagged{}, map[*buffer]error{}
	}
	at := u.used
	u.open[c.K.Buffer.(*buffer)] = flagged{at, len(c.Len), c.Packed.Format.Name}
	u.used += len(c.Len)
	return u.flags + 4*uint64(at), nil
}

// look waits for what is under way and reads all flags. Where that fails the card keeps the error.
func (u *unstored) look(d *Device) {
	flags := make([]int32, u.used)
	d.card.Read(card.Bytes(flags), u.flags)
	for b, f := range u.open {
		if err := refusal(f.format, flags[f.first:f.first+f.heads]); err != nil {
			u.refused[b] = err
		}
	}
	clear(u.open)
	u.rest(d)
}

// refusal is what a cache's flags say; nil where all is stored.
func refusal(format string, flags []int32) error {
	for h, row := range flags {
		if row > 0 {
			return &engine.Refusal{Layer: -1, Head: h, Format: format, Err: fmt.Errorf("entry %d holds what it cannot store", row-1)}
		}
	}
	return nil
}

// rest gives the flags' memory back where none are waited for.
func (u *unstored) rest(d *Device) {
	if len(u.open) == 0 && u.flags != 0 {
		d.card.Give(u.flags)
		u.flags, u.used = 0, 0
	}
}

// of returns why a cache could not be stored, once; nil if it could.
func (u *unstored) of(d *Device, c engine.Cache) error {
	b, ok := c.K.Buffer.(*buffer)
	if !ok {
		return nil
	}
	if _, ok := u.open[b]; ok {
		u.look(d)
	}
	err := u.refused[b]
	delete(u.refused, b)
	return err
}

// forget drops what is known of a cache that is freed.
func (u *unstored) forget(d *Device, c engine.Cache) {
	if b, ok := c.K.Buffer.(*buffer); ok {
		delete(u.open, b)
		delete(u.refused, b)
		u.rest(d)
	}
}

// Unstored looks at what GatherQuantized left.
func (d *Device) Unstored(caches ...engine.Cache) []error {
	list := make([]error, len(caches))
	ok := d.card.Enter("Unstored")
	defer d.card.Leave()
	if !ok {
		return list
	}
	d.card.HostNeeded("Unstored")
	for i, c := range caches {
		list[i] = d.unstored.of(d, c)
	}
	return list
}
