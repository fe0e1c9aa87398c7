// Package modeltest holds a device, with the models built on it, against what
// the originals computed: the reference checkpoints (transformers and the
// authors' own SnapKV code) and a real small model. Tests skip without these
// data and take whatever cases they find.
package modeltest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

type golden struct {
	Length   int                      `json:"length"`
	Variants map[string]goldenVariant `json:"variants"`
}

type goldenVariant struct {
	Capacity int    `json:"capacity"`
	Window   int    `json:"window"`
	Kernel   int    `json:"kernel"`
	Pooling  string `json:"pooling"`
	GQA      string `json:"gqa"`
	Kept     int    `json:"kept"`
	Heads    int    `json:"heads"`
}

// Goldens holds every checkpoint of the reference data against a device: hidden
// states, q, k, v and logits of the prompt within tolerance; for every variant
// the kept positions (ties as SNAPKV's own code leaves them: whatever is kept
// scores at least what is dropped, and the sets differ only inside one tied
// value); and, decoding from the recorded positions, the tokens and logits.
// near is how close two scores, relatively, may lie to count as tied: 0 for
// float32.
func Goldens(t *testing.T, d engine.Device, tolerance, near float64) {
	paths, _ := filepath.Glob(filepath.Join(sharedtest.Path(t, "goldens"), "*", "golden.safetensors"))
	if len(paths) == 0 {
		t.Fatal("no checkpoints in the folder of reference checkpoints")
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			checkGolden(t, d, filepath.Dir(path), tolerance, near)
		})
	}
}

func checkGolden(t *testing.T, d engine.Device, dir string, tolerance, near float64) {
	vectors, err := weights.Open(filepath.Join(dir, "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer vectors.Close()
	var g golden
	data, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := models.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	before := d.Memory().InUse
	m, err := models.Load(d, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		m.Close()
		if after := d.Memory().InUse; after != before {
			t.Errorf("%d bytes are still held after everything was given back", after-before)
		}
	}()
	c := checker{t: t, d: d, m: m, vectors: vectors, golden: g, tolerance: tolerance, near: near}
	c.ids = c.ints("input_ids")
	c.forward()
	names := make([]string, 0, len(g.Variants))
	for name := range g.Variants {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			c := c
			c.t = t
			c.variant(name)
		})
	}
}

type checker struct {
	t         *testing.T
	d         engine.Device
	m         *models.Model
	vectors   *weights.File
	golden    golden
	ids       []int32
	tolerance float64
	near      float64
}

func (c *checker) floats(name string) []float32 {
	c.t.Helper()
	v, err := c.vectors.Tensor(name)
	if err == nil {
		var f []float32
		if f, err = v.Floats(); err == nil {
			return f
		}
	}
	c.t.Fatal(err)
	return nil
}

func (c *checker) ints(name string) []int32 {
	c.t.Helper()
	v, err := c.vectors.Tensor(name)
	if err == nil {
		var n []int32
		if n, err = v.Ints(); err == nil {
			return n
		}
	}
	c.t.Fatal(err)
	return nil
}

// near reports the largest difference and fails above the tolerance.
func (c *checker) close(what string, got, want []float32) {
	c.t.Helper()
	if len(got) != len(want) {
		c.t.Errorf("%s: %d numbers, want %d", what, len(got), len(want))
		return
	}
	worst, at := 0.0, 0
	for i := range got {
		diff := math.Abs(float64(got[i]) - float64(want[i]))
		if !(diff <= worst) {
			worst, at = diff, i
		}
	}
	if !(worst <= c.tolerance) {
		c.t.Errorf("%s: differs by %g at %d (%g, want %g), tolerance %g", what, worst, at, got[at], want[at], c.tolerance)
	}
}

func (c *checker) read(a engine.Array) []float32 {
	out := make([]float32, a.Len)
	c.d.Get(out, a)
	return out
}

func (c *checker) forward() {
	n := len(c.ids)
	p := models.Prompt{IDs: c.ids}
	rows := map[string][]float32{}
	p.Trace = func(name string, layer, start int, a engine.Array) {
		key := fmt.Sprintf("%s.%d", name, layer)
		if name == "logits" {
			key = name
		}
		rows[key] = append(rows[key], c.read(a)...)
	}
	p.TraceKV = func(layer int, kv engine.KV) {
		c.close(fmt.Sprintf("k.%d", layer), c.read(kv.K), c.floats(fmt.Sprintf("k.%d", layer)))
		c.close(fmt.Sprintf("v.%d", layer), c.read(kv.V), c.floats(fmt.Sprintf("v.%d", layer)))
	}
	done, err := c.m.Prefill(context.Background(), p)
	if err != nil {
		c.t.Fatal(err)
	}
	done.Free()
	for key, got := range rows {
		if key[0] == 'q' {
			got = headsFirst(got, n, c.m.Heads)
		}
		c.close(key, got, c.floats(key))
	}
	// Without a trace the last layer computes only what is needed.
	plain, err := c.m.Prefill(context.Background(), models.Prompt{IDs: c.ids})
	if err != nil {
		c.t.Fatal(err)
	}
	plain.Free()
	all := c.floats("logits")
	c.close("last logits", plain.Logits, all[len(all)-c.m.Vocab:])
}

// headsFirst turns (n, heads, d) into (heads, n, d).
func headsFirst(q []float32, n int, h engine.Heads) []float32 {
	out := make([]float32, 0, len(q))
	for a := range h.Query {
		for i := range n {
			at := (i*h.Query + a) * h.Size
			out = append(out, q[at:at+h.Size]...)
		}
	}
	return out
}

var poolings = map[string]string{"avgpool": "avg", "maxpool": "max"}

func (c *checker) variant(name string) {
	g := c.golden.Variants[name]
	n := len(c.ids)
	v := compress.Full
	hasKeep := c.vectors.Has(name + ".keep.0")
	if name != "full" {
		var err error
		v, err = compress.Parse(fmt.Sprintf("snapkv(cap=%d,w=%d,k=%d,pool=%s,gqa=%s)", g.Capacity, g.Window, g.Kernel, poolings[g.Pooling], g.GQA))
		if err != nil {
			c.t.Fatal(err)
		}
	}
	p := models.Prompt{IDs: c.ids, Variants: []compress.Variant{v}, Room: 12}
	if hasKeep {
		scores := make([][][]float32, c.m.Layers)
		if n > g.Capacity {
			scores = c.ownScores(v)
		} else {
			for l := range scores {
				scores[l] = make([][]float32, g.Heads)
			}
		}
		own, err := c.m.Prefill(context.Background(), p)
		if err != nil {
			c.t.Fatal(err)
		}
		recorded := make([][][]int32, c.m.Layers)
		for l := range recorded {
			keep := c.ints(fmt.Sprintf("%s.keep.%d", name, l))
			heads := len(keep) / g.Kept
			cache := own.Sequences[0].Caches[l]
			if len(cache.Len) != heads {
				c.t.Fatalf("layer %d: %d cache heads, want %d", l, len(cache.Len), heads)
			}
			for h := range heads {
				want := keep[h*g.Kept : (h+1)*g.Kept]
				recorded[l] = append(recorded[l], want)
				got := make([]int32, cache.Len[h])
				if cache.Positions.Len > 0 {
					c.d.GetInts(got, cache.Positions.Slice(cache.Start[h], cache.Start[h]+cache.Len[h]))
				} else {
					for i := range got {
						got[i] = int32(i)
					}
				}
				if err := sameChoice(got, want, scores[l][h], n, c.near); err != nil {
					c.t.Errorf("layer %d, head %d: %v", l, h, err)
				}
			}
		}
		own.Free()
		p.Recorded = [][][][]int32{recorded}
	}
	done, err := c.m.Prefill(context.Background(), p)
	if err != nil {
		c.t.Fatal(err)
	}
	defer done.Free()
	tokens, logits := c.ints(name+".decode_tokens"), c.floats(name+".decode_logits")
	if got := models.Greedy(done.Logits); got != tokens[0] {
		c.t.Fatalf("first token %d, want %d", got, tokens[0])
	}
	b, err := c.m.NewDecoder(done.Sequences)
	if err != nil {
		c.t.Fatal(err)
	}
	defer b.Close()
	row := make([]float32, c.m.Vocab)
	for i, token := range tokens {
		next, err := b.Step([]int32{token})
		if err != nil {
			c.t.Fatal(err)
		}
		b.Logits(0, row)
		c.close(fmt.Sprintf("decode_logits[%d]", i), row, logits[i*c.m.Vocab:(i+1)*c.m.Vocab])
		if i+1 < len(tokens) && next[0] != tokens[i+1] {
			c.t.Errorf("token %d is %d, want %d", i+1, next[0], tokens[i+1])
		}
	}
}

// ownScores returns the pooled scores that the variant's choice rests on, by
// layer and cache head, in the device's float32.
func (c *checker) ownScores(v compress.Variant) [][][]float32 {
	scores := make([][][]float32, c.m.Layers)
	spy := &spy{Device: c.d}
	spy.seen = func(s []engine.Selection) {
		if len(s) == 0 {
			return
		}
		m := s[0].Scores.Len / s[0].Rows
		all := c.read(s[0].Scores)
		var rows [][]float32
		for r := range s[0].Rows {
			rows = append(rows, all[r*m:(r+1)*m])
		}
		scores[spy.layer] = rows
	}
	p := models.Prompt{IDs: c.ids}
	n := len(c.ids)
	w := v.Needs(c.m.Layers, n).Window
	held, err := c.d.New(c.d.Type(), w*c.m.QueryWidth())
	if err != nil {
		c.t.Fatal(err)
	}
	defer c.d.Free(held)
	p.Trace = func(name string, layer, start int, a engine.Array) {
		if name != "q" {
			return
		}
		width := c.m.QueryWidth()
		rows := a.Len / width
		lo := max(start, n-w)
		if lo < start+rows {
			c.d.Copy(held.Slice((lo-n+w)*width, (start+rows-n+w)*width), a.Slice((lo-start)*width, rows*width))
		}
	}
	p.TraceKV = func(layer int, kv engine.KV) {
		spy.layer = layer
		l := compress.Layer{Index: layer, Layers: c.m.Layers, Tokens: n, Heads: c.m.Heads}
		choice, err := compress.Choose(spy, compress.Source{KV: kv, Queries: held, Scale: float32(1 / math.Sqrt(float64(c.m.Heads.Size)))}, l, []compress.Variant{v})
		if err != nil {
			c.t.Fatal(err)
		}
		choice.Free()
	}
	done, err := c.m.Prefill(context.Background(), p)
	if err != nil {
		c.t.Fatal(err)
	}
	done.Free()
	return scores
}

// spy sees the selections a choice makes.
type spy struct {
	engine.Device
	layer int
	seen  func([]engine.Selection)
}

func (s *spy) Select(selections []engine.Selection) {
	s.Device.Select(selections)
	s.seen(selections)
}

// sameChoice compares two sets of positions by the scores of the positions
// before the window: they may differ only among scores equal to the cut.
func sameChoice(got, want []int32, scores []float32, n int, near float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d positions, want %d", len(got), len(want))
	}
	if scores == nil {
		return nil // everything is kept
	}
	in := map[int32]bool{}
	last := int32(-1)
	for _, p := range got {
		if p <= last || int(p) >= n {
			return fmt.Errorf("position %d after %d of %d: not ascending", p, last, n)
		}
		last = p
		in[p] = true
	}
	cut := math.Inf(1)
	for _, p := range got {
		if int(p) < len(scores) {
			cut = math.Min(cut, float64(scores[p]))
		}
	}
	for p, s := range scores {
		if !in[int32(p)] && !(float64(s) <= cut) {
			return fmt.Errorf("position %d scores %g and is dropped, the cut is at %g", p, s, cut)
		}
	}
	tied := func(p int32) bool {
		return int(p) < len(scores) && math.Abs(float64(scores[p])-cut) <= near*math.Abs(cut)
	}
	for _, p := range want {
		if !in[p] && !tied(p) {
			return fmt.Errorf("position %d is dropped and no tie at the cut", p)
		}
		delete(in, p)
	}
	for p := range in {
		if !tied(p) {
			return fmt.Errorf("position %d is kept and no tie at the cut", p)
		}
	}
	return nil
}
