package modeltest

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
)

// halfTypes are the half types in which weights, activations, keys and values may be kept.
var halfTypes = []engine.Type{engine.BFloat16, engine.Float16}

func TestHalfOnRounded(t *testing.T) {
	for _, kind := range halfTypes {
		t.Run(kind.String(), func(t *testing.T) {
			if kind == engine.Float16 && os.Getenv("SNAPBENCH_LONG") == "" {
				t.Skip("SNAPBENCH_LONG=1 runs it")
			}
			Half(t, enginetest.Rounded(kind))
		})
	}
}

func TestHalfOnCUDA(t *testing.T) {
	for _, kind := range halfTypes {
		t.Run(kind.String(), func(t *testing.T) { Half(t, CUDA(t, kind)) })
	}
}

// coarse is a device whose Rotate rounds the queries to 4 bits.
type coarse struct{ engine.Device }

func (c coarse) Rotate(q engine.Array, kv engine.KV, qkv engine.Array, start int, h engine.Heads, r engine.Rotary, norm engine.QKNorm) {
	c.Device.Rotate(q, kv, qkv, start, h, r, norm)
	v := make([]float32, q.Len)
	c.Get(v, q)
	for i := range v {
		v[i] = math.Float32frombits((math.Float32bits(v[i]) + 1<<19) &^ (1<<20 - 1))
	}
	c.Put(q, v)
}

// TestHalfFails: one operation that rounds to 4 bits instead of 8 is found.
func TestHalfFails(t *testing.T) {
	for _, dir := range goldens(t) {
		if filepath.Base(dir) != "llama_mha" {
			continue
		}
		c := openGolden(t, coarse{enginetest.Rounded(engine.BFloat16)}, dir)
		errors, _ := c.halfErrors(c.pass())
		found := strings.Join(exceeding(errors, torchFigures(t, "llama_mha", engine.BFloat16), false, t.Logf), "\n")
		if !strings.Contains(found, "q.0 is off by") || strings.Contains(found, "k.0 is off by") {
			t.Errorf("coarse queries show in %q, want them in q.0 and not in k.0", found)
		}
	}
}

func TestExceeding(t *testing.T) {
	nan := math.NaN()
	one := figures{"q.0": {Whole: 0.01, Median: 0.001}}
	variants := figures{"a.scores": {Whole: 0.01, Median: 0.001}, "b.scores": {Whole: 0.1, Median: 0.01}}
	for name, c := range map[string]struct {
		got, torch figures
		mixture    bool
		message    string
	}{
		"as far as allowed":         {figures{"q.0": {Whole: 0.02, Median: 1}}, one, false, ""},
		"further":                   {figures{"q.0": {Whole: 0.0201}}, one, false, "q.0 is off by 0.0201"},
		"not a number":              {figures{"q.0": {Whole: nan, Median: nan}}, one, false, "q.0 is off by NaN"},
		"not computed":              {nil, one, false, "not computed"},
		"not measured":              {one, nil, false, "no figure"},
		"a mixture's median":        {figures{"q.0": {Whole: 1, Median: 0.002}}, one, true, ""},
		"a mixture's median, far":   {figures{"q.0": {Whole: 0, Median: 0.0021}}, one, true, "q.0 is off by 0.0021"},
		"a mixture's NaN":           {figures{"q.0": {Whole: nan, Median: nan}}, one, true, "q.0 is off by NaN"},
		"a mixture's variants":      {figures{"a.scores": {Median: 0.02}, "b.scores": {}}, variants, true, ""},
		"a mixture's variants, far": {figures{"a.scores": {Median: 0.021}, "b.scores": {}}, variants, true, "a.scores is off by 0.021"},
		"variants":                  {figures{"a.scores": {Whole: 0.021}, "b.scores": {}}, variants, false, "a.scores is off by 0.021"},
	} {
		got := exceeding(c.got, c.torch, c.mixture, t.Logf)
		if c.message == "" && len(got) > 0 || c.message != "" && (len(got) != 1 || !strings.Contains(got[0], c.message)) {
			t.Errorf("%s: %q, want %q", name, got, c.message)
		}
	}
	if e := errorOf(t, "x", []float32{3, 4.5}, []float32{3, 4}, 2); e != (figure{0.1, 0.5, 0.1}) {
		t.Errorf("the error of (3, 4.5) to (3, 4) is %v, want 0.1, 0.5, 0.1", e)
	}
	if e := errorOf(t, "x", []float32{1, 4, 10}, []float32{1, 2, 8}, 1); e.Median != 0.25 || e.Largest != 2 {
		t.Errorf("the errors of 1, 4, 10 to 1, 2, 8 are %v, want a median of 0.25", e)
	}
	if e := errorOf(t, "x", []float32{float32(nan), 4, 5}, []float32{3, 4, 5}, 1); e.Whole == e.Whole || e.Largest == e.Largest || e.Median == e.Median {
		t.Errorf("the error of NaN is %v", e)
	}
}
