package compress

import "fmt"

func init() {
	Register(Definition{
		Name: "tova", Title: "TOVA", Paper: "2401.06104",
		Help: "keeps what the last query looks at, the mean over all heads, the same positions in every head",
		New:  func(Arguments) (Policy, error) { return ByScore(tova{}), nil },
	})
}

// tova scores by the last token's attention (arXiv 2401.06104, section 3.2).
type tova struct{}

func (tova) Needs(Layer) Needs     { return Needs{Window: 1} }
func (tova) Bounds(l Layer) Bounds { return Bounds{Heads: l.Heads.KV, Tail: 1} }

func (tova) Score(ops Ops, l Layer) (Scores, error) {
	last := ops.WindowScores(1)
	return ops.Compute(fmt.Sprintf("%s, mean over all heads", last.question), func() [][]float32 {
		rows := ops.Read(last)
		mean := make([]float32, last.Width())
		for j := range mean {
			sum := 0.0
			for _, r := range rows {
				sum += float64(r[j])
			}
			mean[j] = float32(sum / float64(len(rows)))
		}
		out := make([][]float32, l.Heads.KV)
		for g := range out {
			out[g] = mean
		}
		return out
	}), nil
}
