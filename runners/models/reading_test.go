package models

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// pages is a second implementation of Quest. read returns the positions that a query reads
// of n keys (n, d), of which it can see those from first on.
type pages struct{ budget, page, recent int }

func (p pages) read(query, keys []float32, first int) []int {
	d := len(query)
	n := len(keys) / d
	start := first - first%p.page
	before := max(start, n-min(p.recent, p.budget))
	score := func(page int) float32 { // the largest product with a vector made of the page's own numbers
		sum := 0.0
		for c, x := range query {
			most := math.Inf(-1)
			for j := start + page*p.page; j < min(start+(page+1)*p.page, before); j++ {
				most = math.Max(most, float64(x)*float64(keys[j*d+c]))
			}
			sum += most
		}
		return float32(sum)
	}
	count := (before - start + p.page - 1) / p.page
	room := p.budget - (n - before)
	pages := (room + p.page - 1) / p.page
	if (before-start)%p.page > 0 {
		pages++
	}
	var out []int
	for j := start; j < before && len(out) < room; j++ {
		better, own := 0, (j-start)/p.page
		for other := range count {
			if s, t := score(other), score(own); s > t || s == t && other < own {
				better++
			}
		}
		if n-start <= p.budget || better < pages {
			out = append(out, j)
		}
	}
	for j := before; j < n; j++ {
		out = append(out, j)
	}
	return slices.DeleteFunc(out, func(j int) bool { return j < first })
}

// gathering is a device on which, in decoding, each query head attends only the positions
// that pages selects, gathered into a cache.
type gathering struct {
	*ref.Device
	pages
	t         *testing.T
	sequences []engine.Sequence
	heads     engine.Heads
	fixed     func(layer int) bool // layers whose window is read whole
	left      int                  // positions that queries could see and did not read
}

func (g *gathering) NewBatch(s []engine.Sequence, h engine.Heads) (engine.Batch, error) {
	g.sequences, g.heads = s, h
	return g.Device.NewBatch(s, h)
}

func (g *gathering) AttendCaches(out, q engine.Array, b engine.Batch, layer int, by engine.Attention) {
	if g.fixed(layer) {
		g.Device.AttendCaches(out, q, b, layer, by)
		return
	}
	h := g.heads
	read := func(a engine.Array) []float32 {
		x := make([]float32, a.Len)
		g.Get(x, a)
		return x
	}
	array := func(x []float32) engine.Array {
		a, err := g.New(engine.Float32, len(x))
		if err != nil {
			g.t.Fatal(err)
		}
		g.Put(a, x)
		return a
	}
	for row, s := range g.sequences {
		c := s.Caches[layer]
		for a := range h.Query {
			head := a / h.Group()
			n := c.Len[head] + b.Steps() + 1
			lo, hi := c.Start[head]*c.Size, (c.Start[head]+n)*c.Size
			keys, values := read(c.K.Slice(lo, hi)), read(c.V.Slice(lo, hi))
			at := (row*h.Query + a) * c.Size
			query := q.Slice(at, at+c.Size)
			first := 0
			if by.Window > 0 {
				first = max(0, n-by.Window)
			}
			positions := g.read(read(query), keys, first)
			var k, v []float32
			for _, j := range positions {
				k, v = append(k, keys[j*c.Size:(j+1)*c.Size]...), append(v, values[j*c.Size:(j+1)*c.Size]...)
			}
			g.left += n - first - len(positions)
			// The query is the last of the gathered positions.
			one := engine.Attention{Heads: engine.Heads{Query: 1, KV: 1, Size: c.Size}, Scale: by.Scale, Cap: by.Cap}
			if by.Sinks.Len > 0 {
				one.Sinks = by.Sinks.Slice(a, a+1)
			}
			g.Attention(out.Slice(at, at+c.Size), query, engine.KV{K: array(k), V: array(v), Tokens: len(positions), Heads: 1, Size: c.Size}, len(positions)-1, one)
		}
	}
}

// TestReadsPages: a step reads the positions that Quest selects for its queries: in every
// family, with and without a sliding window, with whole and short last pages, beside rows
// that read whole caches, and after some rows have ended.
func TestReadsPages(t *testing.T) {
	const n, steps = 23, 8
	ids := tokens(n + steps)
	for _, name := range append(Names(), "llama with caps and sinks") {
		t.Run(name, func(t *testing.T) {
			family, _, bent := strings.Cut(name, " ")
			m, err := tinyFamily(t, family, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range m.layers {
				if by := &m.layers[i].attention; bent {
					by.Cap = 0.5
					if by.Sinks, err = m.device.New(engine.Float32, m.Heads.Query); err != nil {
						t.Fatal(err)
					}
					m.device.Put(by.Sinks, []float32{-1, 4, 0.5, 2, 1, 3, -2, 0}[i:][:m.Heads.Query])
				}
			}
			variants, err := compress.ParseAll("recent(cap=9);quest(cap=7,page=4,recent=2);full")
			if err != nil {
				t.Fatal(err)
			}
			decode := func(of int, rows ...int) [][]float32 {
				p, err := m.Prefill(t.Context(), Prompt{IDs: ids[:n], Variants: variants, Room: steps})
				if err != nil {
					t.Fatal(err)
				}
				defer p.Free()
				if !slices.Equal(p.Host, []bool{false, true, false}) {
					t.Errorf("on the host: %v", p.Host)
				}
				var sequences []Sequence
				for _, row := range rows {
					sequences = append(sequences, p.Sequences[row])
				}
				b, err := m.NewDecoder(sequences)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { b.Close() }()
				var out [][]float32
				for step, id := range ids[n:] {
					if step == steps/2 && len(rows) > 2 {
						next := b.Sequences()[1:]
						b.Close()
						if b, err = m.NewDecoder(next); err != nil {
							t.Fatal(err)
						}
						rows = rows[1:]
					}
					if _, err := b.Step(slices.Repeat([]int32{id}, len(rows))); err != nil {
						t.Fatal(err)
					}
					logits := make([]float32, m.Vocab)
					b.Logits(slices.Index(rows, of), logits)
					out = append(out, logits)
				}
				return out
			}
			got := decode(1, 0, 1, 2)
			full := decode(2, 2)
			judge := &gathering{Device: m.device.(*ref.Device), pages: pages{7, 4, 2}, t: t, fixed: m.Fixed}
			m.device = judge
			want := decode(2, 2)
			m.device = judge.Device
			if judge.left == 0 {
				t.Error("the queries read all that they could see: the test says nothing")
			}
			for step := range want {
				if err := nearTo(want[step], got[step]); err != nil {
					t.Errorf("step %d: %v", step, err)
				}
				if nearTo(full[step], got[step]) == nil {
					t.Errorf("step %d: the full cache's logits", step)
				}
			}
		})
	}
}

// onCard is a device that counts as one with its own memory.
type onCard struct{ engine.Device }

func (onCard) Name() string { return "cuda:0" }

// tinyPrefilled returns a small model and a prompt that it has read under variants, with
// room for five steps.
func tinyPrefilled(t *testing.T, names string) (*Model, []compress.Variant, *Prefilled) {
	t.Helper()
	m, err := tinyFamily(t, "llama", nil)
	if err != nil {
		t.Fatal(err)
	}
	variants, err := compress.ParseAll(names)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Prefill(t.Context(), Prompt{IDs: tokens(30), Variants: variants, Room: 5})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Free)
	return m, variants, p
}

// TestPlanCountsMirrors: a plan counts the copies on the host only if the device uses the
// host's memory.
func TestPlanCountsMirrors(t *testing.T) {
	m, variants, p := tinyPrefilled(t, "full;quest(cap=9)")
	b, err := m.NewDecoder(p.Sequences)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	held := 0
	for range 5 {
		if _, err := b.Step([]int32{1, 1}); err != nil {
			t.Fatal(err)
		}
	}
	for layer := range m.Layers {
		for g := range m.Heads.KV {
			held += 4 * (cap(b.sequences[1].mirror.keys[layer][g]) + cap(b.sequences[1].mirror.values[layer][g]))
		}
	}
	host := m.Plan(variants, 30, 5, false)
	m.device = onCard{m.device}
	card := m.Plan(variants, 30, 5, false)
	if got := host.Caches[1] - host.Caches[0]; got != int64(held) || card.Caches[1] != card.Caches[0] {
		t.Errorf("on the host the plan has %d bytes more than for the full cache, of which decoding takes %d; on a card %d", got, held, card.Caches[1]-card.Caches[0])
	}
}

// TestReadsWhole: a cache with dropped positions cannot have a reader.
func TestReadsWhole(t *testing.T) {
	m, _, p := tinyPrefilled(t, "recent(cap=9);quest(cap=9)")
	mixed := p.Sequences[1]
	mixed.Caches = p.Sequences[0].Caches
	defer func() {
		if said := fmt.Sprint(recover()); said != "models: quest(cap=9,page=16,recent=8) reads layer 0, which does not hold everything" {
			t.Errorf("it says %q", said)
		}
	}()
	m.NewDecoder([]Sequence{mixed})
}
