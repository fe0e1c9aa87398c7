package predictions

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// publishedScores reads a result.json: one score per set, or one per bucket.
// Python writes a bare NaN for an empty bucket, which is not JSON.
func publishedScores(t *testing.T, path string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data = regexp.MustCompile(`: NaN\b`).ReplaceAll(data, []byte(": null"))
	var scores map[string]any
	if err := json.Unmarshal(data, &scores); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return scores
}

// TestPublishedScores grades the predictions of real models and expects the
// scores that their authors published, to the last decimal. The authors do not
// say which definition of code similarity they used: one of the two has to fit
// both code sets.
func TestPublishedScores(t *testing.T) {
	for _, file := range sharedtest.Glob(t, "longbench/predictions", "*/result.json") {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			published := publishedScores(t, file)
			sets, err := ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(sets) != len(published) {
				t.Errorf("%d prediction files, %d published scores", len(sets), len(published))
			}
			var perRow map[string][]float64
			if data, err := os.ReadFile(filepath.Join(dir, "list_result.json")); err == nil {
				if err := json.Unmarshal(data, &perRow); err != nil {
					t.Fatal(err)
				}
			}
			fits := map[string]bool{}
			for _, c := range metrics.CodeSims {
				fits[c.Name] = true
			}
			rows, compared := 0, 0
			for _, set := range sets {
				if set.Chinese && set.Metric != "classification" && set.Metric != "retrieval_zh" {
					if _, err := set.Score(Options{}); err != nil {
						t.Logf("%s: not compared: %v", set.Name, err)
						continue
					}
				}
				for _, c := range metrics.CodeSims {
					result, err := set.Score(Options{CodeSim: c.Name, Buckets: FiveBuckets})
					if err != nil {
						t.Fatal(err)
					}
					equal := equalScores(result, published[set.Name], perRow[set.Name], t.Logf)
					rows += len(result.Scores)
					if len(result.Others) > 0 {
						fits[c.Name] = fits[c.Name] && equal
						continue
					}
					compared++
					if !equal {
						t.Errorf("%s: differs from what was published", set.Name)
					}
					break
				}
			}
			any := false
			for name, ok := range fits {
				if ok {
					any = true
					t.Logf("code similarity by %s; %d rows graded", name, rows)
				}
			}
			if !any {
				t.Error("no definition of code similarity gives the published scores of both code sets")
			}
			if compared == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

// equalScores compares a set with its published score or scores by bucket, and
// with the published scores of its rows if there are any.
func equalScores(got Result, published any, rows []float64, logf func(string, ...any)) bool {
	equal := true
	fail := func(format string, args ...any) {
		if equal { // the first difference says enough
			logf(got.Name+", "+got.Metric+": "+format, args...)
		}
		equal = false
	}
	switch want := published.(type) {
	case float64:
		if got.Score != want {
			fail("%v, published %v", got.Score, want)
		}
	case map[string]any:
		if len(want) != len(got.Buckets) {
			fail("%d buckets, published %d", len(got.Buckets), len(want))
		}
		for _, b := range got.Buckets {
			w, ok := want[b.Label]
			if score, isNumber := w.(float64); !ok || isNumber != (b.Rows > 0) || isNumber && b.Score != score {
				fail("bucket %s of %d rows: %v, published %v", b.Label, b.Rows, b.Score, w)
			}
		}
	default:
		fail("published score %v", published)
	}
	if rows != nil {
		if len(rows) != len(got.Scores) {
			fail("%d rows, published %d", len(got.Scores), len(rows))
			return false
		}
		for i, want := range rows {
			if diff := math.Abs(got.Scores[i] - want); !(diff <= 1e-9) {
				fail("row %d: %v, published %v", i+1, got.Scores[i], want)
			}
		}
	}
	return equal
}
