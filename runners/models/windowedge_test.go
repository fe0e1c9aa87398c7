package models

import (
	"fmt"
	"testing"

	"github.com/snapbench/snapbench/compress"
)

// TestWindowEdges: prompts that end just before a sliding window's length, at it, behind it, and at twice that, read at once or in
// blocks that cut a window anywhere, go on token by token as longer prompts are read, past where their first positions are hidden; also
// with the cache in 16 bits, where every layer slides and where some do.
func TestWindowEdges(t *testing.T) {
	const window, more = 8, 11
	ids := tokens(3*window + more)
	for name, change := range map[string]map[string]any{
		"gemma3_text": {"num_hidden_layers": 4, "sliding_window": window, "sliding_window_pattern": 2},
		"gemma2":      {"sliding_window": window},
		"gpt_oss":     {"sliding_window": window},
		"mistral":     {"sliding_window": window},
		"phi3":        {"sliding_window": window, "original_max_position_embeddings": 4}, // every prompt is longer: one list
	} {
		m, err := tinyFamily(t, name, change)
		if err != nil {
			t.Fatal(err)
		}
		variants, err := compress.ParseAll("full;full+f16;recent(cap=9k);quest(cap=9k);snapkv(cap=9k,w=3)+f16")
		if err != nil {
			t.Fatal(err)
		}
		usual := m.block
		whole := map[int][]float32{} // logits behind the first n tokens
		for n := window - 1; n <= len(ids); n++ {
			p, err := m.Prefill(t.Context(), Prompt{IDs: ids[:n]})
			if err != nil {
				t.Fatal(err)
			}
			whole[n] = p.Logits
		}
		for _, n := range []int{window - 1, window, window + 1, 2*window - 1, 2 * window, 2*window + 1, 3 * window} {
			for _, block := range []int{usual, window + 1, window, window - 1, 3, 1} {
				m.block = block
				if err := goesOn(t, m, ids[:n+more], n, variants, whole); err != nil {
					t.Errorf("%s, %d tokens in blocks of %d: %v", name, n, block, err)
				}
			}
		}
	}
}

func goesOn(t *testing.T, m *Model, ids []int32, n int, variants []compress.Variant, whole map[int][]float32) error {
	t.Helper()
	p, err := m.Prefill(t.Context(), Prompt{IDs: ids[:n], Variants: variants, Room: len(ids) - n})
	if err != nil {
		return err
	}
	defer p.Free()
	if err := nearTo(p.Logits, whole[n]); err != nil {
		return err
	}
	b, err := m.NewDecoder(p.Sequences)
	if err != nil {
		return err
	}
	defer b.Close()
	for at := n; at < len(ids); at++ {
		feed := make([]int32, len(variants))
		for i := range feed {
			feed[i] = ids[at]
		}
		if _, err := b.Step(feed); err != nil {
			return err
		}
		for i, v := range variants {
			row := make([]float32, m.Vocab)
			b.Logits(i, row)
			within := 1.0
			if v.Format() != nil {
				within = 100
			}
			for j := range row {
				if d := float64(row[j] - whole[at+1][j]); !(d <= within*1e-4 && d >= -within*1e-4) {
					return fmt.Errorf("%s behind %d tokens: logit %d is %g, want %g", v, at+1, j, row[j], whole[at+1][j])
				}
			}
		}
	}
	return nil
}
