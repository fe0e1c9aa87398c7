package cuda

import (
	"fmt"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// Device is a GPU on which the operations run. [Open] makes it.
type Device struct {
	card   *card.Card
	kind   engine.Type
	suffix string // of the kernels: "bf16"

	fault        *[2]int32 // host memory that kernels write to: whether something is wrong, and the token id that is
	faultAddress uint64
	arrived      uint64 // int32 (maxHeads), zero between operations
	weights      int64  // bytes that weights hold
	ordered      room   // x of matmul_wide_sm90a.cu's products
	order        order  // what ordered is
	partial      room   // their sums
	sharers      room   // int32 (warpgroups), zero between operations

	unstored unstored // of caches in formats, what was not looked at yet

	segments  []segment // Gather's tables, kept for the next call
	items     []gatherItem
	recording *recording // what Replay is capturing, or nil
	stepping  bool       // inside a decoding step
	anyTiles  bool       // for tests: the kernels for many rows take any number of rows
	rowsApart bool       // for tests: one row goes through a mixture as several do
	anyParts  wideTiles  // for tests: where rows or parts are set, no others are chosen

	linearBlock int // for tests: tokens that linear attention takes at a time, 0 for as many as are best
}

// Open opens the card of this index as a device with activations, keys and values of type
// t: Float32, Float16 or BFloat16. The error says what is missing where the driver, the
// card or cuBLAS cannot be used.
func Open(index int, t engine.Type) (engine.Device, error) {
	d, err := openOn(index, t, card.Installed())
	if err != nil {
		return nil, err
	}
	return d, nil
}

// openOn opens a device on a driver and a cuBLAS: the machine's, or a test's.
func openOn(index int, t engine.Type, libraries card.Libraries) (*Device, error) {
	switch t {
	case engine.Float32, engine.Float16, engine.BFloat16:
	default:
		return nil, fmt.Errorf("cuda: no device of type %v: have float32, float16, bfloat16", t)
	}
	c, err := libraries.Open(index, source)
	if err != nil {
		return nil, err
	}
	d := &Device{card: c, kind: t, suffix: suffixOf(t)}
	if err := d.open(); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// open takes what operations share.
func (d *Device) open() error {
	host, address, err := d.card.HostMemory(8)
	if err != nil {
		return err
	}
	d.fault, d.faultAddress = (*[2]int32)(host), address
	*d.fault = [2]int32{}
	d.card.Do(func() {
		if d.arrived, err = d.card.Take(4 * maxHeads); err == nil {
			d.card.Clear(d.arrived, 4*maxHeads)
		}
	})
	if err == nil && d.card.Failed() {
		err = d.card.Sync()
	}
	return err
}

// Probe looks for the driver, its cards and cuBLAS. It opens no device.
func Probe() card.Report { return card.Installed().Probe() }

// Close gives everything back to the driver.
func (d *Device) Close() error {
	d.fault = nil
	return d.card.Close()
}

// Name returns "cuda:0".
func (d *Device) Name() string { return d.card.Name() }

// Type returns the type the device was opened with.
func (d *Device) Type() engine.Type { return d.kind }

// Describe names the card, driver and cuBLAS.
func (d *Device) Describe() string { return d.card.Describe() }

// Takes is how much of the driver's memory an array of so many bytes takes where there are many like it.
func (d *Device) Takes(bytes int64) int64 { return card.Takes(bytes) }

// BlockTokens is [BlockTokens].
func (d *Device) BlockTokens() int { return BlockTokens }

// Sync waits for everything and returns the first error since the last Sync. What
// a kernel did wrong shows only here: the error then names every operation since
// the last Sync.
func (d *Device) Sync() error {
	err := d.card.Sync()
	if d.fault != nil && d.fault[0] != 0 {
		if err == nil {
			err = fmt.Errorf("%s: Embed: token id %d is outside the table", d.Name(), d.fault[1])
		}
		*d.fault = [2]int32{}
	}
	return err
}

var _ engine.Device = (*Device)(nil)
