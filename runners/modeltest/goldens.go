// Package modeltest compares a device, with the models built on it, with recorded
// results of the originals: the reference checkpoints (transformers and the
// authors' own SnapKV code) and a real small model. [Goldens], [Policies], [Real]
// and the others are tests that take a device. They skip without the recorded
// data, and run all cases that they find.
package modeltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
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

// Goldens compares a device with every checkpoint of the reference data whose family is known: hidden
// states, q, k, v and logits of the prompt within tolerance; for every variant the
// kept positions; and, decoding from the recorded positions, the tokens and
// logits. Ties may be broken in any way: every kept position must score at least
// as much as every dropped one, and the sets may differ only in tied scores. near
// is the relative difference up to which two scores count as tied.
func Goldens(t *testing.T, d engine.Device, tolerance, near float64) {
	var all compared
	for _, dir := range goldens(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) { all.add(checkGolden(t, d, dir, tolerance, near)) })
	}
	t.Logf("%d checkpoints: %d tensors, %d heads' positions and %d rows of logits compared", all.checkpoints, all.tensors, all.heads, all.logits)
}

// goldens returns the folders of the reference checkpoints whose families are known, or skips the test.
func goldens(t *testing.T) []string {
	t.Helper()
	paths := sharedtest.Glob(t, "goldens", "*/golden.safetensors")
	if more := filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(paths[0]))), "families"); exists(more) {
		paths = append(paths, sharedtest.Glob(t, "families", "*/golden.safetensors")...)
	}
	var known, unknown []string
	for _, path := range paths {
		dir := filepath.Dir(path)
		if _, err := models.ReadConfig(dir); errors.Is(err, models.ErrFamily) {
			unknown = append(unknown, filepath.Base(dir))
			continue
		}
		known = append(known, dir)
	}
	if len(unknown) > 0 {
		t.Logf("%d checkpoints of families that are not supported are left out: %s", len(unknown), strings.Join(unknown, ", "))
	}
	return known
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Golden is Goldens of one checkpoint and some of its variants.
func Golden(t *testing.T, d engine.Device, dir string, tolerance, near float64, variants ...string) {
	c := checkGolden(t, d, dir, tolerance, near, variants...)
	t.Logf("%d tensors, %d heads' positions and %d rows of logits compared", c.tensors, c.heads, c.logits)
}

// checkGolden compares with all variants of a checkpoint where none is named.
func checkGolden(t *testing.T, d engine.Device, dir string, tolerance, near float64, variants ...string) compared {
	c := openGolden(t, d, dir)
	c.tolerance, c.near, c.counts = tolerance, near, &compared{}
	c.forward()
	if len(variants) == 0 {
		variants = c.variants()
	}
	for _, name := range variants {
		t.Run(name, func(t *testing.T) {
			c := *c
			c.t = t
			c.variant(name)
		})
	}
	return *c.counts
}

// openGolden loads a checkpoint and its vectors for the duration of a test. At the
// end it checks that all memory of the device was freed.
func openGolden(t *testing.T, d engine.Device, dir string) *checker {
	vectors, err := weights.Open(filepath.Join(dir, "golden.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { vectors.Close() })
	var g golden
	data, err := os.ReadFile(filepath.Join(dir, "golden.json"))
	if err == nil {
		err = json.Unmarshal(data, &g)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := d.Memory().InUse
	m := Load(t, d, dir)
	t.Cleanup(func() {
		m.Close()
		if after := d.Memory().InUse; after != before {
			t.Errorf("%d bytes are still in use after everything was freed", after-before)
		}
	})
	c := &checker{t: t, d: d, m: m, vectors: vectors, golden: g}
	c.ids = c.ints("input_ids")
	return c
}

// Load loads a model, a path or "shape:NAME", to a device. The caller closes it.
func Load(t *testing.T, d engine.Device, path string) *models.Model {
	t.Helper()
	files := openModel(t, path)
	defer files.Close()
	m, err := models.Load(d, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// openModel opens a model's files, or random weights for "shape:NAME".
func openModel(t *testing.T, path string) *models.Files {
	t.Helper()
	open := models.Open
	if shape, ok := strings.CutPrefix(path, "shape:"); ok {
		path, open = shape, models.OpenShape
	}
	files, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	return files
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
	counts    *compared
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

// close fails if the largest difference is above the tolerance.
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

// variants lists the recorded variants, sorted.
func (c *checker) variants() []string {
	names := make([]string, 0, len(c.golden.Variants))
	for name := range c.golden.Variants {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// pass returns the device's results for the prompt, with the names and layouts of
// the recorded vectors: hidden.L, q.L, k.L, v.L, logits.
func (c *checker) pass() map[string][]float32 {
	rows := map[string][]float32{}
	p := models.Prompt{IDs: c.ids}
	add := func(key string, a engine.Array) { rows[key] = append(rows[key], c.read(a)...) }
	p.Trace.Hidden = func(layer, _ int, x engine.Array) error {
		if layer < c.m.Layers { // what the last one leaves is recorded behind the norm
			add(fmt.Sprintf("hidden.%d", layer), x)
		}
		return nil
	}
	p.Trace.Queries = func(layer, _ int, q engine.Array) { add(fmt.Sprintf("q.%d", layer), q) }
	p.Trace.KV = func(layer int, kv engine.KV) {
		add(fmt.Sprintf("k.%d", layer), kv.K)
		add(fmt.Sprintf("v.%d", layer), kv.V)
	}
	p.Trace.Logits = func(_ int, normed, logits engine.Array) {
		add(fmt.Sprintf("hidden.%d", c.m.Layers), normed)
		add("logits", logits)
	}
	done, err := c.m.Prefill(context.Background(), p)
	if err != nil {
		c.t.Fatal(err)
	}
	done.Free()
	for l := range c.m.Layers {
		if c.m.Linear.Has(l) {
			continue
		}
		key := fmt.Sprintf("q.%d", l)
		rows[key] = headsFirst(rows[key], len(c.ids), c.m.Heads)
	}
	return rows
}

func (c *checker) forward() {
	for key, got := range c.pass() {
		c.close(key, got, c.floats(key))
		c.counts.tensors++
	}
	// Where no logits are traced the last layer computes only the last token.
	plain, err := c.m.Prefill(context.Background(), models.Prompt{IDs: c.ids, Variants: []compress.Variant{compress.Full}})
	if err != nil {
		c.t.Fatal(err)
	}
	c.states(plain.Sequences[0].Caches)
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

// parsed returns a recorded variant as one of ours.
func (c *checker) parsed(name string) compress.Variant {
	if name == "full" {
		return compress.Full
	}
	g := c.golden.Variants[name]
	v, err := compress.Parse(fmt.Sprintf("snapkv(cap=%d,w=%d,k=%d,pool=%s,gqa=%s)", g.Capacity, g.Window, g.Kernel, poolings[g.Pooling], g.GQA))
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// recorded returns a variant's kept positions by layer in which policies choose and cache
// head, nil if none were recorded.
func (c *checker) recorded(name string) [][][]int32 {
	layers := c.m.PolicyLayers()
	if !c.vectors.Has(fmt.Sprintf("%s.keep.%d", name, layers[0])) {
		return nil
	}
	kept := c.golden.Variants[name].Kept
	out := make([][][]int32, len(layers))
	for l := range out {
		keep := c.ints(fmt.Sprintf("%s.keep.%d", name, layers[l]))
		for h := range len(keep) / kept {
			out[l] = append(out[l], keep[h*kept:(h+1)*kept])
		}
	}
	return out
}

// own returns the positions that the device itself keeps, by layer in which policies choose and cache
// head. In the other layers these must be the last ones.
func (c *checker) own(v compress.Variant) [][][]int32 {
	done, err := c.m.Prefill(context.Background(), models.Prompt{IDs: c.ids, Variants: []compress.Variant{v}, Room: 1})
	if err != nil {
		c.t.Fatal(err)
	}
	defer done.Free()
	var chosen [][][]int32
	for l, heads := range positions(c.d, done.Sequences[0].Sequence) {
		if !c.m.Fixed(l) {
			chosen = append(chosen, heads)
			continue
		}
		for h, got := range heads { // none where the layer has linear attention
			if want := lastOf(len(c.ids), c.m.Windows[l]); !slices.Equal(got, want) {
				c.t.Errorf("layer %d, which slides, head %d keeps %v, want %v", l, h, got, want)
			}
		}
	}
	return chosen
}

// lastOf lists the last w of n positions.
func lastOf(n, w int) []int32 {
	var list []int32
	for j := max(0, n-w); j < n; j++ {
		list = append(list, int32(j))
	}
	return list
}

// positions reads the positions in a sequence's caches, by layer and cache head.
func positions(d engine.Device, s engine.Sequence) [][][]int32 {
	var out [][][]int32
	for _, cache := range s.Caches {
		heads := make([][]int32, len(cache.Len))
		for h := range heads {
			heads[h] = make([]int32, cache.Len[h])
			if cache.Positions.Len > 0 {
				d.GetInts(heads[h], cache.Positions.Slice(cache.Start[h], cache.Start[h]+cache.Len[h]))
				continue
			}
			for i := range heads[h] {
				heads[h][i] = int32(i)
			}
		}
		out = append(out, heads)
	}
	return out
}

// decoded decodes 12 steps from the recorded positions, fed the recorded tokens. It
// returns the logits (12, vocab), and the device's choices before the first step and
// after each.
func (c *checker) decoded(name string) (logits []float32, chosen []int32) {
	p := models.Prompt{IDs: c.ids, Variants: []compress.Variant{c.parsed(name)}, Room: 12}
	if recorded := c.recorded(name); recorded != nil {
		p.Variants[0] = compress.Recorded(recorded)
	}
	done, err := c.m.Prefill(context.Background(), p)
	if err != nil {
		c.t.Fatal(err)
	}
	defer done.Free()
	chosen = []int32{models.Greedy(done.Logits)}
	b, err := c.m.NewDecoder(done.Sequences)
	if err != nil {
		c.t.Fatal(err)
	}
	defer b.Close()
	row := make([]float32, c.m.Vocab)
	for _, token := range c.ints(name + ".decode_tokens") {
		next, err := b.Step([]int32{token})
		if err != nil {
			c.t.Fatal(err)
		}
		b.Logits(0, row)
		logits, chosen = append(logits, row...), append(chosen, next[0])
	}
	return logits, chosen
}

func (c *checker) variant(name string) {
	g, n := c.golden.Variants[name], len(c.ids)
	if recorded := c.recorded(name); recorded != nil {
		scores := make([][][]float32, len(recorded))
		if n > g.Capacity {
			scores = c.ownScores(c.parsed(name))
		} else {
			for l := range scores {
				scores[l] = make([][]float32, g.Heads)
			}
		}
		for l, heads := range c.own(c.parsed(name)) {
			if len(heads) != len(recorded[l]) {
				c.t.Fatalf("layer %d: %d cache heads, want %d", l, len(heads), len(recorded[l]))
			}
			for h, got := range heads {
				if err := sameChoice(got, recorded[l][h], scores[l][h], n, c.near); err != nil {
					c.t.Errorf("layer %d, head %d: %v", c.m.PolicyLayers()[l], h, err)
				}
				c.counts.heads++
			}
		}
	}
	tokens, want := c.ints(name+".decode_tokens"), c.floats(name+".decode_logits")
	logits, chosen := c.decoded(name)
	for i, token := range tokens {
		if chosen[i] != token {
			c.t.Errorf("token %d is %d, want %d", i, chosen[i], token)
		}
		lo, hi := i*c.m.Vocab, (i+1)*c.m.Vocab
		c.close(fmt.Sprintf("decode_logits[%d]", i), logits[lo:hi], want[lo:hi])
		c.counts.logits++
	}
}
