package observe_test

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/observe"
	"github.com/snapbench/snapbench/runners/ref"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// small are settings for prompts of some hundred tokens.
var small = observe.Settings{Window: 16, Windows: 6, Share: 10, Important: 0.01, Summed: 0.005, Content: 0.01, Sink: 0.02}

func tiny(t *testing.T) *models.Model {
	t.Helper()
	return opened(t, "tiny", models.OpenShape)
}

func opened(t *testing.T, name string, open func(string) (*models.Files, error)) *models.Model {
	t.Helper()
	files, err := open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	m, err := models.Load(ref.New(), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func prompt(m *models.Model, n int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32((i*i*7 + 3*i) % m.Vocab)
	}
	return ids
}

func question(t *testing.T, m *models.Model) observe.Question {
	t.Helper()
	q := observe.Question{Prompt: prompt(m, 150), Spans: map[string]observe.Span{"value": {40, 47}}, AnswerRows: 5}
	var err error
	if q.Forced, err = observe.Greedy(context.Background(), m, q.Prompt, 12); err != nil {
		t.Fatal(err)
	}
	if q.Variants, err = compress.ParseAll("full;snapkv(cap=48,w=16,k=5,gqa=query_head);ada(cap=40,snapkv(w=8));tova(cap=32)"); err != nil {
		t.Fatal(err)
	}
	return q
}

// The full cache keeps everything, and no set keeps more than the oracle of its size.
func TestBounds(t *testing.T) {
	t.Run("tiny", func(t *testing.T) { bounds(t, tiny(t)) })
	t.Run("sliding layers beside full ones", func(t *testing.T) {
		m := opened(t, sharedtest.Path(t, "families", "gemma3"), models.Open)
		if o := bounds(t, m); len(o.Layers) != 2 || m.Layers != 7 {
			t.Errorf("%d layers of %d were observed, want the 2 with full attention", len(o.Layers), m.Layers)
		}
	})
	t.Run("linear attention beside full", func(t *testing.T) {
		m := opened(t, sharedtest.Path(t, "families", "qwen3_5"), models.Open)
		if o := bounds(t, m); len(o.Layers) != 2 || m.Layers != 8 {
			t.Errorf("%d layers of %d were observed, want the 2 with full attention", len(o.Layers), m.Layers)
		}
	})
}

func bounds(t *testing.T, m *models.Model) *observe.Observation {
	q := question(t, m)
	o, err := observe.Run(context.Background(), m, small, q)
	if err != nil {
		t.Fatal(err)
	}
	full := o.Variants["full"].Summary
	for what, got := range map[string]observe.Share{"hit": full.Hit, "content hit": full.ContentHit, "captured": full.Captured, "oracle": full.Oracle,
		"content": full.Content, "step": full.Step, "retention": full.Evidence["value"].Retention, "least ρ": full.Evidence["value"].Least()} {
		if !(math.Abs(float64(got)-1) < 1e-6) {
			t.Errorf("the full cache's %s is %v", what, got)
		}
	}
	if e := full.Evidence["value"]; e.GERModel != 0 || e.WholeHeads != len(m.PolicyLayers())*m.Heads.KV {
		t.Errorf("the full cache's evidence: %+v", e)
	}
	compared := 0
	for name, v := range o.Variants {
		for layer := range v.Captured {
			for c, got := range v.Captured[layer] {
				if compared++; !(got <= v.Oracle[layer][c]+1e-12) || !(v.Content[layer][c] <= v.ContentOracle[layer][c]+1e-12) {
					t.Errorf("%s, layer %d, head %d: captured %v of at most %v, content %v of at most %v", name, layer, c, got, v.Oracle[layer][c], v.Content[layer][c], v.ContentOracle[layer][c])
				}
			}
		}
		if s := v.Summary; strings.Contains(name, "query_head") && !(s.Step >= s.Oracle && s.Captured < s.Oracle) {
			t.Errorf("%s: captured %v, oracle %v, chosen anew at every step %v", name, s.Captured, s.Oracle, s.Step)
		}
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
	for _, l := range o.Layers {
		sum, hits := 0, 0
		for g := range l.ContentQuarters {
			sum, hits = sum+l.ContentQuarters[g], hits+l.ContentQuarterHits[g]
		}
		if last := len(l.Hits) - 1; sum != l.ContentImportant || hits != l.ContentHits[last] || !slices.IsSorted(l.ContentSeen) {
			t.Errorf("quarters add up to %d of %d important and %d of %d hits; seen %v", sum, l.ContentImportant, hits, l.ContentHits[last], l.ContentSeen)
		}
	}
	return o
}

// Blocks of the prefill decide nothing.
func TestBlocks(t *testing.T) {
	m := tiny(t)
	q := question(t, m)
	var first *observe.Observation
	for _, block := range []int{512, 7, 64} {
		m.SetBlock(block)
		if block == 64 { // nor do variants
			q.Variants = nil
		}
		o, err := observe.Run(context.Background(), m, small, q)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = o
		} else if !reflect.DeepEqual(first.Layers, o.Layers) {
			t.Errorf("blocks of %d: other counts", block)
		}
	}
}

func TestMistakes(t *testing.T) {
	m := tiny(t)
	for want, change := range map[string]func(*observe.Question, *observe.Settings){
		"is too short":     func(q *observe.Question, _ *observe.Settings) { q.Prompt = q.Prompt[:47] },
		"has no quarters":  func(q *observe.Question, _ *observe.Settings) { q.Forced = q.Forced[:3] },
		"span value is":    func(q *observe.Question, _ *observe.Settings) { q.Spans["value"] = observe.Span{149, 151} },
		"at least 1":       func(_ *observe.Question, s *observe.Settings) { s.Share = 0 },
		"context canceled": nil,
	} {
		q, s := question(t, m), small
		ctx, cancel := context.WithCancel(context.Background())
		if change == nil {
			cancel()
		} else {
			change(&q, &s)
		}
		if _, err := observe.Run(ctx, m, s, q); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		cancel()
	}
}
