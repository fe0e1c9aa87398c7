package cuda

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
	"github.com/snapbench/snapbench/runners/weights"
)

// TestEmulatedBlocks is conformBlocks on a card of compute capability 8.0.
func TestEmulatedBlocks(t *testing.T) {
	d, _ := Emulated(t, emulatedCard(8, 0), engine.BFloat16)
	conformBlocks(t, d)
}

// conformBlocks: a card has the numbers of GGUF's blocks, and no others, in the bits of the file. Each row that is
// read from a table is the decoder's, rounded to bfloat16, whatever turns and tiles the row has, and so is the whole
// table unpacked; products of few rows are those of the numbers before they are rounded. Every kernel runs.
func conformBlocks(t *testing.T, d *Device) {
	for s, block := range blockStorages {
		for _, c := range []struct{ rows, cols int }{{1, 32}, {16, 64}, {17, 96}, {33, 160}, {5, 256}, {35, 512}, {280, 256}, {260, 1120}, {18, 8960}} {
			if c.cols%block.numbers != 0 {
				continue
			}
			m := enginetest.Random(fmt.Sprint(s), s, c.rows, c.cols, rand.New(rand.NewPCG(uint64(s), uint64(c.cols))))
			w := must[engine.Weight](t)(d.LoadWeight([]engine.Stored{m}, nil))
			if got, want := w.Bytes(), int64((c.rows+15)/16*16*len(m.RawRow(0))); got != want {
				t.Errorf("%s %v: %d bytes, want %d", s, c, got, want)
			}
			if c.cols <= 512 {
				blocksRead(t, d, w, m)
			}
			blocksMultiplied(t, d, w, m)
			d.FreeWeight(w)
		}
	}
}

// blocksRead holds the rows of a table, and all of it unpacked, to the decoder's.
func blocksRead(t *testing.T, d *Device, w engine.Weight, m engine.Stored) {
	t.Helper()
	rows, cols := m.Rows(), m.Cols()
	ids := make([]int32, rows)
	for i := range ids {
		ids[i] = int32(rows - 1 - i)
	}
	at, dst := must[engine.Array](t)(d.New(engine.Int32, rows)), must[engine.Array](t)(d.New(d.kind, rows*cols))
	defer d.Free(at, dst)
	d.PutInts(at, ids)
	d.Embed(dst, w, at, 1)
	read, unpacked, want := make([]float32, dst.Len), make([]float32, dst.Len), make([]float32, cols)
	d.Get(read, dst)
	d.card.Do(func() {
		p, done, ok := d.plain(w.(*weight))
		defer done()
		if ok {
			d.card.Copy(d.pointer("copy", dst, d.kind), p.address, 2*int64(dst.Len))
		}
	})
	d.Get(unpacked, dst)
	if err := d.Sync(); err != nil {
		t.Fatalf("%s (%d, %d): %v", m.Storage(), rows, cols, err)
	}
	for i, id := range ids {
		m.ReadRow(int(id), want)
		for j, v := range want {
			v = rounded(v)
			if g := read[i*cols+j]; g != v {
				t.Fatalf("%s (%d, %d): row %d, column %d read is %v, want %v", m.Storage(), rows, cols, id, j, g, v)
			}
			if g := unpacked[int(id)*cols+j]; g != v {
				t.Fatalf("%s (%d, %d): row %d, column %d unpacked is %v, want %v", m.Storage(), rows, cols, id, j, g, v)
			}
		}
	}
}

// blocksMultiplied holds products of two rows, which are not those of rounded numbers, to sums in float64.
func blocksMultiplied(t *testing.T, d *Device, w engine.Weight, m engine.Stored) {
	t.Helper()
	const n = 2
	rows, cols := m.Rows(), m.Cols()
	x, rng := make([]float32, n*cols), rand.New(rand.NewPCG(3, 4))
	for i := range x {
		x[i] = rounded(float32(rng.NormFloat64()))
	}
	want, row := make([]float32, n*rows), make([]float32, cols)
	for r := range rows {
		m.ReadRow(r, row)
		for i := range n {
			sum := 0.0
			for c, v := range row {
				sum += float64(v) * float64(x[i*cols+c])
			}
			want[i*rows+r] = float32(sum)
		}
	}
	from := must[engine.Array](t)(d.New(d.kind, len(x)))
	defer d.Free(from)
	d.Put(from, x)
	for _, kind := range []engine.Type{engine.Float32, d.kind} {
		dst, got := must[engine.Array](t)(d.New(kind, n*rows)), make([]float32, n*rows)
		d.MatMul(dst, from, w)
		d.Get(got, dst)
		if err := d.Sync(); err != nil {
			t.Fatalf("%s (%d, %d): %v", m.Storage(), rows, cols, err)
		}
		if err := enginetest.Compare(got, want, n*rows, cols, kind); err != nil {
			t.Errorf("%s (%d, %d), products in %v: %v", m.Storage(), rows, cols, kind, err)
		}
		d.Free(dst)
	}
}

// recordedRow is a row of blocks, and its numbers as another program has them.
type recordedRow struct {
	storage engine.Storage
	raw     []byte
	values  []float32
}

func (m recordedRow) Name() string                 { return m.storage.String() }
func (m recordedRow) Rows() int                    { return 1 }
func (m recordedRow) Cols() int                    { return len(m.values) }
func (m recordedRow) Storage() engine.Storage      { return m.storage }
func (m recordedRow) RawRow(int) []byte            { return m.raw }
func (m recordedRow) ReadRow(_ int, dst []float32) { copy(dst, m.values) }

// TestEmulatedBlocksAgainstGGUFPy: blocks on a card have the numbers that gguf-py decodes, read, unpacked and
// multiplied.
func TestEmulatedBlocksAgainstGGUFPy(t *testing.T) {
	f, err := weights.Open("../weights/testdata/blocks.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, _ := Emulated(t, emulatedCard(9, 0), engine.BFloat16)
	for s := range blockStorages {
		raw, values := must[*weights.Tensor](t)(f.Tensor(s.String()+".raw")), must[*weights.Tensor](t)(f.Tensor(s.String()+".values"))
		m := recordedRow{s, raw.Raw(), must[[]float32](t)(values.Floats())}
		w := must[engine.Weight](t)(d.LoadWeight([]engine.Stored{m}, nil))
		blocksRead(t, d, w, m)
		blocksMultiplied(t, d, w, m)
		d.FreeWeight(w)
	}
}

// rounded is the nearest bfloat16.
func rounded(v float32) float32 {
	b := make([]byte, 2)
	encode(b, []float32{v}, engine.BFloat16)
	out := make([]float32, 1)
	decode(out, b, engine.BFloat16)
	return out[0]
}

// TestEmulatedUnpackBytes: what a plan is told that products of many rows take to unpack a weight in blocks, of one
// storage or of several, is what they take, up to the arena's rounding; products of few take nothing.
func TestEmulatedUnpackBytes(t *testing.T) {
	d, _ := Emulated(t, emulatedCard(8, 0), engine.BFloat16)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, parts := range [][]engine.Stored{
		{enginetest.Random("a", engine.Q8_0, 80, 512, rng)},
		{enginetest.Random("a", engine.Q4K, 40, 512, rng), enginetest.Random("b", engine.Q6K, 24, 512, rng)},
	} {
		w := must[engine.Weight](t)(d.LoadWeight(parts, nil))
		for _, m := range []int{1, fewRows + 1} {
			x, y := must[engine.Array](t)(d.New(d.kind, m*w.Cols())), must[engine.Array](t)(d.New(d.kind, m*w.Rows()))
			d.Put(x, make([]float32, x.Len))
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			d.ResetPeak()
			before := d.Memory().InUse
			d.MatMul(y, x, w)
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			took, said := d.Memory().Peak-before, d.UnpackBytes(w)
			if m <= fewRows {
				said = 0
			}
			if took > said || said > took+took/10 {
				t.Errorf("%d parts, %d rows: a product takes %d bytes, a plan is told %d", len(parts), m, took, said)
			}
			d.Free(x, y)
		}
		d.FreeWeight(w)
	}
}
