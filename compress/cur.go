package compress

import "fmt"

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

func (cur) Needs(Layer) Needs { return Needs{} }

func (p cur) Bounds(l Layer) Bounds {
	return Bounds{Heads: l.Heads.KV, Sinks: p.sinks.At(l.Index)}
}

func (p cur) Score(ops Ops, l Layer) (Scores, error) {
	leverage, block := p.leverage.At(l.Index), p.block.At(l.Index)
	return ops.Compute(fmt.Sprintf("leverage %s %d", leverage, block), func() [][]float32 {
		keys, values := ops.Keys(), ops.Values()
		return byHead(l.Heads.KV, func(g int) []float64 {
			k, v := squares(keys[g], l.Heads.Size), squares(values[g], l.Heads.Size)
			if block > 0 {
				for lo := 0; lo < l.Tokens; lo += block {
					hi := min(lo+block, l.Tokens)
					shares(k[lo:hi])
					shares(v[lo:hi])
				}
			}
			switch leverage {
			case leverageProduct:
				for j := range k {
					k[j] *= v[j]
				}
			case leverageMean:
				for j := range k {
					k[j] = (k[j] + v[j]) / 2
				}
			case leverageValues:
				k = v
			}
			shares(k)
			return k
		})
	}), nil
}

// squares returns the squared norms of (n, d).
func squares(states []float32, d int) []float64 {
	out := make([]float64, len(states)/d)
	for j := range out {
		x := vector(states, j, d)
		out[j] = dot(x, x)
	}
	return out
}

// shares divides by the sum.
func shares(x []float64) {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	for i := range x {
		x[i] /= sum
	}
}
