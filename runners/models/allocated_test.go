package models

import (
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// TestHeldIsAllocated: what a row says that its cache holds is what the device gave out for it, to the byte, positions, free
// slots of residuals and the heads' alignment apart: in every format, with heads of unequal length, copies for each query head, policies that free nothing,
// prompts within the budget, sliding layers beside full ones or alone, and states of linear attention.
func TestHeldIsAllocated(t *testing.T) {
	const n = 70
	for name, change := range map[string]map[string]any{
		"llama":        nil,
		"mistral":      {"sliding_window": 9},
		"gemma3_text":  {"num_hidden_layers": 4, "sliding_window": 9, "sliding_window_pattern": 2},
		"gpt_oss":      {"sliding_window": 9},
		"qwen3_5_text": nil,
	} {
		m, err := tinyFamily(t, name, change)
		if err != nil {
			t.Fatal(err)
		}
		d := m.device
		list, err := compress.ParseAll("full;recent(cap=40);snapkv(cap=36,w=4,k=3);snapkv(cap=36,w=4,k=3,gqa=query_head);ada(cap=36,snapkv(w=4,k=3));quest(cap=20);think(w=4);recent(cap=200);recent(cap=bytes:60%)")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range append([]*cacheformat.Format{nil}, cacheformat.All()...) {
			if f != nil && f.Fits(m.Heads.Size) != nil {
				t.Fatalf("%s: heads of %d numbers", f.Name, m.Heads.Size)
			}
			p := Prompt{IDs: tokens(n)}
			for _, v := range list {
				if v = v.In(f).On(m.Shape()); m.CheckPrompt(v, n, 0) == nil { // blocks of 32 take more than 16 bits in heads of 8
					p.Variants = append(p.Variants, v)
				}
			}
			if m.rotaries == nil { // what stays behind a prompt
				first, err := m.Prefill(t.Context(), p)
				if err != nil {
					t.Fatal(err)
				}
				first.Free()
			}
			before := d.Memory().InUse
			done, err := m.Prefill(t.Context(), p)
			if err != nil {
				t.Fatal(err)
			}
			taken, want := d.Memory().InUse-before, int64(0)
			for _, s := range done.Sequences {
				for _, c := range s.Caches {
					want += c.Held(d.Type()) + c.Positions.Bytes()
					if c.Packed != nil {
						want += idle(c)
					}
				}
			}
			if done.Free(); taken != want || len(p.Variants) < len(list)-1 {
				t.Errorf("%s, %s and so on: %d bytes are taken by %d variants, %d are told, with positions", name, p.Variants[0], taken, len(p.Variants), want)
			}
		}
	}
}

// idle are the bytes of a cache in a format that hold no entry: the free slots of residuals, and what heads' runs are filled up by, so
// that the next begins at a multiple of engine.RunAlign.
func idle(c engine.Cache) (bytes int64) {
	f := c.Packed.Format
	for _, n := range c.Len {
		if f.Residual > 0 {
			bytes += int64(f.Residual-n%f.Residual+f.Residual+1-min(n, f.Residual)) * 2 * int64(c.Size)
		}
		keys, values := f.Rooms(n, c.Size)
		bytes += int64(-keys&(engine.RunAlign-1) + -values&(engine.RunAlign-1))
	}
	return bytes
}
