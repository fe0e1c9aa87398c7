package gate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// with changes every row of a set.
func with(s results.Set, change func(*results.Row)) results.Set {
	rows := append([]results.Row(nil), s.Rows...)
	for i := range rows {
		change(&rows[i])
	}
	s.Rows = rows
	return s
}

// What runs differ in is refused, by a reason that names it and the way out, and compared where --across names it: then
// the difference stands in the verdict, the text, the Markdown and the JSON.
func TestAcross(t *testing.T) {
	base := drops(5, 0, "a")
	server := func(engine string) results.Set {
		return with(servers("", ""), func(r *results.Row) { r.Revision = engine })
	}
	for name, c := range map[string]struct {
		base, cand results.Set
		across     Across
		refused    string
		differs    []string
	}{
		"model": {base, with(base, func(r *results.Row) { r.Model = "fp8" }), Across{"model"},
			`model: baseline "tiny", candidate "fp8" (--across model compares them all the same)`, []string{"model"}},
		"model and its revision": {with(base, func(r *results.Row) { r.Revision = "1" }), with(base, func(r *results.Row) { r.Model, r.Revision = "fp8", "2" }), Across{"model"},
			`model: baseline "tiny", candidate "fp8"`, []string{"model"}},
		"revision": {with(base, func(r *results.Row) { r.Revision = "1" }), with(base, func(r *results.Row) { r.Revision = "2" }), Across{"revision"},
			`revision: baseline "1", candidate "2" (--across revision`, []string{"revision"}},
		"protocol": {base, with(base, func(r *results.Row) { r.Protocol = "x" }), Across{"protocol"}, `protocol: baseline "longbench", candidate "x"`, []string{"protocol"}},
		"device":   {base, with(base, func(r *results.Row) { r.Device = "cuda:1" }), Across{"device"}, `device: baseline "ref", candidate "cuda" (--across device`, []string{"device"}},
		"rope":     {base, with(base, func(r *results.Row) { r.Rope = "yarn:4,original=32768" }), Across{"rope"}, `rope: baseline "", candidate "yarn:4,original=32768"`, []string{"rope"}},
		"dtype":    {base, with(base, func(r *results.Row) { r.DType = "bfloat16" }), Across{"dtype"}, `dtype: baseline "float32", candidate "bfloat16"`, []string{"dtype"}},
		"several": {base, with(base, func(r *results.Row) { r.Model, r.DType, r.Device = "fp8", "bfloat16", "cuda" }), Across{"model", "dtype", "device"},
			`model: baseline "tiny", candidate "fp8"`, []string{"model", "device", "dtype"}},
		"prompt": {base, with(base, func(r *results.Row) { r.PromptSHA256 = "x" + r.Sample }), Across{"prompt"},
			"another prompt in 0, 1, 2 and 2 more samples (--across prompt pairs them by sample", []string{"prompt"}},
		"engine": {server("vllm 0.9.1"), server("sglang 0.5"), Across{"engine"}, `engine: baseline "vllm 0.9.1", candidate "sglang 0.5"`, []string{"engine"}},
		"labels": {labelled("a", "b"), labelled("c", "d"), Across{"label"}, "variant server(label=c) is only in the candidate (--across label holds it against server(label=a))", []string{"label", "label"}},
	} {
		_, err := Runs(c.base, c.cand, onSet(100))
		var refused *RefusedError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v, want %q", name, err, c.refused)
		}
		limits := onSet(100)
		limits.Across = c.across
		g, err := Runs(c.base, c.cand, limits)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var whats []string
		for _, d := range g.Across {
			whats = append(whats, d.What)
		}
		if strings.Join(whats, " ") != strings.Join(c.differs, " ") {
			t.Errorf("%s: differences %v, want %v", name, g.Across, c.differs)
		}
		var json strings.Builder
		if err := g.WriteJSON(&json); err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{"text": g.Text(80), "markdown": g.Markdown(), "headline": g.Headline(), "JSON": json.String()} {
			if !strings.Contains(strings.ToLower(text), "across") || !strings.Contains(text, c.differs[0]) {
				t.Errorf("%s: the %s does not say so:\n%s", name, what, text)
			}
		}
	}
	// A model's revision goes with it: one reason, and one way out.
	both := with(base, func(r *results.Row) { r.Model, r.Revision = "fp8", "2" })
	if _, err := Runs(base, both, onSet(1)); err == nil || strings.Contains(err.Error(), "revision") {
		t.Errorf("%v", err)
	}
	// Another version of an engine is what such a gate is for: it is said, and no leave is needed.
	g, err := Runs(server("vllm 0.9.1"), server("vllm 0.10"), onSet(1))
	if err != nil || !strings.Contains(g.Text(0), "vllm: the baseline is of version 0.9.1, the candidate of 0.10") {
		t.Errorf("%v, %v", g, err)
	}
	// Predictions of another program have no hash of their prompts.
	bare := with(base, func(r *results.Row) { r.PromptSHA256 = "" })
	if g, err := Runs(bare, bare, onSet(1)); err != nil || !strings.Contains(g.Text(0), "prompts of 5 samples are not known") {
		t.Errorf("%v, %v", g, err)
	}
}

// All that two runs differ in is refused at once, so that one more --across is enough.
func TestAcrossAllAtOnce(t *testing.T) {
	base := drops(5, 0, "a")
	cand := with(base, func(r *results.Row) {
		r.Model, r.Protocol, r.DType, r.PromptSHA256 = "fp8", "x", "bfloat16", "x"+r.Sample
	})
	limits := onSet(100)
	_, err := Runs(base, cand, limits)
	if err == nil {
		t.Fatal("compared")
	}
	for _, name := range []string{"model", "protocol", "dtype", "prompt"} {
		if !strings.Contains(err.Error(), "(--across "+name+" ") {
			t.Errorf("nothing of %s in %v", name, err)
		}
		limits.Across = append(limits.Across, name)
	}
	g, err := Runs(base, cand, limits)
	if err != nil || !strings.Contains(g.Text(0), "other ones in 5 samples") {
		t.Errorf("%v, %v", g, err)
	}
}

// labelled are rows of servers of one run that differ in their labels alone.
func labelled(labels ...string) results.Set {
	var all results.Set
	for _, l := range labels {
		s := servers(l, "")
		all.Rows, all.Run.Variants = append(all.Rows, s.Rows...), append(all.Run.Variants, s.Run.Variants...)
	}
	return all
}

// A model that could be held against either of two is refused, not guessed.
func TestAcrossTwoModels(t *testing.T) {
	base := drops(3, 0, "a")
	two := base
	two.Rows = append(with(base, func(r *results.Row) { r.Model = "x" }).Rows, with(base, func(r *results.Row) { r.Model = "y" }).Rows...)
	limits := onSet(1)
	limits.Across = Across{"model"}
	if _, err := Runs(two, base, limits); err == nil || !strings.Contains(err.Error(), "could be held against x,") {
		t.Errorf("%v", err)
	}
	// One of them by its name is no question.
	if g, err := Runs(two, with(base, func(r *results.Row) { r.Model = "y" }), limits); err != nil || len(g.Across) > 0 {
		t.Errorf("%v, %v", g, err)
	}
}

func TestParseAcross(t *testing.T) {
	if a, err := ParseAcross("model", " dtype", "model"); err != nil || fmt.Sprint(a) != "[model dtype]" {
		t.Errorf("%v, %v", a, err)
	}
	if _, err := ParseAcross("modle"); err == nil || !strings.Contains(err.Error(), `"modle"`) || !strings.Contains(err.Error(), "have model, revision, rope, protocol, device, dtype, engine, label, prompt") {
		t.Errorf("%v", err)
	}
	limits := onSet(1)
	limits.Across = Across{"model"}
	if _, err := Variants(drops(3, 0, "a"), "full", limits); err == nil || !strings.Contains(err.Error(), "--across is for two runs") {
		t.Errorf("%v", err)
	}
}
