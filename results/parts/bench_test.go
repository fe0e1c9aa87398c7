package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// BenchmarkJoin joins a run of so many rows (SNAPBENCH_JOIN_ROWS, 10,000 without it) in 64
// parts, each row with an answer of 200 characters and the end of a prompt.
func BenchmarkJoin(b *testing.B) {
	n := 10_000
	if text := os.Getenv("SNAPBENCH_JOIN_ROWS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	const count, variants = 64, 20
	dir, run := b.TempDir(), question()
	run.Tasks, run.Variants, run.Samples = []string{"t"}, nil, []int{n / variants}
	for v := range variants {
		run.Variants = append(run.Variants, fmt.Sprint("v", v))
	}
	for i := range count {
		if err := os.MkdirAll(filepath.Join(dir, results.PartsDir), 0o755); err != nil {
			b.Fatal(err)
		}
		j, err := Begin(dir, Part{i, count}, "a", run)
		if err != nil {
			b.Fatal(err)
		}
		var list []results.Row
		for s := i; s < n/variants; s += count {
			for _, v := range run.Variants {
				r := results.Row{Model: "m", Task: "t", Sample: fmt.Sprintf("length=8192,depth=%d,trial=%d", s%5*25, s), Variant: v, Policy: "p", Budget: v,
					Device: "cuda:0", DType: "bfloat16", Prediction: fmt.Sprintf("%0200d", s), PromptTail: fmt.Sprintf("%0600d", s), Metric: "exact", Score: new(1.0),
					PrefillSeconds: new(0.5), DecodeSeconds: new(0.25), NewTokens: new(32), CacheBytes: new(int64(1 << 30)), KeptMin: new(1024), KeptMax: new(1024)}
				r.ID = r.Key()
				list = append(list, r)
			}
		}
		if err := j.Append(list...); err != nil {
			b.Fatal(err)
		}
		if err := j.FinishPart(); err != nil {
			b.Fatal(err)
		}
		j.Close()
	}
	b.ReportMetric(float64(n), "rows")
	for b.Loop() {
		joined, err := Join(dir, false)
		if err != nil || joined.Rows != n/variants*variants {
			b.Fatalf("%+v, %v", joined, err)
		}
		b.StopTimer()
		os.Remove(filepath.Join(dir, "results.parquet"))
		os.Remove(filepath.Join(dir, "run.json"))
		b.StartTimer()
	}
}
