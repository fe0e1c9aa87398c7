package local

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/evidence"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// attended is by layer, query head and position what rows of a text attend to, summed, by the plain formula.
func attended(t *testing.T, m *models.Model, text []int32, rows evidence.Span) [][][]float64 {
	t.Helper()
	d, h, n := m.Device(), m.Heads, len(text)
	var queries []float32
	var out [][][]float64
	done, err := m.Prefill(t.Context(), models.Prompt{IDs: text,
		Trace: models.Trace{Queries: func(_, start int, q engine.Array) {
			if start == 0 {
				queries = nil
			}
			list := make([]float32, q.Len)
			d.Get(list, q)
			queries = append(queries, list...)
		},
			KV: func(layer int, kv engine.KV) {
				keys := make([]float32, kv.K.Len)
				d.Get(keys, kv.K)
				heads := make([][]float64, h.Query)
				for a := range heads {
					heads[a] = make([]float64, n)
					for r := rows[0]; r < rows[1]; r++ {
						row, sum := make([]float64, r+1), 0.0
						for j := range row {
							for i := range h.Size {
								row[j] += float64(queries[(r*h.Query+a)*h.Size+i]) * float64(keys[(a/h.Group()*n+j)*h.Size+i])
							}
							row[j] = math.Exp(row[j] / math.Sqrt(float64(h.Size)))
							sum += row[j]
						}
						for j, a2 := range row {
							heads[a][j] += a2 / sum
						}
					}
				}
				out = append(out, heads)
			}}})
	if err != nil {
		t.Fatal(err)
	}
	done.Free()
	return out
}

// What is told of a passage is what the kept positions and the attention of the full cache's answer say, by the formulas:
// for a question inside the prompt and one read through the cache, for one answer or the one of several that is read most,
// and the same whatever else is in the batch.
func TestEvidence(t *testing.T) {
	r, m := tiny(t)
	all := variants(t, five)
	before := m.Device().Memory().InUse
	value, other := evidence.Span{30, 36}, evidence.Span{60, 64}
	for _, c := range []struct {
		question []int32
		either   bool
	}{{nil, false}, {ids(5, 11), false}, {nil, true}} {
		const made = 4 // tokens until the answer is said
		e := &runners.Evidence{Read: "value", Either: c.either, Says: func(text string) bool { return len(strings.Fields(text)) >= made }, Passages: []runners.Passage{
			{Name: "instruction", Each: []evidence.Span{{2, 12}}, Spans: []evidence.Span{{2, 12}}},
			{Name: "value", Each: []evidence.Span{value, other}, Spans: []evidence.Span{value, other}},
		}}
		request := runners.Request{Prompt: ids(100, 3), Question: c.question, Variants: runners.VariantsOf(all), MaxNew: 9, Positions: true, Evidence: e}
		out, err := runners.Answer(context.Background(), r, request, runners.Request{Prompt: ids(61, 5), Variants: runners.VariantsOf(all[:2]), MaxNew: 4})
		if err != nil {
			t.Fatal(err)
		}
		text := slices.Concat(request.Prompt, request.Question, out[0][0].Tokens[:made-1])
		first := len(request.Prompt)
		if c.question != nil {
			first += len(c.question) - 1
		}
		paid := attended(t, m, text, evidence.Span{first, len(text)})
		for j, got := range out[0] {
			if got.Err != nil || got.Evidence == nil || out[1][0].Evidence != nil {
				t.Fatalf("%s: %v, %+v", all[j], got.Err, got.Evidence)
			}
			rho := func(position int) float64 {
				kept, all := 0.0, 0.0
				for layer, heads := range paid {
					group := len(heads) / len(got.Positions[layer])
					for h, a := range heads {
						all += a[position]
						if slices.Contains(got.Positions[layer][h/group], int32(position)) {
							kept += a[position]
						}
					}
				}
				return kept / all
			}
			least := func(s evidence.Span) float64 {
				low := math.Inf(1)
				for position := s[0]; position < s[1]; position++ {
					low = min(low, rho(position))
				}
				return low
			}
			reading := func(s evidence.Span) (sum float64) {
				for _, heads := range paid {
					for _, a := range heads {
						for position := s[0]; position < s[1]; position++ {
							sum += a[position] / float64(s.Size())
						}
					}
				}
				return sum
			}
			want := min(least(value), least(other))
			if c.either {
				if want = least(value); reading(other) > reading(value) {
					want = least(other)
				}
			}
			if !(math.Abs(float64(got.Evidence.Least)-want) <= 1e-5) {
				t.Errorf("%s: least ρ %v, want %v", all[j], got.Evidence.Least, want)
			}
			share, heads := 0.0, 0
			for _, layer := range got.Positions {
				for _, keep := range layer {
					for position := 2; position < 12; position++ {
						if slices.Contains(keep, int32(position)) {
							share += 0.1
						}
					}
					heads++
				}
			}
			if k := got.Evidence.Kept[0]; !(math.Abs(float64(k.Retention)-share/float64(heads)) <= 1e-9) {
				t.Errorf("%s: %v of the instruction is kept, want %v", all[j], k.Retention, share/float64(heads))
			}
			if j == 0 && got.Evidence.Least != 1 {
				t.Errorf("the full cache keeps %v", got.Evidence.Least)
			}
		}
		// Alone, and without the audit.
		plain := request
		plain.Evidence = nil
		bare, err := runners.Answer(context.Background(), r, plain)
		if err != nil {
			t.Fatal(err)
		}
		request.Variants = request.Variants[:2]
		alone, err := runners.Answer(context.Background(), r, request)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(alone[0][1].Evidence) != fmt.Sprint(out[0][1].Evidence) { // some of it is NaN, which equals nothing
			t.Errorf("alone %+v, with others %+v", alone[0][1].Evidence, out[0][1].Evidence)
		}
		for j, b := range bare[0] {
			if b.Text != out[0][j].Text || !reflect.DeepEqual(b.Positions, out[0][j].Positions) || b.Evidence != nil {
				t.Errorf("%s answers %q with an audit, %q without", all[j], out[0][j].Text, b.Text)
			}
		}
	}
	if after := m.Device().Memory().InUse; after != before {
		t.Errorf("%d bytes are still held", after-before)
	}
}

// Attention that is not known is told as such, and the full cache must be there where it is asked for.
func TestEvidenceUnknown(t *testing.T) {
	r, _ := tiny(t)
	e := &runners.Evidence{Says: func(text string) bool { return true }, Passages: []runners.Passage{
		{Name: "value", Each: []evidence.Span{{3, 5}}, Spans: []evidence.Span{{3, 5}}}}}
	request := runners.Request{Prompt: ids(60, 3), Variants: runners.VariantsOf(variants(t, "snapkv(cap=24,w=8,k=3)")), MaxNew: 3, Evidence: e}
	run := func() runners.Completion {
		out, err := runners.Answer(context.Background(), r, request)
		if err != nil {
			t.Fatal(err)
		}
		return out[0][len(out[0])-1]
	}
	if c := run(); c.Err != nil || c.Evidence == nil || !math.IsNaN(float64(c.Evidence.Least)) || len(c.Evidence.Kept) != 1 {
		t.Errorf("nothing rests on a passage: %+v, %v", c.Evidence, c.Err)
	}
	e.Read = "value"
	if c := run(); c.Err == nil || !strings.Contains(c.Err.Error(), "add full") {
		t.Errorf("without the full cache: %v", c.Err)
	}
	request.Variants = append(runners.VariantsOf(variants(t, "full")), request.Variants...)
	if c := run(); c.Err != nil || !math.IsNaN(float64(c.Evidence.Least)) { // the first token is the prefill's own
		t.Errorf("no row makes the answer through the cache: %+v, %v", c.Evidence, c.Err)
	}
	e.Says = func(text string) bool { return false }
	if c := run(); c.Err != nil || !(c.Evidence.Least >= 0) {
		t.Errorf("an answer that says nothing of what is asked: %s", fmt.Sprint(c.Evidence, c.Err))
	}
}

// narrow is a device without room for one array of a size.
type narrow struct {
	*ref.Device
	size int
}

func (d *narrow) New(t engine.Type, n int) (engine.Array, error) {
	if n == d.size && t == engine.Float32 {
		return engine.Array{}, &engine.OutOfMemory{Device: "narrow", Need: int64(4 * n)}
	}
	return d.Device.New(t, n)
}

// Where memory is short of what the attention takes, answers and what is kept are told all the same, also of a batch.
func TestEvidenceOutOfMemory(t *testing.T) {
	d := &narrow{Device: ref.New()}
	m := tinyOn(t, d)
	d.size = m.Heads.Query * (60 + 5)
	r := New(m, func(ids []int32) string { return fmt.Sprint(ids) })
	before := d.Memory().InUse
	ask := func(seed int) runners.Request {
		span := []evidence.Span{{3, 5}}
		return runners.Request{Prompt: ids(60, seed), Variants: runners.VariantsOf(variants(t, "full;snapkv(cap=24,w=8,k=3)")), MaxNew: 5,
			Evidence: &runners.Evidence{Read: "value", Says: func(string) bool { return false }, Passages: []runners.Passage{{Name: "value", Each: span, Spans: span}}}}
	}
	out, err := runners.Answer(context.Background(), r, ask(3), ask(5))
	if err != nil {
		t.Fatal(err)
	}
	for _, completions := range out {
		for _, c := range completions {
			if c.Err != nil || len(c.Tokens) != 5 || c.Evidence == nil || !math.IsNaN(float64(c.Evidence.Least)) || math.IsNaN(float64(c.Evidence.Kept[0].Retention)) ||
				strings.Count(c.Note, "evidence: the attention is not known: out of memory") != 1 {
				t.Errorf("%s: %d tokens, %+v, %q, %v", c.Variant, len(c.Tokens), c.Evidence, c.Note, c.Err)
			}
		}
	}
	if after := d.Memory().InUse; after != before {
		t.Errorf("%d bytes are still held", after-before)
	}
}
