package local

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// shelf is a device that returns the positions it was given.
type shelf struct {
	engine.Device
	held map[int][]int32 // by Array.Len
}

func (s shelf) GetInts(dst []int32, src engine.Array) { copy(dst, s.held[src.Len]) }
func (s shelf) Sync() error                           { return nil }

// shelved is a sequence of layers whose heads all keep the first and last of n positions.
func shelved(layers, heads, kept, n int) (shelf, engine.Sequence) {
	const room = 4
	rows := make([]int32, heads*(kept+room))
	s := engine.Sequence{Position: n}
	c := engine.Cache{Room: room, Size: 8}
	for head := range heads {
		start := head * (kept + room)
		c.Start, c.Len = append(c.Start, start), append(c.Len, kept)
		for i := range kept {
			rows[start+i] = int32(i)
			if i >= kept/2 {
				rows[start+i] = int32(n - kept + i)
			}
		}
	}
	c.Positions = engine.Array{Type: engine.Int32, Len: len(rows)}
	for range layers {
		s.Caches = append(s.Caches, c)
	}
	return shelf{held: map[int][]int32{len(rows): rows}}, s
}

// The error names the first layer that does not hold what the budget says, and the head.
func TestAuditFinds(t *testing.T) {
	const n, kept = 2000, 64
	v := oneVariant(t, "snapkv(cap=64,w=16,k=5)")
	h := engine.Heads{Query: 4, KV: 4, Size: 8}
	for want, change := range map[string]func(rows []int32, s *engine.Sequence){
		"":                                      func([]int32, *engine.Sequence) {},
		"layer 0: head 2: position 5 follows 5": func(rows []int32, s *engine.Sequence) { rows[2*68+4] = 5 },
		"layer 0: head 3: position 2000 of a prompt": func(rows []int32, s *engine.Sequence) { rows[3*68+63] = 2000 },
		"layer 0: head 1: position 1984 of the window": func(rows []int32, s *engine.Sequence) {
			for i := 32; i < 55; i++ {
				rows[68+i]--
			}
		},
		"layer 3: head 1 keeps 63 positions, want 64":     func(rows []int32, s *engine.Sequence) { s.Caches[3].Len = []int{64, 63, 64, 64} },
		"layer 2: 3 cache heads, want 4":                  func(rows []int32, s *engine.Sequence) { s.Caches[2].Len = []int{64, 64, 64} },
		"layer 4: head 0 keeps 64 positions and does not": func(rows []int32, s *engine.Sequence) { s.Caches[4].Positions = engine.Array{} },
		"layer 1: head 0 keeps 1 positions, want 64":      func(rows []int32, s *engine.Sequence) { s.Caches[1].Len = []int{1, 64, 64, 64}; s.Caches[4].Len = nil },
		"layer 0: head 0: position 1 follows 7":           func(rows []int32, s *engine.Sequence) { rows[0] = 7; s.Caches[4].Len = nil },
	} {
		d, s := shelved(6, h.KV, kept, n)
		for _, rows := range d.held {
			change(rows, &s)
		}
		got, positions, err := Audit(d, models.Config{Heads: h, Windows: make([]int, len(s.Caches))}, v, s, n, true)
		var failed *AuditError
		switch {
		case want != "":
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		case err != nil || got != runners.Kept{Min: 64, Max: 64, Mean: 64} || len(positions) != 6 || fmt.Sprint(positions[5][3][:2], positions[5][3][63]) != "[0 1] 1999":
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// A sliding layer beside full ones must hold the last positions of its window, whatever the variant; what is told is of the others.
func TestAuditOfSlidingLayers(t *testing.T) {
	const n, kept = 2000, 64
	v := oneVariant(t, "snapkv(cap=64,w=16,k=5)")
	h := engine.Heads{Query: 4, KV: 4, Size: 8}
	for want, windows := range map[string][]int{
		"": {0, kept / 2, 0},
		"layer 1: head 0 keeps 32 positions, want 33":             {0, kept/2 + 1, 0},
		"layer 1: head 0 keeps 32 positions, want 64":             {0, 0, 0},
		"layer 2: head 0: position 1936 of the window is missing": {0, kept / 2, kept},
		"layer 0: head 0 keeps 64 positions, want 2000":           {n + 1, kept / 2, 0},
		"layer 0: head 0: position 1936 of the window is missing": {kept, kept / 2, 0},
	} {
		d, s := shelved(3, h.KV, kept, n)
		s.Caches[1].Start, s.Caches[1].Len = nil, nil
		for head := range h.KV { // the second half of what the heads hold are the last positions
			s.Caches[1].Start, s.Caches[1].Len = append(s.Caches[1].Start, head*68+kept/2), append(s.Caches[1].Len, kept/2)
		}
		got, positions, err := Audit(d, models.Config{Layers: 3, Heads: h, Windows: windows}, v, s, n, true)
		switch {
		case want != "":
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("windows of %v: %v, want %q", windows, err, want)
			}
		case err != nil || got != runners.Kept{Min: 64, Max: 64, Mean: 64} || len(positions) != 2 || len(positions[1][0]) != 64:
			t.Errorf("%+v, %d layers, %v", got, len(positions), err)
		}
	}
}

// BenchmarkAudit audits 18 variants of a 7B model.
func BenchmarkAudit(b *testing.B) {
	h := engine.Heads{Query: 32, KV: 32, Size: 128}
	type one struct {
		compress.Variant
		shelf
		engine.Sequence
	}
	var all []one
	for range 6 {
		for _, kept := range []int{512, 1024, 2048} {
			v, err := compress.Parse(fmt.Sprintf("snapkv(cap=%d,w=16,k=5)", kept))
			if err != nil {
				b.Fatal(err)
			}
			d, s := shelved(32, h.KV, kept, 16384)
			all = append(all, one{v, d, s})
		}
	}
	for b.Loop() {
		for _, x := range all {
			if _, _, err := Audit(x.shelf, models.Config{Heads: h, Windows: make([]int, len(x.Caches))}, x.Variant, x.Sequence, 16384, false); err != nil {
				b.Fatal(err)
			}
		}
	}
}
