package compress

import "github.com/snapbench/snapbench/runners/engine"

func init() {
	Register(Definition{
		Name: "h2o", Title: "H2O", Paper: "2306.14048",
		Help: "keeps what all queries of the prompt together look at (heavy hitters), and the last w positions",
		Parameters: []Parameter{
			windowParameter,
			{Name: "gqa", Kind: Word, Default: kvHeadMean, Allowed: []string{queryHead, kvHeadMean, kvHeadMax},
				Help: "grouping of the query heads that share a KV head: query_head as its authors, kv_head_mean and kv_head_max as KVCache-Factory"},
		},
		New: func(a Arguments) (Policy, error) { return ByScore(h2o{a.Whole("w"), a.Word("gqa")}), nil },
	})
}

// h2o scores by the attention that a position has got from all queries of the
// prompt (arXiv 2306.14048, section 4). Its authors evict again at every step of
// decoding; here, as in KVCache-Factory, the prompt's choice stays.
type h2o struct {
	window List[int]
	gqa    List[string]
}

func (p h2o) Needs(l Layer) Needs {
	return Needs{Columns: true, Scores: l.Heads.KV + p.Bounds(l).Heads}
}

func (p h2o) Bounds(l Layer) Bounds {
	b := Bounds{Heads: l.Heads.KV, Tail: p.window.At(l.Index)}
	if p.gqa.At(l.Index) == queryHead {
		b.Heads = l.Heads.Query
	}
	return b
}

func (p h2o) Score(ops Ops, l Layer) (Scores, error) {
	s := ops.Columns()
	switch p.gqa.At(l.Index) {
	case kvHeadMean:
		s = ops.Group(s, engine.GroupMean)
	case kvHeadMax:
		s = ops.Group(s, engine.GroupMax)
	}
	return ops.First(s, l.Tokens-p.window.At(l.Index)), nil
}
