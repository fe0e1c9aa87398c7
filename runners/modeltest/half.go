package modeltest

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// torchHalf is the error of the same formulas in a half type in torch, compared with
// the float32 vectors. testdata/torch_half.py makes it.
//
//go:embed testdata/torch_half.json
var torchHalf []byte

// figure is three measures of the error of a tensor: the relative error in 2-norms of
// the whole tensor, the largest difference, and the median of the rows' relative errors.
type figure struct{ Whole, Largest, Median float64 }

// UnmarshalJSON reads [whole, largest, median].
func (f *figure) UnmarshalJSON(data []byte) error {
	var n [3]float64
	if err := json.Unmarshal(data, &n); err != nil {
		return err
	}
	*f = figure{n[0], n[1], n[2]}
	return nil
}

// figures of a checkpoint, by quantity: hidden.L, q.L, k.L, v.L, logits,
// VARIANT.scores, VARIANT.decode_logits.
type figures map[string]figure

// allowed is the largest error of a device of a half type, as a multiple of torch's.
const allowed = 2

// Half compares a device of a half type with the reference checkpoints. The error of
// each recorded quantity must be at most twice that of torch in the same type. The
// float32 vectors are the truth.
//
// In a mixture of experts, rounding can send a token to another expert. Such a token
// has a much larger error than rounding alone gives, and which tokens these are is
// chance. So there the median row counts instead of the whole tensor, and quantities
// that are recorded by variant are compared with the worst of torch's variants.
//
// Positions must be those that the reference keeps, given the queries and keys that
// the device computed, except for ties. The test reports how many of them are also
// kept in float32. Tokens are chosen along the recorded answer. They must be the
// recorded ones if float32's margin is larger than twice the allowed error, taken from
// torch's largest difference, could overcome.
func Half(t *testing.T, d engine.Device) {
	for _, dir := range goldens(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			torch := torchFigures(t, filepath.Base(dir), d.Type())
			c := openGolden(t, d, dir)
			pass := c.pass()
			errors, chosen := c.halfErrors(pass)
			for _, e := range exceeding(errors, torch, c.m.Experts > 0, t.Logf) {
				t.Error(e)
			}
			if c.m.Experts > 0 {
				torch = torch.worst()
			}
			for _, name := range c.variants() {
				c.halfChoice(name, pass)
				c.halfTokens(name, chosen[name], torch[name+".decode_logits"].Largest)
			}
		})
	}
}

func torchFigures(t *testing.T, checkpoint string, kind engine.Type) figures {
	t.Helper()
	var all struct {
		Checkpoints map[string]map[string]figures
	}
	if err := json.Unmarshal(torchHalf, &all); err != nil {
		t.Fatal(err)
	}
	f := all.Checkpoints[checkpoint][kind.String()]
	if len(f) == 0 {
		t.Skipf("torch's %v was not measured for this checkpoint: testdata/torch_half.py does", kind)
	}
	return f
}

func sorted[T any](m map[string]T) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// worst replaces the figures of each quantity that is recorded by variant by the
// largest of all variants.
func (f figures) worst() figures {
	top := figures{}
	for what, e := range f {
		if _, kind, ok := strings.Cut(what, "."); ok && !digits(kind) {
			t := top[kind]
			top[kind] = figure{max(t.Whole, e.Whole), max(t.Largest, e.Largest), max(t.Median, e.Median)}
		}
	}
	out := figures{}
	for what, e := range f {
		out[what] = e
		if _, kind, ok := strings.Cut(what, "."); ok && !digits(kind) {
			out[what] = top[kind]
		}
	}
	return out
}

// digits reports whether s, the part after the dot, is a layer, not a variant's quantity.
func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// exceeding lists the quantities with a larger error than torch's allows, and those that
// only one of the two has. It logs every quantity.
func exceeding(got, torch figures, mixture bool, log func(format string, args ...any)) []string {
	var out []string
	bound, of := torch, func(f figure) float64 { return f.Whole }
	if mixture {
		bound, of = torch.worst(), func(f figure) float64 { return f.Median }
	}
	for _, what := range sorted(torch) {
		g, ok := got[what]
		if !ok {
			out = append(out, what+" was not computed")
			continue
		}
		log("%-42s whole %.3g, torch %.3g; median row %.3g, torch %.3g; %.2f of the bound",
			what, g.Whole, torch[what].Whole, g.Median, torch[what].Median, of(g)/(allowed*of(bound[what])))
		if !(of(g) <= allowed*of(bound[what])) {
			out = append(out, fmt.Sprintf("%s is off by %.4g, torch by %.4g: more than %d times", what, of(g), of(bound[what]), allowed))
		}
	}
	for _, what := range sorted(got) {
		if _, ok := torch[what]; !ok {
			out = append(out, what+" has no figure of torch's")
		}
	}
	return out
}

// errorOf compares rows of width numbers with the truth.
func errorOf(t *testing.T, what string, got, want []float32, width int) figure {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 || len(want)%width != 0 {
		t.Fatalf("%s: %d numbers in rows of %d, want %d", what, len(got), width, len(want))
	}
	off, all, f := 0.0, 0.0, figure{}
	var rows []float64
	for lo := 0; lo < len(want); lo += width {
		rowOff, rowAll := 0.0, 0.0
		for i := lo; i < lo+width; i++ {
			diff := float64(got[i]) - float64(want[i])
			rowOff += diff * diff
			rowAll += float64(want[i]) * float64(want[i])
			f.Largest = max(f.Largest, math.Abs(diff)) // NaN if any diff is
		}
		off, all = off+rowOff, all+rowAll
		rows = append(rows, math.Sqrt(rowOff/rowAll))
	}
	sort.Float64s(rows) // NaN first
	f.Whole, f.Median = math.Sqrt(off/all), (rows[len(rows)/2]+rows[(len(rows)-1)/2])/2
	if f.Whole != f.Whole {
		f.Median = f.Whole
	}
	return f
}

// halfErrors returns the device's figures, and its choices along each variant's recorded
// answer. pass is the device's results for the prompt.
func (c *checker) halfErrors(pass map[string][]float32) (out figures, chosen map[string][]int32) {
	out, chosen = figures{}, map[string][]int32{}
	truth := map[string][]float32{}
	for what, got := range pass {
		width := c.m.Heads.Size
		if what == "logits" {
			width = c.m.Vocab
		} else if strings.HasPrefix(what, "hidden") {
			width = c.m.Width
		}
		truth[what] = c.floats(what)
		out[what] = errorOf(c.t, what, got, truth[what], width)
	}
	for _, name := range c.variants() {
		if v := c.parsed(name); !v.KeepsAll(len(c.m.PolicyLayers()), len(c.ids)) {
			want, _ := c.judged(truth, v)
			what := name + ".scores"
			out[what] = errorOf(c.t, what, flat(c.ownScores(v)), flat(want), len(want[0][0]))
		}
		what := name + ".decode_logits"
		logits, tokens := c.decoded(name)
		chosen[name] = tokens
		out[what] = errorOf(c.t, what, logits, c.floats(what), c.m.Vocab)
	}
	return out, chosen
}

func flat(rows [][][]float32) []float32 {
	var out []float32
	for _, layer := range rows {
		for _, row := range layer {
			out = append(out, row...)
		}
	}
	return out
}

// judged lets the reference score and choose from given q.L (query heads, n, d) and
// k.L (KV heads, n, d). It returns scores and kept positions by layer in which
// policies choose and cache head.
func (c *checker) judged(pass map[string][]float32, v compress.Variant) ([][][]float32, [][][]int32) {
	n, h := len(c.ids), c.m.Heads
	place := c.m.PolicyPlace(n, 0)
	w := v.Needs(place).Window
	var scores [][][]float32
	var kept [][][]int32
	for i, l := range c.m.PolicyLayers() {
		d := &spy{Device: ref.New(), layer: i}
		d.seen = func(s []engine.Selection) { scores = append(scores, rowsOf(d, s[0])) }
		put := func(values []float32) engine.Array {
			a, _ := d.New(engine.Float32, len(values))
			d.Put(a, values)
			return a
		}
		q := pass[fmt.Sprintf("q.%d", l)]
		last := make([]float32, 0, w*h.Query*h.Size)
		for i := n - w; i < n; i++ {
			for a := range h.Query {
				last = append(last, q[(a*n+i)*h.Size:(a*n+i+1)*h.Size]...)
			}
		}
		keys := put(pass[fmt.Sprintf("k.%d", l)])
		s := compress.Source{
			KV:      engine.KV{K: keys, V: keys, Tokens: n, Heads: h.KV, Size: h.Size}, // the choice does not depend on values
			Queries: put(last),
		}
		place.Index, place.Attention = i, c.m.Attention(l)
		if sinks := place.Attention.Sinks; sinks.Len > 0 { // the model's device has them
			place.Attention.Sinks = put(c.read(sinks))
		}
		choice, err := compress.Choose(d, s, place, []compress.Variant{v})
		if err != nil {
			c.t.Fatal(err)
		}
		var heads [][]int32
		at := 0
		for _, count := range choice.Kept[0].Len {
			head := make([]int32, count)
			d.GetInts(head, choice.Kept[0].Positions.Slice(at, at+count))
			heads, at = append(heads, head), at+count
		}
		kept = append(kept, heads)
		choice.Free()
	}
	return scores, kept
}

// halfChoice compares the positions that the device keeps with those that the reference
// keeps, given the same queries and keys.
func (c *checker) halfChoice(name string, pass map[string][]float32) {
	v, n := c.parsed(name), len(c.ids)
	if v.KeepsAll(len(c.m.PolicyLayers()), n) {
		return
	}
	scores, want := c.judged(pass, v)
	recorded := c.recorded(name)
	equal, all := 0, 0
	for l, heads := range c.own(v) {
		if len(heads) != len(want[l]) {
			c.t.Fatalf("%s, layer %d: %d cache heads, want %d", name, l, len(heads), len(want[l]))
		}
		for h, got := range heads {
			if err := sameChoice(got, want[l][h], scores[l][h], n, scoreNear); err != nil {
				c.t.Errorf("%s, layer %d, head %d: %v", name, l, h, err)
			}
			for _, p := range got {
				if slices.Contains(recorded[l][h], p) {
					equal++
				}
			}
			all += len(got)
		}
	}
	c.t.Logf("%s keeps %d of float32's %d positions", name, equal, all)
}

// scoreNear is the relative difference up to which another order of float32 sums may
// swap two of the reference's scores.
const scoreNear = 1e-5

// halfTokens compares the device's choices along the recorded answer with the recorded
// tokens. largest is torch's largest difference in these logits.
func (c *checker) halfTokens(name string, chosen []int32, largest float64) {
	tokens, truth := c.ints(name+".decode_tokens"), c.floats(name+".decode_logits")
	equal := 0
	for i, token := range tokens[1:] {
		if chosen[i+1] == token {
			equal++
			continue
		}
		row := truth[i*c.m.Vocab : (i+1)*c.m.Vocab]
		margin := float64(row[token]) - float64(row[chosen[i+1]])
		if !(margin <= 2*allowed*largest) {
			c.t.Errorf("%s: token %d is %d, want %d, which leads by %g", name, i+1, chosen[i+1], token, margin)
		}
	}
	c.t.Logf("%s: %d of %d tokens equal", name, equal, len(tokens)-1)
}
