package compress

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// Sharing is how the query heads of one KV head come to a choice.
type Sharing string

// The four ways in use with grouped-query attention. With one query head per
// KV head they are the same.
const (
	// QueryHead: every query head selects for itself and keeps a copy of its own
	// (the SnapKV authors' code).
	QueryHead Sharing = "query_head"
	// KVHeadMean: the group's scores are averaged before pooling (KVCache-Factory).
	KVHeadMean Sharing = "kv_head_mean"
	// KVHeadMax: the group's highest score counts, before pooling (KVCache-Factory).
	KVHeadMax Sharing = "kv_head_max"
	// KVPress: each query head is pooled, then the group averaged (kvpress).
	KVPress Sharing = "kvpress"
)

// Sharings lists them.
func Sharings() []string {
	return []string{string(QueryHead), string(KVHeadMean), string(KVHeadMax), string(KVPress)}
}

// SnapKV keeps what the prompt's last queries look at, smoothed by pooling, and
// the last w positions (arXiv 2404.14469, section 4.1). Every parameter may be a
// list with a value per layer.
type SnapKV struct {
	Window  List[int]            // w, the observation window; kept itself
	Kernel  List[int]            // of the pooling, odd
	Pooling List[engine.Pooling] // how scores are smoothed
	Sharing List[Sharing]        // how a group of query heads chooses
}

func init() {
	Register(Definition{
		Name:       "snapkv",
		Parameters: []string{"w", "k", "pool", "gqa"},
		New: func(arguments map[string]string) (Policy, error) {
			return newSnapKV(arguments)
		},
	})
}

func newSnapKV(arguments map[string]string) (*SnapKV, error) {
	text := func(name, otherwise string) string {
		if s, ok := arguments[name]; ok {
			return s
		}
		return otherwise
	}
	var p SnapKV
	var err error
	if p.Window, err = parseList("window w", text("w", "32"), positive); err != nil {
		return nil, err
	}
	if p.Kernel, err = parseList("kernel k", text("k", "7"), odd); err != nil {
		return nil, err
	}
	if p.Pooling, err = parseList("pooling pool", text("pool", "max"), parsePooling); err != nil {
		return nil, err
	}
	p.Sharing, err = parseList("grouping gqa", text("gqa", string(QueryHead)), func(s string) (Sharing, error) {
		if !slices.Contains(Sharings(), s) {
			return "", fmt.Errorf("%q: have query_head, kv_head_mean, kv_head_max, kvpress", s)
		}
		return Sharing(s), nil
	})
	if err != nil {
		return nil, err
	}
	return &p, nil
}

func parsePooling(s string) (engine.Pooling, error) {
	switch s {
	case "max":
		return engine.MaxPooling, nil
	case "avg":
		return engine.AveragePooling, nil
	}
	return 0, fmt.Errorf("%q: have max, avg", s)
}

func poolingText(p engine.Pooling) string {
	if p == engine.MaxPooling {
		return "max"
	}
	return "avg"
}

// Name returns "snapkv".
func (p *SnapKV) Name() string { return "snapkv" }

// Parameters returns w, k, pool and gqa.
func (p *SnapKV) Parameters() []Parameter {
	return []Parameter{
		{"w", p.Window.text(itoa)},
		{"k", p.Kernel.text(itoa)},
		{"pool", p.Pooling.text(poolingText)},
		{"gqa", p.Sharing.text(func(s Sharing) string { return string(s) })},
	}
}

// Needs returns the layer's window.
func (p *SnapKV) Needs(layer int) Needs { return Needs{Window: p.Window.At(layer)} }

// lists returns the lengths of the per-layer lists.
func (p *SnapKV) lists() []int {
	return []int{len(p.Window), len(p.Kernel), len(p.Pooling), len(p.Sharing)}
}

// Check refuses a capacity that the window alone would fill.
func (p *SnapKV) Check(layer, capacity int) error {
	if w := p.Window.At(layer); capacity <= w {
		return fmt.Errorf("capacity %d leaves nothing beside the window of %d: it must be larger", capacity, w)
	}
	return nil
}

// Expect asks for capacity positions in every head, the window among them; the
// heads are the query heads where each keeps its own copy.
func (p *SnapKV) Expect(l Layer, capacity int) Expectation {
	heads := l.Heads.KV
	if p.Sharing.At(l.Index) == QueryHead {
		heads = l.Heads.Query
	}
	return Expectation{Heads: heads, PerHead: capacity, Total: heads * capacity, Tail: p.Window.At(l.Index)}
}

// Keep scores, pools and chooses.
func (p *SnapKV) Keep(ops Ops, l Layer, capacity int) (engine.Kept, error) {
	w, k, pool := p.Window.At(l.Index), p.Kernel.At(l.Index), p.Pooling.At(l.Index)
	scores := ops.WindowScores(w)
	switch p.Sharing.At(l.Index) {
	case QueryHead:
		scores = ops.Pool(scores, k, pool)
	case KVHeadMean:
		scores = ops.Pool(ops.Group(scores, engine.GroupMean), k, pool)
	case KVHeadMax:
		scores = ops.Pool(ops.Group(scores, engine.GroupMax), k, pool)
	case KVPress:
		scores = ops.Group(ops.Pool(scores, k, pool), engine.GroupMean)
	}
	return ops.Top(scores, capacity-w, w), nil
}
