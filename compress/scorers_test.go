package compress

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

func TestScoringPoliciesParse(t *testing.T) {
	for in, want := range map[string]string{
		"h2o(cap=64)":                       "h2o(cap=64,w=32,gqa=kv_head_mean)",
		"observed(cap=64)":                  "observed(cap=64)",
		"knorm(cap=64)":                     "knorm(cap=64,skip=0)",
		"keydiff(cap=64)":                   "keydiff(cap=64)",
		"expected(cap=64,epsilon=1e-2)":     "expected(cap=64,future=512,sinks=4,covariance=on,norms=on,epsilon=0.01)",
		"lagkv(cap=64)":                     "lagkv(cap=64,sinks=4,lag=128,cross=off)",
		"cur(cap=64)":                       "cur(cap=64,sinks=4,leverage=kv_product,block=16)",
		"finch(cap=64)":                     "finch(cap=64,w=32,chunk=0,normalize=on,rerotate=on)",
		"streaming(cap=64)":                 "streaming(cap=64,sinks=4,rerotate=off)",
		"streaming(cap=1,sinks=0)":          "streaming(cap=1,sinks=0,rerotate=off)",
		"knorm(cap=64,skip=2)":              "knorm(cap=64,skip=2)",
		"finch(cap=64,chunk=100,w=8|9)":     "finch(cap=64,w=8|9,chunk=100,normalize=on,rerotate=on)",
		"finch(cap=64,rerotate=off|on)":     "finch(cap=64,w=32,chunk=0,normalize=on,rerotate=off|on)",
		"h2o(cap=64,gqa=query_head,w=1)":    "h2o(cap=64,w=1,gqa=query_head)",
		"cur(cap=9,leverage=key,block=0)":   "cur(cap=9,sinks=4,leverage=key,block=0)",
		"lagkv(cap=9,cross=on,lag=2)":       "lagkv(cap=9,sinks=4,lag=2,cross=on)",
		"expected(cap=5,norms=off|on)":      "expected(cap=5,future=512,sinks=4,covariance=on,norms=off|on,epsilon=0)",
		"streaming(cap=64,rerotate=off|on)": "streaming(cap=64,sinks=4,rerotate=off|on)",
	} {
		if v, err := Parse(in); err != nil || v.String() != want {
			t.Errorf("Parse(%q) = %v, %v; want %s", in, v, err, want)
		}
	}
}

func TestScoringPoliciesRefuse(t *testing.T) {
	for in, want := range map[string]string{
		"h2o(cap=32)":                    "capacity 32 leaves nothing beside the window of 32",
		"h2o(cap=64,w=0)":                `parameter w "0": want a whole number, 1 or more`,
		"h2o(cap=64,gqa=kvpress)":        `parameter gqa "kvpress": have query_head, kv_head_mean, kv_head_max`,
		"observed(cap=64,w=8)":           `policy observed has no parameter "w": have cap`,
		"knorm(cap=64,skip=-1)":          `parameter skip "-1": want a whole number, 0 or more`,
		"keydiff(cap=64,sinks=4)":        `policy keydiff has no parameter "sinks"`,
		"expected(cap=4)":                "capacity 4 leaves nothing beside 4 first and 0 last positions",
		"expected(cap=64,future=0)":      `parameter future "0": want a whole number, 1 or more`,
		"expected(cap=64,covariance=no)": `parameter covariance "no": have on, off`,
		"expected(cap=64,norms=1)":       `parameter norms "1": have on, off`,
		"expected(cap=64,epsilon=-0.1)":  `parameter epsilon "-0.1": want a number from 0 to 1`,
		"expected(cap=64,epsilon=NaN)":   `parameter epsilon "NaN": want a number from 0 to 1`,
		"lagkv(cap=64,lag=1)":            `parameter lag "1": want a whole number, 2 or more`,
		"lagkv(cap=4)":                   "capacity 4 leaves nothing beside 4 first",
		"lagkv(cap=64,cross=yes)":        `parameter cross "yes": have on, off`,
		"cur(cap=64,leverage=random)":    `parameter leverage "random": have kv_product, kv_avg, key, value`,
		"cur(cap=64,block=-1)":           `parameter block "-1": want a whole number, 0 or more`,
		"cur(cap=64,sinks=64)":           "capacity 64 leaves nothing beside 64 first",
		"finch(cap=32)":                  "capacity 32 leaves nothing beside the window of 32",
		"finch(cap=64,chunk=-1)":         `parameter chunk "-1": want a whole number, 0 or more`,
		"finch(cap=64,normalize=maybe)":  `parameter normalize "maybe": have on, off`,
		"finch(cap=64,rerotate=maybe)":   `parameter rerotate "maybe": have on, off`,
		"streaming(cap=4)":               "capacity 4 leaves nothing beside the first 4 positions",
		"streaming(cap=64,rerotate=y)":   `parameter rerotate "y": have on, off`,
	} {
		if v, err := Parse(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, %v; want an error with %q", in, v, err, want)
		}
	}
}

// wave fills a layer with numbers that are all different: a prompt of n tokens.
func wave(t *testing.T, h engine.Heads, n int) (*ref.Device, Source, Layer) {
	d := ref.New()
	array := func(length int, speed float64) engine.Array {
		a, err := d.New(engine.Float32, length)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, length)
		for i := range x {
			x[i] = float32(math.Sin(speed * float64(i+1)))
		}
		d.Put(a, x)
		return a
	}
	kv := engine.KV{Tokens: n, Heads: h.KV, Size: h.Size, K: array(n*h.KV*h.Size, 1.7), V: array(n*h.KV*h.Size, 2.3)}
	angles := make([]float32, h.Size/2)
	for i := range angles {
		angles[i] = 1 / float32(i+1)
	}
	return d, Source{KV: kv, Queries: array(n*h.Query*h.Size, 0.9)},
		Layer{Index: 0, Layers: 1, Tokens: n, Attention: engine.Attention{Heads: h, Scale: float32(1 / math.Sqrt(float64(h.Size)))}, Angles: angles}
}

// choose returns what one variant keeps, by cache head.
func choose(t *testing.T, d engine.Device, s Source, l Layer, text string) (Kept, [][]int32, error) {
	v, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s.Queries = s.Queries.Slice((l.Tokens-v.Needs(l).Held(l.Tokens))*l.Heads.Query*l.Heads.Size, s.Queries.Len)
	c, err := Choose(d, s, l, []Variant{v})
	if err != nil {
		return Kept{}, nil, err
	}
	kept := c.Kept[0]
	var heads [][]int32
	at := 0
	for _, length := range kept.Len {
		p := make([]int32, length)
		d.GetInts(p, kept.Positions.Slice(at, at+length))
		heads = append(heads, p)
		at += length
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	return kept, heads, nil
}

func TestRefusedByLayer(t *testing.T) {
	h := engine.Heads{Query: 4, KV: 2, Size: 4}
	d, s, l := wave(t, h, 40)
	l.Index, l.Layers, l.Window = 3, 4, 16
	for _, text := range []string{"streaming(cap=20,rerotate=on)", "finch(cap=20,w=4)"} {
		if _, _, err := choose(t, d, s, l, text); err == nil || !strings.Contains(err.Error(), "sliding window of 16 in layer 3") {
			t.Errorf("%s in a sliding layer: %v", text, err)
		}
	}
	l.Window = 0
	l.Sinks, _ = d.New(engine.Float32, h.Query)
	if _, _, err := choose(t, d, s, l, "snapkv(cap=20,w=4,gqa=rkv)"); err == nil || !strings.Contains(err.Error(), "gqa=rkv does not go with the sinks of layer 3") {
		t.Errorf("rkv in a layer with sinks: %v", err)
	}
	l.Sinks, l.Cap = engine.Array{}, 50
	if _, _, err := choose(t, d, s, l, "expected(cap=20)"); err == nil || !strings.Contains(err.Error(), "does not go with the soft cap of 50 in layer 3") {
		t.Errorf("expected attention in a layer with a cap: %v", err)
	}
	l.Cap = 0

	// Channel 1 of the second KV head's keys stands still in the block of positions 12 to 19.
	keys := make([]float32, s.KV.K.Len)
	d.Get(keys, s.KV.K)
	still := slices.Clone(keys)
	for j := 12; j < 20; j++ {
		still[(l.Tokens+j)*h.Size+1] = 0.5
	}
	d.Put(s.KV.K, still)
	want := "layer 3, head 1: keys: channel 1 is 0.5 throughout positions 12 to 19"
	if _, _, err := choose(t, d, s, l, "lagkv(cap=20,lag=8)"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("lagkv over a channel that stands still: %v; want %q", err, want)
	}

	clear(still)
	d.Put(s.KV.K, still)
	if _, _, err := choose(t, d, s, l, "cur(cap=20)"); err == nil || !strings.Contains(err.Error(), "layer 3, head 0: leverage kv_product adds up to NaN: keys or values have no length") {
		t.Errorf("cur over keys of no length: %v", err)
	}
	if _, heads, err := choose(t, d, s, l, "keydiff(cap=20)"); err != nil || !slices.Equal(heads[0], span(0, 20)) {
		t.Errorf("keydiff over keys of no length keeps %v, %v: want the first of equals", heads, err)
	}
}

// lost is a device that copies nothing.
type lost struct{ engine.Device }

func (lost) Get([]float32, engine.Array) {}
func (lost) Sync() error                 { return errors.New("the device is lost") }

// A device's failure is the cause of what a policy finds in copies that never came.
func TestFailureComesFirst(t *testing.T) {
	d, s, l := wave(t, engine.Heads{Query: 2, KV: 2, Size: 4}, 40)
	if _, _, err := choose(t, lost{d}, s, l, "lagkv(cap=20,lag=8)"); err == nil || err.Error() != "the device is lost" {
		t.Errorf("%v", err)
	}
}

// Decoding goes on at one position: layers that would not agree on it are refused.
func TestPlacesDisagree(t *testing.T) {
	l := Layer{Layers: 2, Tokens: 100, Attention: engine.Attention{Heads: engine.Heads{Query: 2, KV: 2, Size: 4}}}
	for text, ok := range map[string]bool{
		"streaming(cap=20|30,rerotate=on)":   false,
		"streaming(cap=20,rerotate=on|off)":  false,
		"streaming(cap=20|120,rerotate=on)":  false,
		"streaming(cap=20|30,rerotate=off)":  true,
		"streaming(cap=20|20,rerotate=on)":   true,
		"streaming(cap=200|120,rerotate=on)": true,
	} {
		v, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.CheckPrompt(l); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "decoding would go on at position") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]int{"streaming(cap=20)": 100, "streaming(cap=20,rerotate=on)": 20, "streaming(cap=120,rerotate=on)": 100,
		"finch(cap=40)": 40, "finch(cap=40,rerotate=off)": 100, "finch(cap=60%,w=8,chunk=30)": 18*3 + 6} {
		if v, err := Parse(text); err != nil || v.Place(l) != want {
			t.Errorf("%s: decoding goes on at %d (%v), want %d", text, v.Place(l), err, want)
		}
	}
}

// What a cache must hold is what is kept, also where chunks drop positions of the
// window.
func TestFinchChunks(t *testing.T) {
	d, s, l := wave(t, engine.Heads{Query: 4, KV: 2, Size: 4}, 50)
	for text, want := range map[string]Expectation{
		"finch(cap=50%,w=4,chunk=0)":  {Heads: 2, PerHead: 25, Total: 50, Tail: 4},
		"finch(cap=50%,w=4,chunk=20)": {Heads: 2, PerHead: 25, Total: 50, Tail: 4},
		"finch(cap=50%,w=7,chunk=20)": {Heads: 2, PerHead: 25, Total: 50},              // 5 of the last 10, 7 asked
		"finch(cap=50%,w=8,chunk=24)": {Heads: 2, PerHead: 25, Total: 50},              // 1 of the last 2
		"finch(cap=20,w=4,chunk=16)":  {Heads: 2, PerHead: 6*3 + 1, Total: 38},         // a share of 40 %; 1 of the last 2, at least
		"finch(cap=49,w=3,chunk=49)":  {Heads: 2, PerHead: 48 + 1, Total: 98, Tail: 3}, // all of the last 1, then 2 before it
	} {
		v, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Expect(l); got != want {
			t.Errorf("%s: expects %+v, want %+v", text, got, want)
		}
		kept, heads, err := choose(t, d, s, l, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if kept.Edit == nil {
			t.Errorf("%s: keys are not turned", text)
		}
		for h, p := range heads {
			if len(p) != want.PerHead || !slices.IsSorted(p) || !slices.Equal(p[len(p)-want.Tail:], span(50-want.Tail, 50)) {
				t.Errorf("%s: head %d keeps %v, want %d and the last %d", text, h, p, want.PerHead, want.Tail)
			}
		}
	}
	v, err := Parse("finch(cap=50%,w=8,chunk=16)")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.CheckPrompt(l); err == nil || !strings.Contains(err.Error(), "chunk 16 keeps 8 positions, which leaves nothing beside the window of 8") {
		t.Errorf("a chunk that its window fills: %v", err)
	}
}

// With a window of one query its factor changes no order: both forms keep the same,
// also where the model's own window hides positions, its cap bends logits, or sinks take a
// share that differs from head to head.
func TestFinchInSlidingLayer(t *testing.T) {
	choices := map[string]bool{}
	for i, sliding := range []int{0, 1, 12, 0, 0} {
		d, s, l := wave(t, engine.Heads{Query: 4, KV: 2, Size: 4}, 40)
		l.Window = sliding
		if i == 3 {
			l.Scale, l.Cap = 8*l.Scale, 0.5
		}
		if i == 4 {
			l.Sinks, _ = d.New(engine.Float32, 4)
			d.Put(l.Sinks, []float32{-5, 6, 6, -5})
		}
		_, plain, err := choose(t, d, s, l, "finch(cap=20,w=1,normalize=off,rerotate=off)")
		if err != nil {
			t.Fatal(err)
		}
		_, counted, err := choose(t, d, s, l, "finch(cap=20,w=1,normalize=on,rerotate=off)")
		if err != nil {
			t.Fatal(err)
		}
		for h := range plain {
			if !slices.Equal(plain[h], counted[h]) {
				t.Errorf("sliding window %d, head %d: %v without counting, %v with it", sliding, h, plain[h], counted[h])
			}
		}
		choices[fmt.Sprint(plain)] = true
	}
	if len(choices) != 5 {
		t.Errorf("5 layers that attend differently make %d choices", len(choices))
	}
}

// A key turned to its new position is the key that the model would have made there.
func TestRerotation(t *testing.T) {
	for _, pairs := range []int{2, 1} { // all of a head, and half of it
		rerotation(t, pairs)
	}
}

func rerotation(t *testing.T, pairs int) {
	d, s, l := wave(t, engine.Heads{Query: 2, KV: 2, Size: 4}, 30)
	l.Angles = l.Angles[:pairs]
	kept, heads, err := choose(t, d, s, l, "streaming(cap=10,sinks=3,rerotate=on)")
	if err != nil {
		t.Fatal(err)
	}
	unturned := []float32{0.3, -0.7, 1.1, 0.4}
	var keys []float32
	for _, p := range heads[0] {
		keys = append(keys, turnedTo(unturned, l.Angles, int(p))...)
	}
	kept.Edit(0, keys, heads[0])
	for i := range heads[0] {
		for c, want := range turnedTo(unturned, l.Angles, i) {
			if got := keys[i*4+c]; math.Abs(float64(got-want)) > 1e-5 {
				t.Errorf("%d pairs: position %d is now %d: channel %d is %g, want %g", pairs, heads[0][i], i, c, got, want)
			}
		}
	}
}

// A rotation of a head's first numbers is a rotation of the whole head, its numbers in
// another order, that leaves the other pairs where they are.
func TestExpectedUnderPartialRotation(t *testing.T) {
	const n, size, pairs = 40, 8, 3
	d, s, l := wave(t, engine.Heads{Query: 4, KV: 2, Size: size}, n)
	l.Angles = l.Angles[:pairs]
	_, partial, err := choose(t, d, s, l, "expected(cap=14,future=9)")
	if err != nil {
		t.Fatal(err)
	}
	order := []int{0, 1, 2, 6, 3, 4, 5, 7}
	reorder := func(a engine.Array) engine.Array {
		from, to := make([]float32, a.Len), make([]float32, a.Len)
		d.Get(from, a)
		for i := range to {
			to[i] = from[i/size*size+order[i%size]]
		}
		out, err := d.New(engine.Float32, a.Len)
		if err != nil {
			t.Fatal(err)
		}
		d.Put(out, to)
		return out
	}
	whole := s
	whole.KV.K, whole.Queries = reorder(s.KV.K), reorder(s.Queries)
	l.Angles = append(slices.Clone(l.Angles), 0)
	_, want, err := choose(t, d, whole, l, "expected(cap=14,future=9)")
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := choose(t, d, s, l, "expected(cap=14,future=9)")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(partial, want) {
		t.Errorf("keeps %v, as a whole rotation %v", partial, want)
	}
	if reflect.DeepEqual(partial, other) {
		t.Error("the pairs' places make no difference: the test shows nothing")
	}
}

func turnedTo(x, angles []float32, position int) []float32 {
	out := slices.Clone(x)
	half := len(angles)
	for i, f := range angles {
		sin, cos := math.Sincos(float64(position) * float64(f))
		a, b := float64(x[i]), float64(x[i+half])
		out[i], out[i+half] = float32(a*cos-b*sin), float32(b*cos+a*sin)
	}
	return out
}

// The first layers of knorm keep everything.
func TestKeyNormSkips(t *testing.T) {
	d, s, l := wave(t, engine.Heads{Query: 2, KV: 2, Size: 4}, 30)
	l.Layers = 3
	v, err := Parse("knorm(cap=10,skip=2)")
	if err != nil {
		t.Fatal(err)
	}
	for layer, want := range []int{30, 30, 10} {
		l.Index = layer
		if e := v.Expect(l); e.PerHead != want {
			t.Errorf("layer %d: %d positions expected, want %d", layer, e.PerHead, want)
		}
		c, err := Choose(d, s, l, []Variant{v})
		if err != nil {
			t.Fatal(err)
		}
		if k := c.Kept[0]; k.All != (want == 30) || k.Len[0] != want {
			t.Errorf("layer %d keeps %d, all: %t", layer, k.Len[0], k.All)
		}
	}
}
