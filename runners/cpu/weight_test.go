package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
	"github.com/snapbench/snapbench/runners/weights"
)

// What a weight will take is known before it is read: all of it where the rows fill
// their panels, less only by the padding elsewhere.
func TestWeightBytes(t *testing.T) {
	d := open(goKernels, 1)
	defer d.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	for _, s := range enginetest.Storages {
		for _, rows := range []int{d.k.panelWidth, 2*d.k.panelWidth + 3} {
			m := enginetest.Random("w", s, rows, 256, rng)
			w, err := d.LoadWeight([]engine.Stored{m}, nil)
			if err != nil {
				t.Fatal(err)
			}
			padded := (rows + d.k.panelWidth - 1) / d.k.panelWidth * d.k.panelWidth
			if want := w.Bytes() * int64(rows) / int64(padded); d.WeightBytes(m) != want {
				t.Errorf("%s, %d rows: %d bytes foretold, want %d", s, rows, d.WeightBytes(m), want)
			}
			d.FreeWeight(w)
		}
	}
}

// What a weight takes at most on any processor is what the widest kernels' padding makes of it, and on none less, whatever the
// storages of its parts and with biases or without.
func TestWeightBytesAtMost(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, k := range available() {
		if widestPanel%k.panelWidth != 0 {
			t.Fatalf("%s: panels of %d rows", k.name, k.panelWidth)
		}
		d := open(k, 1)
		defer d.Close()
		for i, s := range enginetest.Storages {
			other := enginetest.Storages[(i+1)%len(enginetest.Storages)]
			parts := []engine.Stored{enginetest.Random("a", s, 33, 256, rng), enginetest.Random("b", s, 5, 256, rng), enginetest.Random("c", other, 50, 256, rng)}
			biased := []engine.Stored{nil, enginetest.Random("bias", engine.F32, 1, 5, rng), nil}
			for _, bias := range [][]engine.Stored{nil, biased} {
				w, err := d.LoadWeight(parts, bias)
				if err != nil {
					t.Fatal(err)
				}
				most, got := WeightBytes(parts, bias), w.Bytes()
				// Rows are filled up: 38 to 64 and 50 to 64, or all 88 to 96 where both parts have one format.
				if got > most || k.panelWidth == widestPanel && got != most || float64(most) > float64(got)*64/38 {
					t.Errorf("%s, %s and %s, biases %v: %d bytes, at most %d", k.name, s, other, bias != nil, got, most)
				}
				d.FreeWeight(w)
			}
		}
	}
}

// TestBlocksAgainstGGUFPy: packed blocks have the values that gguf-py decodes, bit by bit, in a panel's
// first column and in another.
func TestBlocksAgainstGGUFPy(t *testing.T) {
	f, err := weights.Open("../weights/testdata/blocks.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s, want := range map[engine.Storage]format{
		engine.Q8_0: formatQ8, engine.Q5_0: formatQ8, engine.Q4_1: formatQ4, engine.Q4K: formatK4, engine.Q6K: formatK6, engine.MXFP4: formatP4,
	} {
		raw, err := f.Tensor(s.String() + ".raw")
		if err != nil {
			t.Fatal(err)
		}
		stored, err := f.Tensor(s.String() + ".values")
		if err != nil {
			t.Fatal(err)
		}
		values, err := stored.Floats()
		if err != nil {
			t.Fatal(err)
		}
		m := twice{name: s.String(), storage: s, raw: raw.Raw(), values: values}
		if got := formatOf(m); got != want {
			t.Errorf("%s gets format %d, want %d", s, got, want)
		}
		for _, k := range available() {
			d := open(k, 1)
			w, err := d.LoadWeight([]engine.Stored{m}, nil)
			if err != nil {
				t.Fatal(err)
			}
			panel := &own("test", w).segments[0]
			unpacked, row := make([]float32, len(values)*k.panelWidth), make([]float32, len(values))
			k.unpack[want](want.units(len(values), k.panelWidth), &panel.data[0], &unpacked[0])
			for r := range 2 {
				own("test", w).readRow(r, row)
				for i, v := range values {
					got := unpacked[i*k.panelWidth+r]
					if got != v || row[i] != v {
						t.Fatalf("%s, %s: number %d of row %d is %v, read alone %v; gguf-py has %v", k.name, s, i, r, got, row[i], v)
					}
				}
			}
			d.FreeWeight(w)
			d.Close()
		}
	}
}

// twice is a matrix of two equal rows.
type twice struct {
	name    string
	storage engine.Storage
	raw     []byte
	values  []float32
}

func (m twice) Name() string                 { return m.name }
func (m twice) Rows() int                    { return 2 }
func (m twice) Cols() int                    { return len(m.values) }
func (m twice) Storage() engine.Storage      { return m.storage }
func (m twice) RawRow(int) []byte            { return m.raw }
func (m twice) ReadRow(_ int, dst []float32) { copy(dst, m.values) }
