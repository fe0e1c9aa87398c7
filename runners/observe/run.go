package observe

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// Question is what is observed.
type Question struct {
	Prompt   []int32
	Forced   []int32 // T tokens, as [Greedy] gives them
	Variants []compress.Variant
	Spans    map[string]Span // of the prompt, by name
	// AnswerRows is how many rows of the forced text produce the answer, for the spans' attention: m-1 of m tokens.
	AnswerRows int
	// Progress is called with the number of layers done.
	Progress func(done, total int)
}

// Observation is what one prompt shows.
type Observation struct {
	Tokens int     `json:"n"`
	Forced int     `json:"T"`
	Vote   int     `json:"vote"` // k
	Layers []Layer `json:"layers"`
	// Variants are by the variants' canonical text.
	Variants map[string]*Variant `json:"variants"`
	// EvidenceAttention is, by span, layer and query head, the mean attention of the answer's rows to the span.
	EvidenceAttention map[string][][]Share `json:"evidence_attention,omitempty"`
}

// Run observes one prompt. It copies each layer's queries and keys to the host, so the device may be any; the counting
// is done by all processors. The caller's model is used for two prefills.
func Run(ctx context.Context, m *models.Model, s Settings, q Question) (*Observation, error) {
	z, err := s.Sizes(len(q.Prompt), len(q.Forced))
	if err != nil {
		return nil, err
	}
	for name, e := range q.Spans {
		if e[0] < 0 || e[1] > len(q.Prompt) || e[0] >= e[1] {
			return nil, fmt.Errorf("span %s is %d to %d of a prompt of %d tokens", name, e[0], e[1], len(q.Prompt))
		}
	}
	choices, err := choose(ctx, m, q)
	if err != nil {
		return nil, err
	}
	o := &Observation{Tokens: z.Tokens, Forced: z.Forced, Vote: z.Vote, Variants: map[string]*Variant{}}
	for _, v := range q.Variants {
		o.Variants[v.String()] = &Variant{}
	}
	d, h := m.Device(), m.Heads
	x := material{
		first: z.start(0, s), heads: h.Query, group: h.Group(), size: h.Size, tokens: z.Tokens + z.Forced,
		scale: float64(float32(1 / math.Sqrt(float64(h.Size)))),
	}
	x.queries = make([]float32, (x.tokens-x.first)*h.Query*h.Size)
	x.keys = make([]float32, x.tokens*h.KV*h.Size)
	var failed error
	done, err := m.Prefill(ctx, models.Prompt{
		IDs: slices.Concat(q.Prompt, q.Forced),
		TraceQ: func(_, start int, rows engine.Array) {
			width := h.Query * h.Size
			skip := max(0, x.first-start) * width
			if skip < rows.Len {
				at := (start-x.first)*width + skip
				d.Get(x.queries[at:at+rows.Len-skip], rows.Slice(skip, rows.Len))
			}
		},
		TraceKV: func(layer int, kv engine.KV) {
			d.Get(x.keys, kv.K)
			if failed == nil {
				failed = d.Sync()
			}
			if failed != nil || ctx.Err() != nil {
				return
			}
			x.window = m.Windows[layer]
			o.add(x, s, z, q, choices, layer)
			if q.Progress != nil {
				q.Progress(layer+1, m.Layers)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	done.Free()
	if failed = cmp.Or(failed, ctx.Err()); failed != nil {
		return nil, failed
	}
	for _, v := range o.Variants {
		v.summarize(o.Layers, q.Spans)
	}
	return o, nil
}

// add counts one layer, its heads side by side.
func (o *Observation) add(x material, s Settings, z Sizes, q Question, choices [][]kept, layer int) {
	heads := make([]head, x.heads)
	var next atomic.Int32
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), x.heads) {
		wait.Go(func() {
			for {
				h := int(next.Add(1)) - 1
				if h >= x.heads {
					return
				}
				var capacities []int
				for _, c := range choices {
					keep := c[layer].heads
					capacities = append(capacities, len(keep[h*len(keep)/x.heads]))
				}
				heads[h] = measure(x, h, s, z, q.AnswerRows, capacities)
			}
		})
	}
	wait.Wait()
	l := layerOf(heads, s, z)
	o.Layers = append(o.Layers, l)
	for i, v := range q.Variants {
		o.Variants[v.String()].add(heads, choices[i][layer], l, q.Spans, z, s, i)
	}
	for name, e := range q.Spans {
		if o.EvidenceAttention == nil {
			o.EvidenceAttention = map[string][][]Share{}
		}
		o.EvidenceAttention[name] = append(o.EvidenceAttention[name], attention(e, heads, q.AnswerRows))
	}
}

// choose prefills the prompt and reads back what each variant keeps, by variant and layer.
func choose(ctx context.Context, m *models.Model, q Question) ([][]kept, error) {
	done, err := m.Prefill(ctx, models.Prompt{IDs: q.Prompt, Variants: q.Variants})
	if err != nil {
		return nil, err
	}
	defer done.Free()
	d := m.Device()
	out := make([][]kept, len(q.Variants))
	for i, s := range done.Sequences {
		for layer, c := range s.Caches {
			k := kept{window: windowOf(q.Variants[i], layer)}
			for h, n := range c.Len {
				at := make([]int32, n)
				if c.Positions.Len > 0 {
					d.GetInts(at, c.Positions.Slice(c.Start[h], c.Start[h]+n))
				} else {
					for j := range at {
						at[j] = int32(j)
					}
				}
				k.heads = append(k.heads, at)
			}
			out[i] = append(out[i], k)
		}
	}
	return out, d.Sync()
}

// windowOf is the observation window w of a variant in a layer, or of what it is built on; 0 where it has none.
func windowOf(v compress.Variant, layer int) int {
	for _, p := range v.Parameters() {
		if p.Name == "w" || strings.HasSuffix(p.Name, ".w") {
			list := strings.Split(p.Text, "|")
			if w, err := strconv.Atoi(list[min(layer, len(list)-1)]); err == nil {
				return w
			}
		}
	}
	return 0
}

// Greedy answers a prompt with the full cache, so many tokens, none of them among those excluded: end tokens, where
// what is wanted is a text of that length.
func Greedy(ctx context.Context, m *models.Model, prompt []int32, tokens int, excluded ...int32) ([]int32, error) {
	done, err := m.Prefill(ctx, models.Prompt{IDs: prompt, Variants: []compress.Variant{compress.Full}, Room: tokens})
	if err != nil {
		return nil, err
	}
	defer done.Free()
	decoder, err := m.NewDecoder(done.Sequences)
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	var list []int32
	logits := done.Logits
	for {
		next := models.Greedy(logits, excluded...)
		if next < 0 {
			return nil, fmt.Errorf("token %d: the logits are not finite", len(list))
		}
		if list = append(list, next); len(list) >= tokens {
			return list, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := decoder.Step([]int32{next}); err != nil {
			return nil, err
		}
		decoder.Logits(0, logits)
	}
}
