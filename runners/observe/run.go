package observe

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// Question is what is observed.
type Question struct {
	Prompt   []int32
	Variants []compress.Variant
	// Forced is the text whose attention is looked at; where it is empty the model writes Tokens of it, greedily from the
	// full cache, none of them among Excluded: end tokens, where what is wanted is a text of that length.
	Forced   []int32
	Tokens   int
	Excluded []int32
	Spans    map[string]Span // of the prompt, by name
	// AnswerRows is how many rows of the forced text produce the answer, for the spans' attention: m-1 of m tokens.
	AnswerRows int
	// Locate, unless it is nil, says both once the forced text is known.
	Locate func(forced []int32) (spans map[string]Span, answerRows int)
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

// Run observes one prompt, on any device: a prefill with all variants and the full cache, which is among them or held besides,
// then a decoding step for each token of the forced text, both of which leave their queries behind; then the layers in which
// policies choose are counted one after the other: all, but for those that slide where others do not.
func Run(ctx context.Context, m *models.Model, s Settings, q Question) (*Observation, error) {
	if len(q.Forced) > 0 {
		q.Tokens = len(q.Forced)
	}
	z, err := s.Sizes(len(q.Prompt), q.Tokens)
	if err != nil {
		return nil, err
	}
	r := newReduction(m, s, z)
	defer r.free()
	if r.err != nil {
		return nil, r.err
	}
	list, full := q.Variants, slices.IndexFunc(q.Variants, compress.Variant.IsFull)
	if full < 0 {
		list, full = slices.Concat(list, []compress.Variant{compress.Full}), len(list)
	}
	done, err := m.Prefill(ctx, models.Prompt{IDs: q.Prompt, Variants: list, Room: z.Forced, Trace: models.Trace{Queries: r.holdPrompt}})
	if err != nil {
		return nil, err
	}
	defer done.Free()
	choices, err := choose(m, q.Variants, done.Sequences)
	if err != nil {
		return nil, err
	}
	for i := range done.Sequences { // what they hold is known
		if i != full {
			m.Device().FreeCache(done.Sequences[i].Caches...)
			done.Sequences[i].Caches = nil
		}
	}
	sequence := done.Sequences[full]
	if q.Forced, err = decode(ctx, m, sequence, done.Logits, q, r); err != nil {
		return nil, err
	}
	if q.Locate != nil {
		q.Spans, q.AnswerRows = q.Locate(q.Forced)
	}
	for name, e := range q.Spans {
		if e[0] < 0 || e[1] > len(q.Prompt) || e[0] >= e[1] {
			return nil, fmt.Errorf("span %s is %d to %d of a prompt of %d tokens", name, e[0], e[1], len(q.Prompt))
		}
	}
	return r.observe(ctx, m, q, choices, sequence.Caches)
}

// observe counts the layers. While the processors count one, the device computes the next.
func (r *reduction) observe(ctx context.Context, m *models.Model, q Question, choices [][]kept, caches []engine.Cache) (*Observation, error) {
	answer := 0
	if len(q.Spans) > 0 {
		answer = min(q.AnswerRows, r.z.Forced)
	}
	if err := r.open(answer, len(choices)); err != nil {
		return nil, err
	}
	o := &Observation{Tokens: r.z.Tokens, Forced: r.z.Forced, Vote: r.z.Vote, Variants: map[string]*Variant{}}
	for _, v := range q.Variants {
		o.Variants[v.String()] = &Variant{}
	}
	var images [2]image
	var counting sync.WaitGroup
	defer counting.Wait()
	layers := m.PolicyLayers()
	for at, layer := range layers {
		c := caches[layer]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var sets [][]int
		x := measured{image: &images[at%2]}
		for i := range choices {
			x.kept = append(x.kept, choices[i][at])
			sets = append(sets, x.kept[i].capacities(r.h.Query))
		}
		sets, x.sets = distinct(sets)
		err := r.measure(layer, c, m.Attention(layer), sets, x.image)
		if err != nil {
			return nil, err
		}
		var numbers []int
		for _, k := range x.kept {
			if caches := len(k.heads); !slices.Contains(numbers, caches) {
				numbers = append(numbers, caches)
				x.image.contentOf(r, caches)
			}
		}
		if x.best, err = r.bound(x.kept, x.image.caches); err != nil {
			return nil, err
		}
		counting.Wait()
		counting.Go(func() {
			o.add(r, x, q, len(sets))
			if q.Progress != nil {
				q.Progress(at+1, len(layers))
			}
		})
	}
	counting.Wait()
	for _, v := range o.Variants {
		v.summarize(o.Layers, q.Spans)
	}
	return o, nil
}

// measured is a layer as it leaves the device; lists are by variant.
type measured struct {
	image *image
	kept  []kept
	sets  []int // the place of its capacities among the highest attentions
	best  []bounds
}

// add counts one layer.
func (o *Observation) add(r *reduction, x measured, q Question, sets int) {
	x.image.read(r, sets)
	x.image.group()
	heads := x.image.heads
	o.Layers = append(o.Layers, layerOf(heads, r.s, r.z))
	var names []string
	for _, v := range q.Variants {
		names = append(names, v.String())
	}
	side(len(names), func(i int) {
		if slices.Index(names, names[i]) < i { // named twice, counted once
			return
		}
		k := x.kept[i]
		o.Variants[names[i]].add(heads, x.image.caches[len(k.heads)], x.best[i], k, x.sets[i], q.Spans, r.z)
	})
	for name, e := range q.Spans {
		if o.EvidenceAttention == nil {
			o.EvidenceAttention = map[string][][]Share{}
		}
		o.EvidenceAttention[name] = append(o.EvidenceAttention[name], attention(e, heads, q.AnswerRows))
	}
}

// choose reads back what each variant keeps, by variant and layer in which policies choose.
func choose(m *models.Model, variants []compress.Variant, sequences []models.Sequence) ([][]kept, error) {
	d := m.Device()
	out := make([][]kept, len(variants))
	for i, v := range variants {
		for at, layer := range m.PolicyLayers() {
			c := sequences[i].Caches[layer]
			k := kept{window: v.Window(at)}
			var positions []int32
			if c.Positions.Len > 0 {
				positions = make([]int32, c.Positions.Len)
				d.GetInts(positions, c.Positions)
			}
			for h, n := range c.Len {
				at := make([]int32, n)
				if positions != nil {
					copy(at, positions[c.Start[h]:])
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

// Greedy answers a prompt with the full cache, so many tokens, none of them among those excluded: end tokens, where
// what is wanted is a text of that length.
func Greedy(ctx context.Context, m *models.Model, prompt []int32, tokens int, excluded ...int32) ([]int32, error) {
	done, err := m.Prefill(ctx, models.Prompt{IDs: prompt, Variants: []compress.Variant{compress.Full}, Room: tokens})
	if err != nil {
		return nil, err
	}
	defer done.Free()
	return decode(ctx, m, done.Sequences[0], done.Logits, Question{Tokens: tokens, Excluded: excluded}, nil)
}

// decode feeds the forced text to the full cache, or the model's own choices, and returns it. Every step's queries are held
// where there is a reduction for them.
func decode(ctx context.Context, m *models.Model, sequence models.Sequence, logits []float32, q Question, r *reduction) ([]int32, error) {
	decoder, err := m.NewDecoder([]models.Sequence{sequence})
	if err != nil {
		return nil, err
	}
	defer decoder.Close()
	var step engine.Array
	if r != nil {
		if step = r.array(r.d.Type(), m.Layers*m.QueryWidth()); r.err != nil {
			return nil, r.err
		}
		decoder.HoldQueries(step)
	}
	var list []int32
	next := models.Greedy(logits, q.Excluded...)
	for t := range q.Tokens {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if t < len(q.Forced) {
			next = q.Forced[t]
		}
		if next < 0 {
			return nil, fmt.Errorf("token %d: the logits are not finite", t)
		}
		list = append(list, next)
		chosen, err := decoder.Step([]int32{next})
		if err != nil {
			return nil, err
		}
		if r != nil {
			r.holdForced(t, step)
		}
		if next = chosen[0]; slices.Contains(q.Excluded, next) {
			decoder.Logits(0, logits)
			next = models.Greedy(logits, q.Excluded...)
		}
	}
	return list, nil
}
