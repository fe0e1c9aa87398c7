package compress

import (
	"fmt"
	"math"
)

var sinksParameter = Parameter{Name: "sinks", Kind: Whole, Default: "4", Help: "first positions that are always kept"}

func init() {
	Register(Definition{
		Name: "expected", Title: "expected attention", Paper: "2510.00636",
		Help: "keeps what queries like the prompt's would look at from the positions behind it",
		Parameters: []Parameter{
			{Name: "future", Kind: Whole, Default: "512", Least: 1, Help: "positions behind the prompt from which attention is expected"},
			sinksParameter,
			switched("covariance", on, "whether the queries' covariance counts beside their mean"),
			switched("norms", on, "whether a position's share is multiplied by its value's norm"),
			{Name: "epsilon", Kind: Real, Default: "0", Most: 1, Help: "added to a position's share before it is multiplied"},
		},
		New: func(a Arguments) (Policy, error) {
			return ByScore(expected{a.Whole("future"), a.Whole("sinks"), a.On("covariance"), a.On("norms"), a.Real("epsilon")}), nil
		},
	})
}

// expected scores by the attention of a query that is distributed like the prompt's
// queries behind the sinks, and stands at one of the next positions (arXiv
// 2510.00636; kvpress). With y the queries as they are before rotation,
// turned by the mean rotation of those positions, a key's logit is
// scale·k·mean(y) + scale²/2·kᵀ·covariance(y)·k.
type expected struct {
	future, sinks     List[int]
	covariance, norms List[bool]
	epsilon           List[float64]
}

func (expected) Needs(l Layer) Needs { return Needs{Queries: AllQueries, Scores: l.Heads.KV} }

func (p expected) Bounds(l Layer) Bounds {
	return Bounds{Heads: l.Heads.KV, Sinks: p.sinks.At(l.Index)}
}

func (p expected) Score(ops Ops, l Layer) (Scores, error) {
	if l.Cap > 0 {
		return Scores{}, fmt.Errorf("expected attention does not go with the soft cap of %g in layer %d: its closed form is that of logits without one", l.Cap, l.Index)
	}
	future, sinks, covariance := p.future.At(l.Index), p.sinks.At(l.Index), p.covariance.At(l.Index)
	norms, epsilon := p.norms.At(l.Index), p.epsilon.At(l.Index)
	question := fmt.Sprintf("expected attention %d %d %t %t %g", future, sinks, covariance, norms, epsilon)
	return ops.Compute(question, func() [][]float32 {
		h, n := l.Heads, l.Tokens
		keys, values, queries, columns := ops.Keys(), ops.Values(), ops.Queries(n), ops.Sinks()
		turns := turnsAhead(l, sinks, future)
		return byHead(h.KV, func(g int) []float64 {
			scores := make([]float64, n) // those of the sinks are never read
			for a := g * h.Group(); a < (g+1)*h.Group(); a++ {
				share := expectedLogits(keys[g], queries[a], turns, h.Size, float64(l.Scale), covariance)
				softmax(share, columns[a])
				for j, x := range share {
					scores[sinks+j] += x / float64(h.Group())
				}
			}
			if norms {
				for j := sinks; j < n; j++ {
					scores[j] = (scores[j] + epsilon) * norm(vector(values[g], j, h.Size))
				}
			}
			return scores
		})
	}), nil
}

// turns are what a query's pairs are multiplied by, as complex numbers: by position,
// from one on.
type turns struct {
	from int
	by   [][]complex128
}

// turnsAhead takes a query's own rotation back and gives it the mean rotation of the
// next positions behind the prompt.
func turnsAhead(l Layer, from, future int) turns {
	mean := make([]complex128, len(l.Angles))
	for i, f := range l.Angles {
		for p := l.Tokens; p < l.Tokens+future; p++ {
			mean[i] += turn(p, f) / complex(float64(future), 0)
		}
	}
	t := turns{from, make([][]complex128, l.Tokens-from)}
	for j := range t.by {
		t.by[j] = make([]complex128, len(mean))
		for i, f := range l.Angles {
			t.by[j][i] = mean[i] * turn(-(from+j), f)
		}
	}
	return t
}

// each calls f with a head's queries (n, d), turned. f must not keep them.
func (t turns) each(queries []float32, d int, f func(q []float64)) {
	out := make([]float64, d)
	for j, by := range t.by {
		q, half := vector(queries, t.from+j, d), len(by)
		for i, b := range by {
			z := complex(float64(q[i]), float64(q[i+half])) * b
			out[i], out[i+half] = real(z), imag(z)
		}
		for i := 2 * half; i < d; i++ {
			out[i] = float64(q[i])
		}
		f(out)
	}
}

// expectedLogits returns the logits of a KV head's keys, those behind the sinks, for
// queries with the mean, and the covariance where it counts, of a query head's.
func expectedLogits(keys, queries []float32, t turns, d int, scale float64, covariance bool) []float64 {
	logits := make([]float64, len(t.by))
	mean := make([]float64, d)
	t.each(queries, d, func(q []float64) {
		for c, x := range q {
			mean[c] += x / float64(len(logits))
		}
	})
	// The upper triangle, times two beside the diagonal.
	spread := make([]float64, d*d)
	if covariance {
		t.each(queries, d, func(q []float64) {
			for c := range q {
				q[c] -= mean[c]
			}
			for c, x := range q {
				row := spread[c*d : (c+1)*d]
				for e := c; e < d; e++ {
					row[e] += x * q[e]
				}
			}
		})
		for c := range d {
			for e := c; e < d; e++ {
				spread[c*d+e] /= float64(len(logits))
				if e > c {
					spread[c*d+e] *= 2
				}
			}
		}
	}
	k := make([]float64, d)
	for j := range logits {
		for c, x := range vector(keys, t.from+j, d) {
			k[c] = float64(x)
		}
		first, second := 0.0, 0.0
		for c, x := range k {
			first += x * mean[c]
			if covariance {
				product := 0.0
				for e := c; e < d; e++ {
					product += spread[c*d+e] * k[e]
				}
				second += x * product
			}
		}
		logits[j] = scale*first + scale*scale/2*second
	}
	return logits
}

// turn returns the rotation by a number of positions, the angle in float32 as models
// compute it.
func turn(positions int, frequency float32) complex128 {
	sin, cos := math.Sincos(float64(float32(positions) * frequency))
	return complex(cos, sin)
}
