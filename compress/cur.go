package compress

import (
	"fmt"
	"math"

	"github.com/snapbench/snapbench/runners/engine"
)

// What CUR measures a position by.
const (
	leverageProduct = "kv_product" // keys' and values' leverages multiplied
	leverageMean    = "kv_avg"
	leverageKeys    = "key"
	leverageValues  = "value"
)

func init() {
	Register(Definition{
		Name: "cur", Title: "CUR", Paper: "2509.15038",
		Help: "keeps the longest keys and values among their neighbours (leverage scores of a CUR decomposition)",
		Parameters: []Parameter{
			sinksParameter,
			{Name: "leverage", Kind: Word, Default: leverageProduct, Allowed: []string{leverageProduct, leverageMean, leverageKeys, leverageValues},
				Help: "what counts: kv_product, kv_avg, key, value"},
			{Name: "block", Kind: Whole, Default: "16", Help: "neighbouring positions that are compared first, 0 for the whole prompt at once"},
		},
		New: func(a Arguments) (Policy, error) {
			return ByScore(cur{a.Whole("sinks"), a.Word("leverage"), a.Whole("block")}), nil
		},
	})
}

// cur scores by approximate leverage: the squared norm of a position's key and value,
// each as a share of its block's (arXiv 2509.15038; kvpress).
type cur struct {
	sinks    List[int]
	leverage List[string]
	block    List[int]
}

// Needs: of keys and values each the norms, their squares and three steps of their shares;
// then what is made of both.
func (cur) Needs(l Layer) Needs { return Needs{Scores: 13*l.Heads.KV + 1} }

func (p cur) Bounds(l Layer) Bounds {
	return Bounds{Heads: l.Heads.KV, Sinks: p.sinks.At(l.Index)}
}

func (p cur) Score(ops Ops, l Layer) (Scores, error) {
	leverage, block := p.leverage.At(l.Index), p.block.At(l.Index)
	of := func(state State) Scores {
		norms := ops.Norms(state)
		squares := ops.Combine(norms, norms, engine.ScoresTimes, 1)
		if block == 0 {
			return squares
		}
		return shares(ops, l, squares, block)
	}
	var s Scores
	switch leverage {
	case leverageProduct:
		s = ops.Combine(of(KeyState), of(ValueState), engine.ScoresTimes, 1)
	case leverageMean:
		s = ops.Combine(of(KeyState), of(ValueState), engine.ScoresPlus, 0.5)
	case leverageKeys:
		s = of(KeyState)
	case leverageValues:
		s = of(ValueState)
	}
	factors := ops.Totals(s)
	for h, total := range factors {
		if !(total > 0 && total <= math.MaxFloat32) {
			return Scores{}, fmt.Errorf("layer %d, head %d: leverage %s adds up to %g: keys or values have no length, or no finite one, throughout some block", l.Index, h, leverage, total)
		}
		factors[h] = 1 / total
	}
	return ops.Scale(s, factors), nil
}

// shares divides each score by the sum of its block.
func shares(ops Ops, l Layer, s Scores, block int) Scores {
	lengths := ops.ByPosition(fmt.Sprintf("length of its block of %d", block), func(j int) float32 {
		return float32(min(block, l.Tokens-j/block*block))
	})
	return ops.Combine(ops.Combine(s, ops.ChunkMeans(s, block), engine.ScoresOver, 1), lengths, engine.ScoresOver, 1)
}
