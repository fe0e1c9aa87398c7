package cuda_test

import (
	"math/rand/v2"
	"testing"

	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/cuda/emulator"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

// someRows are the first rows of a matrix.
type someRows struct {
	engine.Stored
	rows int
}

func (s someRows) Rows() int { return s.rows }

// TestEmulatedGGUF: products with the matrices of a layer of real files, some rows of each, on an emulated card whose
// weights stay in the file's blocks, are the CPU's, whose numbers were held to gguf-py's; and the layer takes the file's
// bytes. Gemma's layer has its values with more bits than its queries and keys, so one weight has two storages.
func TestEmulatedGGUF(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	for name, path := range map[string]func(testing.TB) string{"SmolLM2": sharedtest.SmolLM2, "Gemma 3": sharedtest.Gemma3} {
		t.Run(name, func(t *testing.T) {
			f, err := weights.Open(path(t))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			d, _ := cuda.Emulated(t, emulator.H100, engine.BFloat16)
			host, err := cpu.New()
			if err != nil {
				t.Fatal(err)
			}
			defer host.Close()
			seen := map[engine.Storage]bool{}
			for _, names := range [][]string{
				{"token_embd"}, {"blk.0.attn_q", "blk.0.attn_k", "blk.0.attn_v"}, {"blk.0.attn_output"}, {"blk.0.ffn_gate", "blk.0.ffn_up"}, {"blk.0.ffn_down"},
			} {
				var parts []engine.Stored
				rows, bytes := 0, int64(0)
				for _, n := range names {
					x, err := f.Tensor(n + ".weight")
					if err != nil {
						t.Fatal(err)
					}
					s, err := f.Weight(n+".weight", x.Shape()[0], x.Shape()[1])
					if err != nil {
						t.Fatal(err)
					}
					p := someRows{s, min(s.Rows(), 160)}
					parts, rows, bytes = append(parts, p), rows+p.rows, bytes+int64(p.rows*len(p.RawRow(0)))
					seen[s.Storage()] = true
				}
				sameProducts(t, names[0], d, host, parts, rows, bytes)
			}
			t.Logf("storages: %v", seen)
		})
	}
}

// sameProducts multiplies three rows by a weight of these parts on both devices. The card's numbers of x are the host's.
func sameProducts(t *testing.T, name string, d, host engine.Device, parts []engine.Stored, rows int, bytes int64) {
	t.Helper()
	const m = 3
	cols := parts[0].Cols()
	rng, x := rand.New(rand.NewPCG(1, 2)), make([]float32, m*cols)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	var got [2][]float32
	for i, on := range []engine.Device{d, host} {
		w, err := on.LoadWeight(parts, nil)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 && w.Bytes() != bytes {
			t.Errorf("%s: %d bytes on the card, %d in the file", name, w.Bytes(), bytes)
		}
		from, err := on.New(on.Type(), len(x))
		if err != nil {
			t.Fatal(err)
		}
		to, err := on.New(engine.Float32, m*rows)
		if err != nil {
			t.Fatal(err)
		}
		on.Put(from, x)
		on.Get(x, from)
		on.MatMul(to, from, w)
		got[i] = make([]float32, m*rows)
		on.Get(got[i], to)
		if err := on.Sync(); err != nil {
			t.Fatal(err)
		}
		on.Free(from, to)
		on.FreeWeight(w)
	}
	if err := enginetest.Compare(got[0], got[1], m*rows, cols, engine.Float32); err != nil {
		t.Errorf("%s, %s: %v", name, parts[0].Storage(), err)
	}
}

// TestEmulatedPackedShape: a card of any type has the numbers of a shape's random codes, not others of the same seed.
func TestEmulatedPackedShape(t *testing.T) {
	for _, kind := range []engine.Type{engine.Float32, engine.BFloat16} {
		d, _ := cuda.Emulated(t, emulator.H100, kind)
		for _, storage := range []string{"q8_0", "fp8"} {
			files, err := models.OpenShape("tiny,storage=" + storage)
			if err != nil {
				t.Fatal(err)
			}
			s, err := files.Source.Tensor(models.Down, 0, -1, 64, 128)
			if err != nil {
				t.Fatal(err)
			}
			w, err := d.LoadWeight([]engine.Stored{s}, nil)
			if err != nil {
				t.Fatal(err)
			}
			ids, err := d.New(engine.Int32, 1)
			if err != nil {
				t.Fatal(err)
			}
			row, err := d.New(kind, 128)
			if err != nil {
				t.Fatal(err)
			}
			d.PutInts(ids, []int32{63})
			d.Embed(row, w, ids, 1)
			got, want := make([]float32, 128), make([]float32, 128)
			d.Get(got, row)
			if err := d.Sync(); err != nil {
				t.Fatal(err)
			}
			s.ReadRow(63, want)
			if err := enginetest.Compare(got, want, 128, 0, kind); err != nil {
				t.Errorf("%s on a device of %v: %v", storage, kind, err)
			}
			d.Free(ids, row)
			d.FreeWeight(w)
		}
	}
}
