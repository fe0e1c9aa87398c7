package weights

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// TestGoldens: the first hidden states in the reference files are, bit for bit, rows
// of the models' embeddings.
func TestGoldens(t *testing.T) {
	for _, path := range sharedtest.Glob(t, "goldens", "*/golden.safetensors") {
		family := filepath.Base(filepath.Dir(path))
		model, err := Open(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		defer model.Close()
		golden, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer golden.Close()
		embed, err := model.Tensor("model.embed_tokens.weight")
		if err != nil {
			t.Fatal(err)
		}
		ids, err := golden.Tensor("input_ids")
		if err != nil {
			t.Fatal(err)
		}
		idList, err := ids.Ints()
		if err != nil {
			t.Fatal(err)
		}
		hidden, err := golden.Weight("hidden.0", len(idList), embed.Cols())
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range idList {
			if err := sameBits(rowOf(hidden, i), rowOf(embed, int(id))); err != nil {
				t.Errorf("%s: hidden state of token %d: %v", family, i, err)
				break
			}
		}
	}
}

// TestConcurrentReading reads from several goroutines (run with -race).
func TestConcurrentReading(t *testing.T) {
	f, err := Open("testdata/blocks.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, name := range f.Names() {
				x, err := f.Tensor(name)
				if err != nil {
					t.Error(err)
				}
				if x.IsWeight() {
					rowOf(x, 0)
				}
			}
		})
	}
	wg.Wait()
}

// checkTensors checks that tensors which a parser accepted keep its promises.
func checkTensors(t *testing.T, tensors []*Tensor, size int) {
	total := 0
	names := make(map[string]bool)
	for _, x := range tensors {
		total += len(x.Raw())
		if names[x.Name()] {
			t.Fatalf("name %q twice", x.Name())
		}
		names[x.Name()] = true
		elements := 1
		for _, d := range x.Shape() {
			elements *= d
		}
		if x.Rows()*x.Cols() != elements || elements < 0 {
			t.Fatalf("%v as (%d, %d)", x.Shape(), x.Rows(), x.Cols())
		}
		if x.offset+uint64(len(x.Raw())) > uint64(size) {
			t.Fatalf("%q ends at byte %d of %d", x.Name(), x.offset+uint64(len(x.Raw())), size)
		}
		if x.IsWeight() {
			if x.Rows()*x.rowBytes != len(x.Raw()) {
				t.Fatalf("%q: %d rows of %d bytes in %d", x.Name(), x.Rows(), x.rowBytes, len(x.Raw()))
			}
			if x.Rows() > 0 {
				x.ReadRow(0, make([]float32, x.Cols()))
				x.RawRow(x.Rows() - 1)
			}
		}
		x.Ints() // must not panic; an error is fine
	}
	if total > size {
		t.Fatalf("%d bytes of tensors in a file of %d", total, size)
	}
}
