package modeltest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
	"github.com/snapbench/snapbench/runners/evidence"
	"github.com/snapbench/snapbench/runners/models"
)

// randomJob is a small model of a family with random sizes and weights, and requests to it: prompts, questions, ends of answers, what
// is measured of them, and variants of every policy, budget and format. One seed draws one job.
type randomJob struct {
	name     string
	files    *models.Files
	variants []compress.Variant
	requests []runners.Request // without variants
}

// draw draws numbers.
type draw struct{ *rand.Rand }

// between is a whole number from lo to hi.
func (d draw) between(lo, hi int) int { return lo + d.IntN(hi-lo+1) }

func (d draw) often(share float64) bool { return d.Float64() < share }

func of[T any](d draw, list ...T) T { return list[d.IntN(len(list))] }

func drawJob(t *testing.T, family string, seed uint64) randomJob {
	t.Helper()
	d := draw{rand.New(rand.NewPCG(seed, 99))}
	text, err := json.Marshal(d.config(family))
	if err != nil {
		t.Fatal(err)
	}
	c, err := models.ParseConfig("config.json", text, nil)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if c.Stored == "" && d.often(0.3) {
		c.Stored = "fp8"
	}
	j := randomJob{name: fmt.Sprintf("%s, seed %d", family, seed), files: models.RandomFiles(c, family, seed)}
	fidelity, audited := d.often(0.4), d.often(0.4)
	lengths := []int{1, 2, d.between(3, 20), d.between(20, 70), 64}
	usual := of(d, lengths...)
	if fidelity || audited || d.often(0.5) {
		j.variants = append(j.variants, compress.Full)
	}
	for range d.between(2, 4) {
		v := d.variant(usual)
		if !slices.ContainsFunc(j.variants, func(w compress.Variant) bool { return w.String() == v.String() }) {
			j.variants = append(j.variants, v)
		}
	}
	for range d.between(1, 2) {
		q := d.request(of(d, usual, usual, of(d, lengths...)), c.Vocab)
		q.Fidelity, q.Positions = fidelity, true
		if audited && len(q.Prompt) > 4 {
			q.Evidence = d.evidence(len(q.Prompt))
		}
		j.requests = append(j.requests, q)
		if d.often(0.4) { // another question behind the same prompt
			q.Question, q.MaxNew = d.ids(d.between(1, 6), c.Vocab), d.between(1, 6)
			j.requests = append(j.requests, q)
		}
	}
	return j
}

func (d draw) ids(n, vocabulary int) []int32 {
	list := make([]int32, n)
	for i := range list {
		list[i] = int32(d.IntN(vocabulary))
	}
	return list
}

func (d draw) request(n, vocabulary int) runners.Request {
	q := runners.Request{Sample: d.IntN(5), Prompt: d.ids(n, vocabulary), MaxNew: d.between(1, 6)}
	if d.often(0.2) {
		q.MaxNew = 40 // beyond the residual of a format
	}
	if d.often(0.4) {
		q.Question = d.ids(d.between(1, 6), vocabulary)
	}
	if d.often(0.5) {
		q.Stop.Tokens, q.MinNew = d.ids(vocabulary/8, vocabulary), d.between(0, 3)
	}
	if d.often(0.3) {
		q.Stop.Strings = []string{fmt.Sprint(" ", d.IntN(10)), "7"}
	}
	if d.often(0.1) {
		q.Among = d.ids(3, vocabulary)
	}
	return q
}

func (d draw) evidence(n int) *runners.Evidence {
	e := &runners.Evidence{Read: "value", Either: d.often(0.5)}
	for _, name := range []string{"value", "other"} {
		p := runners.Passage{Name: name}
		for range d.between(1, 3) {
			at := d.IntN(n - 1)
			p.Each = append(p.Each, evidence.Span{at, min(n, at+d.between(1, 5))})
		}
		p.Spans = evidence.Union(p.Each)
		e.Passages = append(e.Passages, p)
	}
	whole := d.between(1, 30)
	e.Says = func(text string) bool { return len(text) > whole }
	return e
}

// variant draws a policy, what it is built on, parameters, a budget for prompts of about n tokens and a format.
func (d draw) variant(n int) compress.Variant {
	for {
		name := of(d, compress.Names()...)
		window := 0
		c, err := compress.ParseCall(d.call(name, 0, &window))
		if err != nil {
			panic(err)
		}
		budget := of(d, strconv.Itoa(d.between(window+1, max(window+1, n))), strconv.Itoa(n), strconv.Itoa(n+d.between(1, 200)), fmt.Sprintf("%d%%", d.between(1, 100)),
			fmt.Sprintf("bytes:%d%%", d.between(3, 100)), fmt.Sprintf("bytes:%d", d.between(window+1, n+20)))
		if def, _ := compress.Define(name); def.Unbudgeted {
			budget = ""
		}
		v, err := compress.NewVariant(c, budget)
		if err != nil {
			continue // what does not go together
		}
		if d.often(0.4) {
			v = v.In(of(d, cacheformat.All()...))
		}
		return v
	}
}

func (d draw) call(name string, depth int, window *int) string {
	def, err := compress.Define(name)
	if err != nil {
		panic(err)
	}
	var list []string
	for _, p := range def.Parameters {
		if d.often(0.4) && p.Name != "w" {
			continue // its default
		}
		value := ""
		switch p.Kind {
		case compress.Word:
			value = of(d, p.Allowed...)
		case compress.Odd:
			value = strconv.Itoa(1 + 2*d.IntN(5))
		case compress.Whole:
			n := d.between(max(0, int(p.Least)), 12)
			if value = strconv.Itoa(n); p.Name == "w" || p.Name == "sinks" {
				*window = max(*window, n)
			}
		case compress.Real:
			most := p.Most
			if most == 0 {
				most = 1
			}
			value = fmt.Sprintf("%.2f", p.Least+d.Float64()*(most-p.Least))
		}
		list = append(list, p.Name+"="+value)
	}
	if def.Inner != "" && depth < 2 && d.often(0.7) {
		list = append(list, d.call(of(d, compress.Names()[1:]...), depth+1, window))
	}
	if len(list) == 0 {
		return name
	}
	return name + "(" + strings.Join(list, ",") + ")"
}

// config draws a config.json of a family.
func (d draw) config(family string) map[string]any {
	kv, layers, size, window := d.between(1, 3), d.between(2, 3), of(d, 8, 16, 32), d.between(1, 80)
	kinds := func(other string) []string { // of layers: one is full, one is not
		list := slices.Repeat([]string{"full_attention"}, layers)
		for i := range layers - 1 {
			if i == 0 || d.often(0.5) {
				list[i] = other
			}
		}
		d.Shuffle(layers, func(i, j int) { list[i], list[j] = list[j], list[i] })
		return list
	}
	c := map[string]any{"model_type": family, "num_hidden_layers": layers, "hidden_size": of(d, 24, 32, 64), "num_attention_heads": kv * d.between(1, 4),
		"num_key_value_heads": kv, "head_dim": size, "intermediate_size": of(d, 40, 64), "vocab_size": d.between(50, 200), "max_position_embeddings": 400,
		"rms_norm_eps": 1e-5, "hidden_act": "silu", "rope_theta": 10000, "tie_word_embeddings": d.often(0.5), "sliding_window": window}
	switch family {
	case "phi3":
		half := func() (list []float64) {
			for range size / 4 {
				list = append(list, 1+6*d.Float64())
			}
			return list
		}
		c["partial_rotary_factor"], c["original_max_position_embeddings"] = 0.5, d.between(8, 60)
		c["rope_scaling"] = map[string]any{"type": "longrope", "short_factor": half(), "long_factor": half()}
	case "gemma2":
		c["layer_types"], c["query_pre_attn_scalar"], c["attn_logit_softcapping"], c["final_logit_softcapping"] = kinds("sliding_attention"), d.between(4, 40), 1.5, 2
	case "gemma3", "gemma3_text":
		c["layer_types"] = kinds("sliding_attention")
	case "gpt_oss":
		c["layer_types"], c["num_local_experts"], c["num_experts_per_tok"], c["attention_bias"] = kinds("sliding_attention"), 4, 2, true
	case "mixtral":
		c["num_local_experts"], c["num_experts_per_tok"] = 3, 2
	case "qwen2":
		c["use_sliding_window"], c["max_window_layers"] = d.often(0.5), d.between(0, layers)
	case "qwen3_5", "qwen3_5_text":
		heads := d.between(1, 2)
		c["layer_types"], c["linear_num_key_heads"], c["linear_num_value_heads"] = kinds("linear_attention"), heads, heads*d.between(1, 3)
		c["linear_key_head_dim"], c["linear_value_head_dim"] = d.between(3, 9), d.between(3, 9)
	case "qwen3_moe":
		c["num_experts"], c["num_experts_per_tok"], c["moe_intermediate_size"], c["mlp_only_layers"] = 5, 2, 16, []int{1}
	}
	if family == "gemma3" || family == "qwen3_5" { // a language model beside others
		c["model_type"] = "inside"
		return map[string]any{"model_type": family, "text_config": c}
	}
	return c
}
