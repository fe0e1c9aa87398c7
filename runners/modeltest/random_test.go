package modeltest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestRandomJobs: what an answer says, keeps and takes depends on the model, the prompt and the variant: not on the other variants and
// requests, nor on their order, nor on what is measured besides, nor on the tokens of a prefill's block, the number of threads, or what was in the memory
// before. And what it says of its cache adds up. SNAPBENCH_LONG=1 draws more jobs.
func TestRandomJobs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	jobs := 1
	if os.Getenv("SNAPBENCH_LONG") != "" {
		jobs = 30
	}
	answers, failed := 0, 0
	for _, family := range models.Names() {
		for seed := range jobs {
			j := drawJob(t, family, uint64(seed))
			for _, device := range []func() engine.Device{func() engine.Device { return ref.New() }, func() engine.Device { return CPU(t) }} {
				x := j.on(t, device())
				x.alone()
				x.turned(seed)
				x.inBlocks(1 + seed%40)
				x.littered()
				a, f := x.counts()
				answers, failed = answers+a, failed+f
			}
		}
	}
	t.Logf("%d answers, of which %d are errors", answers, failed)
	if failed > answers/2 {
		t.Error("most of what was asked cannot be answered")
	}
}

// randomRun is a job that a device has answered.
type randomRun struct {
	*testing.T
	job      randomJob
	model    *models.Model
	engine   *local.Engine
	requests []runners.Request
	variants []compress.Variant
	answers  [][]runners.Completion // by request and variant
}

func (j randomJob) on(t *testing.T, d engine.Device) *randomRun {
	t.Helper()
	m, err := models.Load(d, j.files, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	x := &randomRun{T: t, job: j, model: m, engine: local.New(m, func(ids []int32) string { return fmt.Sprint(ids) }), requests: slices.Clone(j.requests)}
	for _, v := range compress.On(m.Shape(), j.variants) {
		if x.engine.Check(runners.VariantsOf([]compress.Variant{v})) == nil {
			x.variants = append(x.variants, v)
		}
	}
	for i := range x.requests {
		x.requests[i].Variants = runners.VariantsOf(x.variants)
	}
	x.answers = x.answer(x.requests...)
	for i, list := range x.answers {
		for k, c := range list {
			if c.Err != nil {
				continue
			}
			for _, complaint := range adds(m, x.variants[k], x.requests[i], c) {
				t.Errorf("%s on %s, %d tokens, %s: %s", j.name, d.Name(), len(x.requests[i].Prompt), x.variants[k], complaint)
			}
		}
	}
	return x
}

func (x *randomRun) answer(requests ...runners.Request) [][]runners.Completion {
	x.Helper()
	out, err := runners.Answer(x.Context(), x.engine, requests...)
	if err != nil {
		x.Fatalf("%s: %v", x.job.name, err)
	}
	return out
}

func (x *randomRun) counts() (answers, failed int) {
	for _, list := range x.answers {
		for _, c := range list {
			if answers++; c.Err != nil {
				failed++
			}
		}
	}
	return answers, failed
}

// same holds an answer to the one that variant k of request i had in the job.
func (x *randomRun) same(how string, i, k int, got runners.Completion, except ...string) {
	x.Helper()
	a, b := tells(x.answers[i][k]), tells(got)
	for name, want := range a {
		if !slices.Contains(except, name) && !reflect.DeepEqual(b[name], want) {
			x.Errorf("%s on %s, %d tokens, %s, %s: %s is %v, want %v", x.job.name, x.model.Device().Name(), len(x.requests[i].Prompt), x.variants[k], how, name, b[name], want)
		}
	}
}

// tells is what an answer says that is not of its time or company.
func tells(c runners.Completion) map[string]any {
	return map[string]any{"tokens": c.Tokens, "text": c.Text, "ended": c.Ended, "error": fmt.Sprint(c.Err), "note": c.Note, "kept": c.Kept, "host": c.Host,
		"positions": c.Positions, "bytes": c.CacheBytes, "full bytes": c.FullBytes, "fixed bytes": c.FixedBytes, "token bytes": c.TokenBytes, "peak": c.CachePeak,
		"fidelity": fmt.Sprintf("%+v", c.Fidelity), "evidence": fmt.Sprintf("%+v", c.Evidence)}
}

// alone asks for each variant by itself, or with the full cache where something is measured by that, and where nothing is measured.
func (x *randomRun) alone() {
	for i, q := range x.requests {
		for k, v := range x.variants {
			one := q
			one.Variants = runners.VariantsOf([]compress.Variant{v})
			if (q.Fidelity || q.Evidence != nil) && !v.IsFull() {
				one.Variants = append(one.Variants, compress.Full)
			}
			x.same("alone", i, k, x.answer(one)[0][0])
			one.Variants = one.Variants[:1]
			one.Fidelity, one.Evidence, one.Positions = false, nil, false
			x.same("with nothing measured", i, k, x.answer(one)[0][0], "fidelity", "evidence", "positions", "note")
		}
	}
}

// turned asks in another order.
func (x *randomRun) turned(seed int) {
	r := rand.New(rand.NewPCG(uint64(seed), 5))
	order, places := r.Perm(len(x.requests)), r.Perm(len(x.variants))
	var requests []runners.Request
	for _, i := range order {
		q := x.requests[i]
		q.Variants = nil
		for _, k := range places {
			q.Variants = append(q.Variants, x.variants[k])
		}
		requests = append(requests, q)
	}
	for n, list := range x.answer(requests...) {
		for at, c := range list {
			x.same("in another order", order[n], places[at], c)
		}
	}
}

// inBlocks reads prompts in smaller blocks. What an answer attends to is then summed in another order.
func (x *randomRun) inBlocks(tokens int) {
	usual := x.model.Block()
	x.model.SetBlock(tokens)
	defer x.model.SetBlock(usual)
	for i, list := range x.answer(x.requests...) {
		for k, c := range list {
			x.same(fmt.Sprintf("in blocks of %d", tokens), i, k, c, "evidence")
		}
	}
}

// Devices whose new arrays hold what is no number, as a card's may.
type (
	litteredRef struct{ *ref.Device }
	litteredCPU struct{ *cpu.Device }
)

func (d litteredRef) New(t engine.Type, n int) (engine.Array, error) { return litter(d.Device, t, n) }
func (d litteredCPU) New(t engine.Type, n int) (engine.Array, error) { return litter(d.Device, t, n) }

func litter(d engine.Device, t engine.Type, n int) (engine.Array, error) {
	a, err := d.New(t, n)
	switch {
	case err != nil:
	case t == engine.Float32:
		d.Put(a, slices.Repeat([]float32{float32(math.NaN())}, n))
	case t == engine.Int32:
		d.PutInts(a, slices.Repeat([]int32{math.MinInt32}, n))
	}
	return a, err
}

// littered asks a device of the same kind that has other numbers in its memory, and on a processor other threads.
func (x *randomRun) littered() {
	var d engine.Device = litteredRef{ref.New()}
	if x.model.Device().Name() == "cpu" {
		threads, err := cpu.NewThreads(5)
		if err != nil {
			x.Fatal(err)
		}
		d = litteredCPU{threads}
		x.Cleanup(func() { threads.Close() })
	}
	for i, list := range x.job.on(x.T, d).answers {
		for k, c := range list {
			x.same("in littered memory", i, k, c)
		}
	}
}

// adds counts again what an answer says of its cache, by the positions that are kept, and lists what does not add up.
func adds(m *models.Model, v compress.Variant, q runners.Request, c runners.Completion) (complaints []string) {
	say := func(format string, a ...any) { complaints = append(complaints, fmt.Sprintf(format, a...)) }
	n, size := len(q.Prompt), m.Heads.Size
	number := m.Device().Type()
	if v.Format() != nil {
		number = engine.Float16
	}
	entry := int64(2 * size * number.Size())
	var held, fixed, positions, heads int64
	for layer, kept := range c.Positions {
		budget, budgeted := v.Capacity(layer, n)
		for _, head := range kept {
			heads, positions = heads+1, positions+int64(len(head))
			if f := v.Format(); f != nil {
				held += m.Shape().Format(f, layer).Bytes(len(head), size)
			} else {
				held += int64(len(head)) * entry
			}
			if !slices.IsSorted(head) || len(slices.Compact(slices.Clone(head))) != len(head) || len(head) > 0 && (head[0] < 0 || int(head[len(head)-1]) >= n) {
				say("layer %d keeps %v", layer, head)
			}
		}
		if method := v.Method(); budgeted && slices.Contains([]string{"recent", "random", "streaming", "tova", "h2o", "observed", "snapkv", "keydiff", "cur", "expected"}, method) {
			for _, head := range kept {
				if len(head) != budget {
					say("layer %d keeps %d of a budget of %d", layer, len(head), budget)
				}
			}
		}
	}
	for layer, w := range m.Windows {
		if m.Linear.Has(layer) {
			fixed += m.Linear.StateBytes()
		} else if m.Fixed(layer) {
			fixed += int64(min(n, w)*m.Heads.KV) * entry
		}
	}
	full := fixed + int64(len(m.PolicyLayers())*n*m.Heads.KV)*entry
	if c.CacheBytes != held+fixed || c.FixedBytes != fixed || c.FullBytes != full {
		say("%d bytes of %d, %d of them fixed; counted are %d of %d, %d", c.CacheBytes, c.FullBytes, c.FixedBytes, held+fixed, full, fixed)
	}
	if len(c.Positions) != len(m.PolicyLayers()) || math.Abs(c.Kept.Mean-float64(positions)/float64(heads)) > 1e-9 || c.CachePeak < c.CacheBytes {
		say("%d layers keep %+v, in at most %d bytes", len(c.Positions), c.Kept, c.CachePeak)
	}
	if c.Evidence != nil {
		for i, p := range q.Evidence.Passages {
			if got, want := float64(c.Evidence.Kept[i].Retention), retained(p, c.Positions); math.Abs(got-want) > 1e-9 {
				say("%v of %q is kept, counted %v", got, p.Name, want)
			}
		}
		if least := float64(c.Evidence.Least); c.Kept.Min == n && least != 1 && !math.IsNaN(least) {
			say("everything is kept, and a ρ of %v", least)
		}
	}
	if given := len(c.Tokens); given == 0 || given > q.MaxNew || !c.Ended && given < q.MaxNew {
		say("%d tokens of %d, ended %v", given, q.MaxNew, c.Ended)
	}
	for _, stop := range q.Stop.Strings {
		if strings.Contains(c.Text, stop) {
			say("%q goes on behind %q", c.Text, stop)
		}
	}
	return complaints
}

// retained is the mean over heads of the share of a passage that they keep.
func retained(p runners.Passage, positions [][][]int32) float64 {
	size, sum, heads := 0, 0.0, 0
	for _, s := range p.Spans {
		size += s.Size()
	}
	for _, layer := range positions {
		for _, head := range layer {
			heads++
			for _, at := range head {
				for _, s := range p.Spans {
					if int(at) >= s[0] && int(at) < s[1] {
						sum++
					}
				}
			}
		}
	}
	return sum / float64(size*heads)
}
