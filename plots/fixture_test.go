package plots

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// needleSet is a needle test as the engine would store it: the full cache finds everything, SnapKV recalls more with a
// larger budget and kernel. The rows of one cell failed, and those of another were never run.
func needleSet() results.Set {
	rng := rand.New(rand.NewPCG(1, 1))
	var s results.Set
	s.Run = results.Run{Name: "needle"}
	type variant struct {
		name, budget, pooling string
		kernel                int
	}
	variants := []variant{{"full", "full", "", 0}}
	for _, b := range []string{"128", "256", "512", "1024"} {
		for _, k := range []int{5, 7, 13} {
			for _, p := range []string{"max", "avg"} {
				variants = append(variants, variant{fmt.Sprintf("snapkv(cap=%s,w=32,k=%d,pool=%s,gqa=query_head)", b, k, p), b, p, k})
			}
		}
	}
	for _, v := range variants {
		s.Run.Variants = append(s.Run.Variants, v.name)
	}
	for _, length := range []int{1024, 2048, 4096, 8192} {
		for depth := 0.0; depth <= 100; depth += 25 {
			for trial := range 2 {
				for _, v := range variants {
					r := results.Row{
						Schema: results.Schema, Run: "needle", Model: "SmolLM2-135M-Instruct.Q4_1.gguf", Revision: "b179c9523d0e6a0f", Task: "niah", TaskVersion: 1,
						Sample: fmt.Sprintf("%d-%g-%d", length, depth, trial), Variant: v.name, Policy: "snapkv", Budget: v.budget,
						Device: "cpu", DType: "float32", Metric: "exact", MetricVersion: 1, Length: new(length), Depth: new(depth),
						PromptTokens: new(length), NewTokens: new(10), Answer: "7841256", Prediction: " 7841256.",
						PromptTail: "…one of the special magic numbers for apple is mentioned.\nWhat is the special magic number for apple?", PrefillSeconds: new(float64(length) / 400), DecodeSeconds: new(0.4), PeakBytes: new(int64(1) << 30),
					}
					p := 1.0
					if v.name == "full" {
						r.Policy = "full"
						r.KLMean, r.Top1Agreement = new(0.0), new(1.0)
					} else {
						var b float64
						fmt.Sscan(v.budget, &b)
						r.Capacity = new(int(b))
						r.Params = map[string]string{"w": "32", "k": fmt.Sprint(v.kernel), "pool": v.pooling, "gqa": "query_head"}
						p = math.Min(1, 0.1+0.16*math.Log2(b/64)+0.03*float64(v.kernel)-0.1*math.Log2(float64(length)/1024))
						if v.pooling == "avg" {
							p -= 0.1
						}
						r.KLMean, r.Top1Agreement = new(math.Exp(-4*p)*rng.Float64()), new(min(1, 0.6+0.4*p*rng.Float64()))
						r.KLP99 = new(*r.KLMean * 3)
					}
					recalled := math.Floor(7*min(1, max(0, p+0.2*rng.NormFloat64()))) / 7
					if v.name == "full" {
						recalled = 1
					}
					r.Recalled = &recalled
					r.Score = new(math.Floor(recalled))
					if recalled < 1 {
						r.Prediction = " 7841" + fmt.Sprint(rng.IntN(999)) + "."
					}
					r.CacheBytes = new(int64(1024 * (32 + len(v.name))))
					r.KeptMin, r.KeptMean, r.KeptMax = r.Capacity, new(64.0), r.Capacity
					r.ID = r.Key()
					if length == 8192 && depth == 50 && v.budget == "128" && v.kernel == 5 {
						continue
					}
					if length == 8192 && depth == 0 {
						r.Score, r.Recalled, r.Error, r.Prediction = nil, nil, "the prompt needs more memory than there is", ""
					}
					s.Rows = append(s.Rows, r)
				}
			}
		}
	}
	return s
}

// longbenchSet is 16 tasks under the full cache and several budgets and kernels.
func longbenchSet(samples int) results.Set {
	rng := rand.New(rand.NewPCG(2, 1))
	var s results.Set
	s.Run = results.Run{
		Name: "longbench", Command: "snapbench longbench --model mistralai/Mistral-7B-Instruct-v0.2 --tasks all", Version: "0.1.0",
		Machine: results.Machine{OS: "linux", Arch: "amd64", CPU: "EPYC", Threads: 2, Memory: 24 << 30},
		Tasks: []string{
			"narrativeqa", "qasper", "multifieldqa_en", "hotpotqa", "2wikimqa", "musique", "gov_report", "qmsum", "multi_news",
			"trec", "triviaqa", "samsum", "passage_count", "passage_retrieval_en", "lcc", "repobench-p",
		},
		Groups: []results.Group{
			{Name: "Single-document QA", Tasks: []string{"narrativeqa", "qasper", "multifieldqa_en"}},
			{Name: "Multi-document QA", Tasks: []string{"hotpotqa", "2wikimqa", "musique"}},
			{Name: "Summarization", Tasks: []string{"gov_report", "qmsum", "multi_news"}},
			{Name: "Few-shot", Tasks: []string{"trec", "triviaqa", "samsum"}},
			{Name: "Synthetic", Tasks: []string{"passage_count", "passage_retrieval_en"}},
			{Name: "Code", Tasks: []string{"lcc", "repobench-p"}},
		},
	}
	for ti, task := range s.Run.Tasks {
		for i := range samples {
			base := min(1, max(0, 0.2+0.035*float64(ti)+0.25*rng.NormFloat64()))
			for _, b := range []string{"full", "256", "512", "1024", "2048"} {
				for _, k := range []int{5, 13} {
					r := results.Row{
						Schema: results.Schema, Run: "longbench", Model: "mistralai/Mistral-7B-Instruct-v0.2", Task: task, TaskVersion: 1, Sample: fmt.Sprint(i),
						Protocol: "longbench", Policy: "snapkv", Budget: b, Device: "cuda", DType: "bfloat16", Metric: "qa_f1", MetricVersion: 1,
						PromptSHA256: fmt.Sprintf("%08x", i*31+ti), PromptTail: "Question: where was it?\n\nAnswer:",
						Prediction: fmt.Sprintf("In the %s of 19%d, according to the passage.", task, i), Answer: "in the garden",
						PrefillSeconds: new(0.7), DecodeSeconds: new(0.2), NewTokens: new(20), PromptTokens: new(9000 + 100*i), PeakBytes: new(int64(16) << 30), CacheBytes: new(int64(64) << 20),
					}
					if b == "full" {
						if k != 5 {
							continue
						}
						r.Policy, r.Variant = "full", "full"
						r.Score = new(base)
					} else {
						var n float64
						fmt.Sscan(b, &n)
						r.Variant = fmt.Sprintf("snapkv(cap=%s,w=32,k=%d,pool=max,gqa=query_head)", b, k)
						r.Capacity = new(int(n))
						r.Params = map[string]string{"w": "32", "k": fmt.Sprint(k), "pool": "max", "gqa": "query_head"}
						r.Score = new(min(1, max(0, base-40/n+0.002*float64(k)+0.1*rng.NormFloat64())))
					}
					r.ID = r.Key()
					s.Rows = append(s.Rows, r)
				}
			}
		}
	}
	s.Run.Variants = nil
	return s
}

// look writes figures into a folder for a developer to look at: SNAPBENCH_LOOK=dir go test ./plots.
func look(t *testing.T, figures []Figure) {
	t.Helper()
	if dir := os.Getenv("SNAPBENCH_LOOK"); dir != "" {
		if _, err := Write(dir, figures); err != nil {
			t.Fatal(err)
		}
	}
}

// policySet is several policies at several budgets: h2o keeps a copy per query head, three per KV head; recent keeps
// one per KV head and has the lowest score.
func policySet(budgets ...int) results.Set {
	rng := rand.New(rand.NewPCG(3, 1))
	s := results.Set{Run: results.Run{Name: "policies", Tasks: []string{"niah", "multikey"}, Variants: []string{"full"}}}
	type policy struct {
		name   string
		params map[string]string
		copies int64
		score  float64
	}
	policies := []policy{
		{"snapkv", map[string]string{"w": "32", "k": "7", "pool": "max", "gqa": "kv_head_mean"}, 1, 0.7},
		{"h2o", map[string]string{"recent": "half"}, 3, 0.6},
		{"recent", nil, 1, 0.2},
		{"ada(snapkv)", map[string]string{"alpha": "0.2", "snapkv.w": "32", "snapkv.k": "7"}, 1, 0.8},
	}
	for _, p := range policies {
		for _, b := range budgets {
			s.Run.Variants = append(s.Run.Variants, fmt.Sprintf("%s at %d", p.name, b))
		}
	}
	const prompt, bytes = 1024, int64(6144)
	for _, task := range s.Run.Tasks {
		for i := range 12 {
			add := func(r results.Row, tokens int64, score float64) {
				r.Schema, r.Run, r.Model, r.Task, r.TaskVersion, r.Sample = results.Schema, "policies", "embedded", task, 1, fmt.Sprint(i)
				r.Device, r.DType, r.Metric, r.MetricVersion = "cpu", "float32", "exact", 1
				r.PromptTokens, r.FullCacheBytes, r.CacheBytes, r.KeptMean = new(prompt), new(prompt*bytes), new(tokens*bytes), new(float64(min(tokens, prompt)))
				r.Score = new(0.0)
				if rng.Float64() < score {
					r.Score = new(1.0)
				}
				r.ID = r.Key()
				s.Rows = append(s.Rows, r)
			}
			add(results.Row{Variant: "full", Policy: "full", Budget: "full"}, prompt, 0.97)
			for _, p := range policies {
				for _, b := range budgets {
					r := results.Row{Variant: fmt.Sprintf("%s at %d", p.name, b), Policy: p.name, Budget: fmt.Sprint(b), Params: p.params, Capacity: new(b), Share: new(float64(b) / prompt)}
					add(r, int64(b)*p.copies, p.score*(0.4+0.2*math.Log2(float64(b)/64)))
				}
			}
		}
	}
	return s
}
