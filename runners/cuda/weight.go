package cuda

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/snapbench/snapbench/runners/cuda/card"
	"github.com/snapbench/snapbench/runners/engine"
)

// weight is a matrix (rows, cols) of the device's type, row-major, or packed (packed.go, blocks.go).
type weight struct {
	device     *Device
	address    uint64
	bias       uint64 // float32 (rows), or 0
	rows, cols int
	bytes      int64
	storage    engine.Storage // where it is packed, in one way
	pieces     []*weight      // of a weight in GGUF's blocks of several storages: its rows, one piece behind the other

	// Of a mixture's router: expertTable, and the weights that are in it.
	table  uint64
	tabled []*weight
}

func (w *weight) Rows() int { return w.rows }

func (w *weight) Cols() int { return w.cols }

func (w *weight) Bytes() int64 { return w.bytes }

// storageOf is the storage that has a type's own bytes.
func storageOf(t engine.Type) engine.Storage {
	switch t {
	case engine.Float16:
		return engine.F16
	case engine.BFloat16:
		return engine.BF16
	}
	return engine.F32
}

// LoadWeight stacks the rows of parts. As many goroutines as there are processors convert
// the numbers to the device's type while earlier pieces travel to the card.
func (d *Device) LoadWeight(parts []engine.Stored, bias []engine.Stored) (engine.Weight, error) {
	if len(parts) == 0 {
		panic("cuda: LoadWeight without parts")
	}
	if len(bias) != 0 && len(bias) != len(parts) {
		panic(fmt.Sprintf("cuda: LoadWeight: %d biases for %d parts", len(bias), len(parts)))
	}
	w := &weight{device: d, cols: parts[0].Cols()}
	biased := false
	for i, p := range parts {
		if p.Cols() != w.cols {
			return nil, fmt.Errorf("%s has %d columns, %s has %d: they cannot be stacked", parts[0].Name(), w.cols, p.Name(), p.Cols())
		}
		w.rows += p.Rows()
		if len(bias) > 0 && bias[i] != nil {
			biased = true
			if bias[i].Rows() != 1 || bias[i].Cols() != p.Rows() {
				return nil, fmt.Errorf("%s is (%d, %d), a bias of %s is (1, %d)", bias[i].Name(), bias[i].Rows(), bias[i].Cols(), p.Name(), p.Rows())
			}
		}
	}
	size := WeightBytes(d.kind, parts)
	pieces, of := piecesInBlocks(d.kind, parts)
	switch {
	case len(pieces) > 1:
		w.pieces = pieces
	case len(pieces) == 1 || packable(d.kind, parts):
		w.storage = parts[0].Storage()
	}
	w.bytes = size
	if biased {
		w.bytes += 4 * int64(w.rows)
	}
	var err error
	if w.address, err = d.take(size); err != nil {
		return nil, err
	}
	if biased {
		if w.bias, err = d.take(4 * int64(w.rows)); err != nil {
			d.card.Give(w.address)
			return nil, err
		}
	}
	if !d.card.Enter("LoadWeight") {
		d.card.Leave()
		d.release(w)
		return nil, d.Sync()
	}
	defer d.card.Leave()
	if pieces != nil {
		w.place(pieces)
		for i, p := range pieces {
			d.uploadBlocks(p, of[i])
		}
	} else if err := d.uploadAll(w, parts); err != nil {
		d.card.Wait() // what was sent is on its way
		d.release(w)
		return nil, err
	}
	if biased {
		all := make([]float32, 0, w.rows)
		for i, p := range parts {
			v := make([]float32, p.Rows())
			if bias[i] != nil {
				bias[i].ReadRow(0, v)
			}
			all = append(all, v...)
		}
		d.card.Write(w.bias, card.Bytes(all))
	}
	if d.card.Failed() {
		d.release(w)
		return nil, d.Sync()
	}
	d.weights += w.bytes
	return w, nil
}

// place gives pieces their parts of the weight's memory and bias.
func (w *weight) place(pieces []*weight) {
	address, bias := w.address, w.bias
	for _, p := range pieces {
		p.device, p.address, p.bias = w.device, address, bias
		address += uint64(blockBytes(p.storage, p.rows, p.cols))
		if bias != 0 {
			bias += 4 * uint64(p.rows)
		}
	}
}

func (d *Device) uploadAll(w *weight, parts []engine.Stored) error {
	if w.packed() {
		return d.uploadPacked(w, parts)
	}
	at := w.address
	for _, p := range parts {
		if err := refuseNaN(p); err != nil {
			return err
		}
		d.upload(at, p, d.kind)
		at += uint64(int64(p.Rows()) * int64(w.cols) * int64(d.kind.Size()))
	}
	return nil
}

// release gives a weight's memory back.
func (d *Device) release(w *weight) {
	d.card.Give(w.address)
	if w.bias != 0 {
		d.card.Give(w.bias)
	}
	if w.table != 0 {
		d.card.Give(w.table)
	}
	w.address, w.bias, w.table, w.tabled = 0, 0, 0, nil
}

// FreeWeight gives a weight back.
func (d *Device) FreeWeight(ew engine.Weight) {
	w := d.weight("FreeWeight", ew)
	d.weights -= w.bytes
	d.release(w)
}

func (d *Device) weight(operation string, ew engine.Weight) *weight {
	w, ok := ew.(*weight)
	if !ok || w.device != d || w.address == 0 {
		panic(fmt.Sprintf("cuda: %s: a weight of another device, or one that was freed", operation))
	}
	return w
}

// upload sends a matrix as type t, or has the card make it.
func (d *Device) upload(to uint64, p engine.Stored, t engine.Type) {
	rows, cols := p.Rows(), p.Cols()
	if r, ok := p.(engine.Random); ok && p.Storage() == engine.F32 { // not random codes
		d.random(to, rows*cols, r, t)
		return
	}
	rowBytes := cols * t.Size()
	if rowBytes > card.PieceBytes {
		// A row longer than a piece: rare, so simple.
		row := make([]float32, cols)
		b := make([]byte, rowBytes)
		for i := range rows {
			p.ReadRow(i, row)
			encode(b, row, t)
			if !d.card.Write(to+uint64(i)*uint64(rowBytes), b) {
				return
			}
		}
		return
	}
	raw := p.Storage() == storageOf(t)
	for first := 0; first < rows; {
		n := min(rows-first, card.PieceBytes/rowBytes)
		piece := d.card.Stage(n * rowBytes)
		each(n, func(lo, hi int) {
			row := make([]float32, cols)
			for i := lo; i < hi; i++ {
				to := piece[i*rowBytes : (i+1)*rowBytes]
				if raw {
					copy(to, p.RawRow(first+i))
				} else {
					p.ReadRow(first+i, row)
					encode(to, row, t)
				}
			}
		})
		if !d.card.Send(to+uint64(first)*uint64(rowBytes), piece) {
			return
		}
		first += n
	}
}

// each shares out n rows to as many goroutines as there are processors.
func each(n int, f func(lo, hi int)) {
	var group sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), n)
	for g := range workers {
		group.Go(func() { f(g*n/workers, (g+1)*n/workers) })
	}
	group.Wait()
}

// LoadVector returns a Float32 array.
func (d *Device) LoadVector(v engine.Stored) (engine.Array, error) {
	if v.Rows() != 1 {
		return engine.Array{}, fmt.Errorf("%s is (%d, %d), a vector is (1, n)", v.Name(), v.Rows(), v.Cols())
	}
	a, err := d.New(engine.Float32, v.Cols())
	if err != nil {
		return engine.Array{}, err
	}
	if !d.card.Enter("LoadVector") {
		d.card.Leave()
		d.Free(a)
		return engine.Array{}, d.Sync()
	}
	defer d.card.Leave()
	d.upload(d.pointer("LoadVector", a, engine.Float32), v, engine.Float32)
	return a, nil
}
