package gate

import (
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// The fixtures are those of the tests of package results, which cannot share them: its tests are inside of it.

// grid makes the rows of tasks × variants × samples with scores from a function.
func grid(tasks, variants []string, n int, score func(task, variant string, sample int) float64) results.Set {
	s := results.Set{Run: results.Run{Name: "test", Tasks: tasks, Variants: variants}}
	for _, task := range tasks {
		for i := range n {
			for _, v := range variants {
				r := results.Row{
					Schema: results.Schema, Run: "test", Model: "tiny", Task: task, TaskVersion: 1, Sample: fmt.Sprint(i), Protocol: "longbench",
					Variant: v, Policy: "snapkv", Budget: v, Device: "ref", DType: "float32", PromptSHA256: fmt.Sprintf("%x", i),
					Metric: "qa_f1", MetricVersion: 1, Score: new(score(task, v, i)),
					PrefillSeconds: new(1.0), DecodeSeconds: new(0.5), NewTokens: new(8), PromptTokens: new(1000), PeakBytes: new(int64(1 << 20)),
				}
				if v == "full" {
					r.Policy = "full"
				} else {
					r.Params = map[string]string{"k": "7", "w": "32", "pool": "max"}
				}
				r.ID = r.Key()
				s.Rows = append(s.Rows, r)
			}
		}
	}
	return s
}

// servers are rows of servers that differ in a setting: the first finds everything, the second half of it.
func servers(label string, caches ...string) results.Set {
	set := results.Set{Name: "runs/" + label}
	for k, kv := range caches {
		params := map[string]string{}
		if kv != "" {
			params["kv"] = kv
		}
		if label != "" {
			params["label"] = label
		}
		variant := "server(" + strings.ReplaceAll(results.Params(params), " ", ",") + ")"
		set.Run.Variants = append(set.Run.Variants, variant)
		for i := range 40 {
			score := 1.0
			if k > 0 && i%2 == 0 {
				score = 0
			}
			r := results.Row{
				Schema: results.Schema, Model: "m", Task: "niah", Sample: fmt.Sprint(i), Variant: variant, Policy: "server", Budget: "full", Params: params,
				Device: "server", Metric: "exact", Score: &score,
			}
			r.ID = r.Key()
			set.Rows = append(set.Rows, r)
		}
	}
	set.Run.Baseline = set.Run.Variants[0]
	return set
}
