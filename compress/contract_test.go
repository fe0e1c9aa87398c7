package compress

import (
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
	"github.com/snapbench/snapbench/runners/ref"
)

// What every registered policy is held to; the next one, too.

// Declarations are whole, and what they declare can be written and read.
func TestContractDeclared(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	flags := map[string]string{}
	for _, d := range Definitions() {
		if !name.MatchString(d.Name) || d.Title == "" || d.Help == "" || d.New == nil {
			t.Errorf("policy %q: want a name in small letters, a title, help and New: %+v", d.Name, d)
			continue
		}
		if d.Inner != "" {
			if _, err := Define(d.Inner); err != nil || d.Inner == d.Name {
				t.Errorf("%s is built on %q where none is named: %v", d.Name, d.Inner, err)
			}
		}
		seen := map[string]bool{"cap": true}
		for _, p := range d.Parameters {
			if !name.MatchString(p.Name) || seen[p.Name] || p.Help == "" {
				t.Errorf("%s: parameter %q: want a name of its own, and help", d.Name, p.Name)
			}
			seen[p.Name] = true
			if (p.Kind == Word) != (len(p.Allowed) > 0) {
				t.Errorf("%s: parameter %s is of kind %v and allows %q", d.Name, p.Name, p.Kind, p.Allowed)
			}
			if of, taken := flags[p.Flag]; p.Flag != "" && taken && of != p.Name {
				t.Errorf("%s: --%s sets %s here and %s elsewhere", d.Name, p.Flag, p.Name, of)
			}
			if flags[p.Flag] = p.Name; p.Flag == "policies" || p.Flag == "budgets" || p.Flag == "variants" {
				t.Errorf("%s: --%s is a flag of all policies", d.Name, p.Flag)
			}
		}
		roundTrips(t, d)
	}
}

// roundTrips writes and reads a policy at its defaults, and with a list for each
// parameter in turn.
func roundTrips(t *testing.T, d *Definition) {
	v, err := NewVariant(Call{Name: d.Name}, contractBudget(d, "2k"))
	if err != nil {
		t.Errorf("%s at its defaults: %v", d.Name, err)
		return
	}
	texts := []string{v.String()}
	for _, p := range d.Parameters {
		if text, ok := v.Params()[p.Name]; !ok || text == "" {
			t.Errorf("%s: its parameters %v lack %s", v, v.Params(), p.Name)
		}
		listed, err := NewVariant(Call{Name: d.Name, Arguments: []Setting{{p.Name, p.Default + "|" + p.Default}}}, contractBudget(d, "2k"))
		if err != nil {
			t.Errorf("%s with a list for %s: %v", d.Name, p.Name, err)
			continue
		}
		texts = append(texts, listed.String())
		if listed.CheckLayers(2) != nil || listed.CheckLayers(3) == nil {
			t.Errorf("%s: a list of two serves two layers, no others", listed)
		}
	}
	for _, text := range texts {
		if again, err := Parse(text); err != nil || again.String() != text {
			t.Errorf("%s reads back as %v, %v", text, again, err)
		}
	}
}

func contractBudget(d *Definition, budget string) string {
	if d.Unbudgeted {
		return ""
	}
	return budget
}

// watched is a device that counts numbers copied to the host.
type watched struct {
	*ref.Device
	copied int
}

func (w *watched) Get(dst []float32, src engine.Array) {
	w.copied += len(dst)
	w.Device.Get(dst, src)
}

// prompted is a layer of a prompt with random keys, values and queries.
type prompted struct {
	device *watched
	source Source // with all of the queries
	layer  Layer
}

// promptLayer makes a layer that later positions of the prompt look at unevenly.
func promptLayer(t *testing.T, l Layer) *prompted {
	r := rand.New(rand.NewPCG(uint64(l.Tokens), uint64(l.Index)))
	d, h := &watched{Device: ref.New()}, l.Heads
	array := func(heads int) engine.Array {
		a, err := d.New(engine.Float32, l.Tokens*heads*h.Size)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, a.Len)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		d.Put(a, x)
		return a
	}
	l.Scale = float32(1 / math.Sqrt(float64(h.Size)))
	if l.Cap > 0 {
		var err error
		if l.Sinks, err = d.New(engine.Float32, h.Query); err != nil {
			t.Fatal(err)
		}
		d.Put(l.Sinks, []float32{3, -1, 0, 5}[:h.Query])
	}
	for i := range h.Size / 2 {
		l.Angles = append(l.Angles, float32(math.Pow(10000, -2*float64(i)/float64(h.Size))))
	}
	s := Source{KV: engine.KV{Tokens: l.Tokens, Heads: h.KV, Size: h.Size, K: array(h.KV), V: array(h.KV)}, Queries: array(h.Query), Width: 12}
	var err error
	if s.Columns, err = d.New(engine.Float32, h.Query*l.Tokens); err != nil {
		t.Fatal(err)
	}
	d.Put(s.Columns, make([]float32, s.Columns.Len))
	d.ColumnSums(s.Columns, s.Queries, s.KV, 0, l.Attention)
	if s.Output, err = d.LoadWeight([]engine.Stored{enginetest.Random("output", engine.F32, s.Width, h.Query*h.Size, r)}, nil); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	return &prompted{d, s, l}
}

// chosenOne is what one variant kept, on this side.
type chosenOne struct {
	Kept
	positions [][]int32
	copied    int // numbers that the host has seen on the way
}

// choose lets variants choose together, with what they need and no more at hand.
func (p *prompted) choose(variants ...Variant) ([]chosenOne, error) {
	s, l := p.source, p.layer
	needs := NeedsOf(variants, l)
	held := needs.Held(l.Tokens) * l.Heads.Query * l.Heads.Size
	s.Queries = s.Queries.Slice(s.Queries.Len-held, s.Queries.Len)
	if !needs.Columns {
		s.Columns = engine.Array{}
	}
	if !needs.Output {
		s.Output = nil
	}
	p.device.copied = 0
	c, err := Choose(p.device, s, l, variants)
	if err != nil {
		return nil, err
	}
	defer c.Free()
	copied := p.device.copied
	var list []chosenOne
	for _, k := range c.Kept {
		one := chosenOne{Kept: k, copied: copied}
		at := 0
		for _, length := range k.Len {
			positions := span(0, length)
			if !k.All {
				p.device.GetInts(positions, k.Positions.Slice(at, at+length))
			}
			one.positions = append(one.positions, positions)
			at += length
		}
		list = append(list, one)
	}
	return list, p.device.Sync()
}

// held is what wrong there is in what a variant kept.
func (p *prompted) held(v Variant, k chosenOne) error {
	e, n := v.Expect(p.layer), p.layer.Tokens
	if len(k.positions) != e.Heads {
		return fmt.Errorf("%d cache heads, %d expected", len(k.positions), e.Heads)
	}
	total := 0
	for h, positions := range k.positions {
		total += len(positions)
		if e.PerHead > 0 && len(positions) != e.PerHead {
			return fmt.Errorf("head %d keeps %d positions, %d expected", h, len(positions), e.PerHead)
		}
		last := int32(-1)
		for _, j := range positions {
			if j <= last || int(j) >= n {
				return fmt.Errorf("head %d: position %d follows %d in a prompt of %d", h, j, last, n)
			}
			last = j
		}
		if len(positions) < e.Tail || !slices.Equal(positions[len(positions)-e.Tail:], span(n-e.Tail, n)) {
			return fmt.Errorf("head %d lacks some of the last %d positions: %v", h, e.Tail, positions)
		}
	}
	if total < e.Total-e.Spread || total > e.Most() {
		return fmt.Errorf("%d positions in all heads, %d give or take %d expected", total, e.Total, e.Spread)
	}
	if place := v.Place(p.layer); place < 1 || place > n {
		return fmt.Errorf("decoding goes on at %d behind a prompt of %d", place, n)
	}
	// A few sums that are read back are no copies of the prompt; one that scores in plain
	// Go by the positions alone copies nothing.
	if !k.Host && (k.copied >= n || k.Edit != nil) {
		return fmt.Errorf("host is %t: the host copied %d numbers, and edits keys: %t", k.Host, k.copied, k.Edit != nil)
	}
	return v.Audit(p.layer, k.positions)
}

// contractLayers are grouped and ungrouped heads, prompts of several lengths, and a
// layer whose own window hides most of the prompt, and one with a soft cap and sinks.
var contractLayers = []Layer{
	{Index: 0, Layers: 2, Tokens: 97, Attention: engine.Attention{Heads: engine.Heads{Query: 3, KV: 3, Size: 6}}},
	{Index: 1, Layers: 2, Tokens: 160, Attention: engine.Attention{Heads: engine.Heads{Query: 4, KV: 2, Size: 8}}, Sample: 3},
	{Index: 1, Layers: 4, Tokens: 131, Attention: engine.Attention{Heads: engine.Heads{Query: 4, KV: 1, Size: 8}, Window: 40}},
	{Index: 0, Layers: 3, Tokens: 120, Attention: engine.Attention{Heads: engine.Heads{Query: 4, KV: 2, Size: 8}, Cap: 2}},
	{Index: 2, Layers: 3, Tokens: 1100, Attention: engine.Attention{Heads: engine.Heads{Query: 2, KV: 1, Size: 4}}},
}

// contractVariants are a policy's at its defaults, and with each other word of each
// parameter, that the layer's prompt can serve; the defaults must be among them for
// half of the prompt.
func contractVariants(t *testing.T, d *Definition, l Layer) []Variant {
	calls := []Call{{Name: d.Name}}
	for _, p := range d.Parameters {
		for _, word := range p.Allowed {
			if word != p.Default {
				calls = append(calls, Call{Name: d.Name, Arguments: []Setting{{p.Name, word}}})
			}
		}
	}
	half := fmt.Sprint(l.Tokens / 2)
	budgets := []string{half, "31.7%", "1", fmt.Sprint(l.Tokens - 1), fmt.Sprint(l.Tokens), fmt.Sprint(l.Tokens + 1)}
	if d.Unbudgeted {
		budgets = []string{""}
	}
	var list []Variant
	for i, call := range calls {
		for _, budget := range budgets {
			v, err := NewVariant(call, budget)
			if err == nil {
				err = v.CheckPrompt(l)
			}
			if err == nil {
				list = append(list, v)
			} else if i == 0 && (budget == half || d.Unbudgeted) {
				t.Errorf("%s, %d tokens: %v", call, l.Tokens, err)
			}
		}
	}
	return list
}

// What a policy keeps is what it says it will, the same each time, alone and in
// company; it leaves what prefill left as it was, and says so where the host computed.
func TestContractKeeps(t *testing.T) {
	for _, l := range contractLayers {
		p := promptLayer(t, l)
		before := p.contents(t)
		var all []Variant
		var alone []chosenOne
		for _, d := range Definitions() {
			served := 0
			for _, v := range contractVariants(t, d, p.layer) {
				first, err := p.choose(v)
				if err != nil && (l.Window > 0 && strings.Contains(err.Error(), "sliding window") || l.Cap > 0 && strings.Contains(err.Error(), "does not go with the s")) {
					continue // a policy may refuse such a layer, and says so
				}
				if err != nil {
					t.Errorf("%s, %d tokens: %v", v, l.Tokens, err)
					continue
				}
				if err := p.held(v, first[0]); err != nil {
					t.Errorf("%s, %d tokens: %v", v, l.Tokens, err)
				}
				again, err := p.choose(v)
				if err != nil || !first[0].same(again[0]) {
					t.Errorf("%s, %d tokens: it chooses %v, then %v (%v)", v, l.Tokens, first[0].positions, again[0].positions, err)
				}
				all, alone = append(all, v), append(alone, first[0])
				served++
			}
			if served == 0 && l.Window == 0 && l.Cap == 0 {
				t.Errorf("%s: nothing was held of it on %d tokens", d.Name, l.Tokens)
			}
		}
		t.Logf("%d tokens, %d and %d heads: %d variants", l.Tokens, l.Heads.Query, l.Heads.KV, len(all))
		together, err := p.choose(all...)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range all {
			if !alone[i].same(together[i]) {
				t.Errorf("%s, %d tokens: alone %v, host %t; in company %v, host %t", v, l.Tokens,
					alone[i].positions, alone[i].Host, together[i].positions, together[i].Host)
			}
		}
		if !slices.EqualFunc(before, p.contents(t), slices.Equal[[]float32]) {
			t.Errorf("%d tokens: keys, values, queries or sums are no longer what they were", l.Tokens)
		}
	}
}

// same says whether two choices are equal.
func (k chosenOne) same(other chosenOne) bool {
	return k.Host == other.Host && (k.Edit == nil) == (other.Edit == nil) && k.All == other.All &&
		slices.EqualFunc(k.positions, other.positions, slices.Equal[[]int32])
}

// contents copies what a choice may look at.
func (p *prompted) contents(t *testing.T) [][]float32 {
	var list [][]float32
	for _, a := range []engine.Array{p.source.KV.K, p.source.KV.V, p.source.Queries, p.source.Columns} {
		x := make([]float32, a.Len)
		p.device.Get(x, a)
		list = append(list, x)
	}
	if err := p.device.Sync(); err != nil {
		t.Fatal(err)
	}
	return list
}

// A prompt below the budget is kept whole, in one copy per KV head, and nothing is
// needed for that.
func TestContractWithin(t *testing.T) {
	l := contractLayers[1]
	p := promptLayer(t, l)
	for _, d := range Definitions() {
		if d.Unbudgeted {
			continue
		}
		v, err := NewVariant(Call{Name: d.Name}, fmt.Sprint(l.Tokens+1))
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
			continue
		}
		if needs := v.Needs(p.layer); needs != (Needs{}) {
			t.Errorf("%s needs %+v for a prompt within its budget", v, needs)
		}
		kept, err := p.choose(v)
		if err != nil {
			t.Errorf("%s: %v", v, err)
			continue
		}
		if k := kept[0]; !k.All || k.Host || k.Edit != nil || len(k.Len) != l.Heads.KV || v.Place(p.layer) != l.Tokens || !v.KeepsAll(l.Layers, l.Tokens) {
			t.Errorf("%s on a prompt within its budget: %+v, decoding goes on at %d", v, k.Kept, v.Place(p.layer))
		}
	}
}

// A budget is memory: at its defaults a policy keeps no more than one copy per KV head,
// however many query heads share it.
func TestContractCopies(t *testing.T) {
	l := Layer{Layers: 8, Tokens: 4096, Attention: engine.Attention{Heads: engine.Heads{Query: 32, KV: 8, Size: 128}}}
	for _, d := range Definitions() {
		v, err := NewVariant(Call{Name: d.Name}, contractBudget(d, "25%"))
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
			continue
		}
		share, total := 0.25, 0
		if d.Unbudgeted || v.Reads() { // of one that reads a part the budget is what a step reads
			share = 1
		}
		for l.Index = range l.Layers {
			e := v.Expect(l)
			if total += e.Total; e.Heads != l.Heads.KV {
				t.Errorf("%s: %d cache heads in layer %d for %d KV heads", v, e.Heads, l.Index, l.Heads.KV)
			}
		}
		if full := l.Layers * l.Heads.KV * l.Tokens; float64(total) > 1.001*share*float64(full) {
			t.Errorf("%s keeps %d positions of %d, its budget is a share of %g", v, total, full, share)
		}
	}
}

// An edit of kept keys leaves as many numbers, all of them finite, and is the same
// each time.
func TestContractEdits(t *testing.T) {
	l := contractLayers[0]
	p := promptLayer(t, l)
	edits := 0
	for _, d := range Definitions() {
		for _, v := range contractVariants(t, d, p.layer) {
			kept, err := p.choose(v)
			if err != nil || kept[0].Edit == nil {
				continue // TestContractKeeps says what is wrong
			}
			edits++
			for h, positions := range kept[0].positions {
				var results [2][]float32
				for i := range results {
					keys := make([]float32, len(positions)*l.Heads.Size)
					for j := range keys {
						keys[j] = float32(math.Sin(float64(j + 1)))
					}
					list := slices.Clone(positions)
					if kept[0].Edit(h, keys, list); !slices.Equal(list, positions) {
						t.Errorf("%s changes the positions of head %d", v, h)
					}
					results[i] = keys
				}
				if !slices.Equal(results[0], results[1]) || slices.ContainsFunc(results[0], func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }) {
					t.Errorf("%s: head %d: an edit gives %v, then %v", v, h, results[0], results[1])
				}
			}
		}
	}
	if edits == 0 {
		t.Error("no policy edits keys")
	}
}
