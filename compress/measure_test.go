package compress

import (
	"math"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// opsOn returns what policies ask of a layer, on the reference device.
func opsOn(l Layer) *ops {
	return &ops{device: ref.New(), layer: l, fixed: map[string]engine.Array{}, memo: map[string]Scores{}, highs: map[string]float32{}, chosen: map[string]Kept{}}
}

// TestShare holds the sharing that is done by selections to the definition: what every
// row is sure of, and of all that is left the highest, ties to the first row.
func TestShare(t *testing.T) {
	const rows, m, sinks = 5, 40, 3
	for seed := range uint64(50) {
		scores := make([][]float32, rows)
		for r := range scores {
			scores[r] = make([]float32, m)
			for j := range scores[r] {
				v := engine.RandomValue(seed, uint64(r*m+j), 1)
				scores[r][j] = float32(math.Round(float64(v)*8)) + float32(r*r) // many ties, and rows far above others
			}
		}
		for _, least := range []int{0, 1, 4, 8} {
			count := rows * 8
			o := opsOn(Layer{Tokens: m, Attention: engine.Attention{Heads: engine.Heads{Query: rows, KV: rows, Size: 4}}})
			got := o.Share(o.Compute("given", func() [][]float32 { return scores }), sinks, count, least)
			if want := sharedOut(scores, sinks, count, least); !slices.Equal(got, want) || o.err != nil {
				t.Fatalf("seed %d, each sure of %d: %v, want %v; %v", seed, least, got, want, o.err)
			}
		}
	}
}

func sharedOut(rows [][]float32, sinks, count, least int) []int {
	type candidate struct {
		score float32
		row   int
	}
	counts := make([]int, len(rows))
	var rest []candidate
	for r, row := range rows {
		sorted := slices.Sorted(slices.Values(row[sinks:]))
		slices.Reverse(sorted)
		counts[r] = least
		for _, v := range sorted[least:] {
			rest = append(rest, candidate{v, r})
		}
	}
	slices.SortStableFunc(rest, func(a, b candidate) int { return int(b.score - a.score) })
	for _, c := range rest[:count-least*len(rows)] {
		counts[c.row]++
	}
	return counts
}

// TestFixedOnce: what is the same in all layers is brought to the device once, and lives
// until the prompt is done.
func TestFixedOnce(t *testing.T) {
	d := &brought{Device: ref.New()}
	variants, err := ParseAll("recent(cap=8);streaming(cap=8);random(cap=9,w=2);observed(cap=8)")
	if err != nil {
		t.Fatal(err)
	}
	chooser := NewChooser(d)
	l := Layer{Layers: 3, Tokens: 20, Attention: engine.Attention{Heads: engine.Heads{Query: 4, KV: 2, Size: 4}}}
	columns, _ := d.New(engine.Float32, l.Heads.Query*l.Tokens)
	for l.Index = range 3 {
		c, err := chooser.Choose(Source{Columns: columns}, l, variants)
		if err != nil {
			t.Fatal(err)
		}
		for i, first := range []int32{12, 0} {
			kept := make([]int32, c.Kept[i].Positions.Len)
			if d.GetInts(kept, c.Kept[i].Positions); kept[0] != first || kept[len(kept)-1] != 19 || c.Kept[i].Host {
				t.Errorf("layer %d: %s keeps %v, on the host: %v", l.Index, variants[i], kept, c.Kept[i].Host)
			}
		}
		c.Free()
	}
	if d.ints != 2*16+3*18 || d.floats != 20 {
		t.Errorf("%d positions and %d numbers were brought to the device, want 2 heads of 8 twice, of 9 for each layer, and 20", d.ints, d.floats)
	}
	chooser.Free()
	d.Free(columns)
	if held := d.Memory().InUse; held != 0 {
		t.Errorf("%d bytes are held after the last layer", held)
	}
}

// TestLittleIsRead: of policies that the device has operations for, nothing of the prompt's
// size goes to the host, in however many variants, and none says that it was computed there.
func TestLittleIsRead(t *testing.T) {
	h := engine.Heads{Query: 4, KV: 2, Size: 4}
	ref, s, l := wave(t, h, 400)
	d := &brought{Device: ref}
	s.Columns = ofOnes(t, d, h.Query*l.Tokens)
	var calls []Call
	for _, text := range []string{"full", "recent", "random", "streaming", "snapkv", "pyramid", "ada(alpha=0.9)", "h2o", "observed", "tova", "knorm", "keydiff", "chunk",
		"cur", "pyramid(cur)", "ada(form=factory,cur)", "chunk(chunk=7,cur)", "finch(normalize=off,rerotate=off)", "simlayer(recent=40)"} {
		c, err := ParseCall(text)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, c)
	}
	variants, err := Grid{Policies: calls, Budgets: []string{"full", "40", "80"}}.Variants()
	if err != nil {
		t.Fatal(err)
	}
	held := NeedsOf(variants, l).Held(l.Tokens)
	s.Queries = s.Queries.Slice((l.Tokens-held)*h.Query*h.Size, s.Queries.Len)
	c, err := Choose(d, s, l, variants)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Free()
	for i, k := range c.Kept {
		if k.Host {
			t.Errorf("%s was computed on the host", variants[i])
		}
	}
	// Two of simlayer's parts are at most 44 numbers; others read one or one a head.
	if d.most > 44 {
		t.Errorf("%d scores were read at once", d.most)
	}
	if d.mostInts > h.KV*80 {
		t.Errorf("%d positions were read at once, more than a variant keeps", d.mostInts)
	}
}

func ofOnes(t *testing.T, d engine.Device, n int) engine.Array {
	a, err := d.New(engine.Float32, n)
	if err != nil {
		t.Fatal(err)
	}
	d.Put(a, slices.Repeat([]float32{1}, n))
	return a
}

// brought counts what comes from the host, and how much at most goes back at once.
type brought struct {
	engine.Device
	ints, floats   int
	most, mostInts int
}

func (b *brought) Get(dst []float32, src engine.Array) {
	b.most = max(b.most, len(dst))
	b.Device.Get(dst, src)
}

func (b *brought) GetInts(dst []int32, src engine.Array) {
	b.mostInts = max(b.mostInts, len(dst))
	b.Device.GetInts(dst, src)
}

func (b *brought) PutInts(dst engine.Array, src []int32) {
	b.ints += len(src)
	b.Device.PutInts(dst, src)
}

func (b *brought) Put(dst engine.Array, src []float32) {
	b.floats += len(src)
	b.Device.Put(dst, src)
}

// TestNoLength: a key of no length is at a right angle to all others.
func TestNoLength(t *testing.T) {
	l := Layer{Layers: 1, Tokens: 3, Attention: engine.Attention{Heads: engine.Heads{Query: 1, KV: 1, Size: 2}}}
	o := opsOn(l)
	k, _ := o.device.New(engine.Float32, 6)
	o.device.Put(k, []float32{3, 0, 0, 0, 0, 2})
	o.source.KV = engine.KV{K: k, V: k, Tokens: 3, Heads: 1, Size: 2}
	s, err := keyDiff{}.Score(o, l)
	if err != nil {
		t.Fatal(err)
	}
	got := o.Read(s)[0]
	want := []float32{-float32(math.Sqrt(.5)), 0, -float32(math.Sqrt(.5))}
	for j := range want {
		if !(math.Abs(float64(got[j]-want[j])) < 1e-6) {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}

// TestNeedsCoverTheChoice: no policy has more scores on a device than it says, alone or
// with what else is built on the same scores.
func TestNeedsCoverTheChoice(t *testing.T) {
	h := engine.Heads{Query: 8, KV: 4, Size: 4}
	const n = 600
	var all []Variant
	check := func(variants []Variant) {
		t.Helper()
		d, s, l := wave(t, h, n)
		s.Columns = ofOnes(t, d, h.Query*n)
		var stored output
		for range h.Query * h.Size {
			stored = append(stored, make([]float32, h.Query*h.Size))
		}
		var err error
		if s.Output, err = d.LoadWeight([]engine.Stored{stored}, nil); err != nil {
			t.Fatal(err)
		}
		s.Width = len(stored)
		needs := NeedsOf(variants, l)
		s.Queries = s.Queries.Slice((n-needs.Held(n))*h.Query*h.Size, s.Queries.Len)
		d.ResetPeak()
		before := d.Memory().InUse
		c, err := Choose(d, s, l, variants)
		if err != nil {
			t.Fatalf("%v: %v", variants, err)
		}
		said := 4 * int64(needs.Scores) * n
		if needs.Output {
			said += OutputBytes(d.Type(), n, s.Width, s.Width)
		}
		for _, v := range variants {
			said += 4 * int64(v.Expect(l).Most())
		}
		if took := d.Memory().Peak - before; took > said {
			t.Errorf("%v: %d bytes were taken, %d were said", variants, took, said)
		}
		c.Free()
	}
	for _, d := range Definitions() {
		for _, text := range []string{d.Name, d.Name + "(cap=80)"} {
			v, err := Parse(text)
			if err != nil {
				continue // with a capacity or without
			}
			check([]Variant{v})
			all = append(all, v)
		}
	}
	if len(all) != len(Definitions()) {
		t.Errorf("%d variants of %d policies", len(all), len(Definitions()))
	}
	check(all)
}

// output is a weight in memory.
type output [][]float32

func (output) Name() string                   { return "output" }
func (o output) Rows() int                    { return len(o) }
func (o output) Cols() int                    { return len(o[0]) }
func (output) Storage() engine.Storage        { return engine.F32 }
func (o output) ReadRow(i int, dst []float32) { copy(dst, o[i]) }
func (o output) RawRow(int) []byte            { panic("the reference reads rows") }
