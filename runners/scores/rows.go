package scores

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
)

// Source says where graded predictions come from.
type Source struct {
	Dir      string // folder with the prediction files, for errors
	Model    string // that predicted
	Protocol string // of its prompts
	Variant  compress.Variant
	CodeSim  string // similarity that graded the code sets
}

// Save writes graded predictions as a run into a folder: a row each, whose sample is its
// number in the file. Command and version say what wrote it. graded[i] is of sets[i].
func (s Source) Save(dir, command, version string, sets []predictions.Set, graded []predictions.Result) error {
	var files, names []string
	for _, set := range sets {
		files, names = append(files, set.File), append(names, set.Name)
	}
	digest, err := local.Digest(files...)
	if err != nil {
		return err
	}
	question, err := results.Ask(map[string]any{"command": "score", "model": s.Model, "variant": s.Variant.String(), "protocol": s.Protocol,
		"code_sim": s.CodeSim, "predictions": digest})
	if err != nil {
		return err
	}
	journal, err := results.Open(dir, results.Run{
		Command: command, Version: version, Started: time.Now().UTC(), Question: question, Machine: results.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH},
		Tasks: names, Variants: []string{s.Variant.String()}, Groups: runners.LongBenchGroups(),
	})
	if err != nil {
		return err
	}
	defer journal.Close()
	for i, set := range sets {
		var rows []results.Row
		for k := range set.Rows {
			r := s.row(set, graded[i], k)
			r.ID = r.Key("predictions="+digest, "code_sim="+s.CodeSim)
			if !journal.Finished(r.ID) {
				rows = append(rows, r)
			}
		}
		if len(rows) > 0 {
			if err := journal.Append(rows...); err != nil {
				return fmt.Errorf("%s: %w", s.Dir, err)
			}
		}
	}
	return journal.Finish()
}

// row is prediction k of a set.
func (s Source) row(set predictions.Set, graded predictions.Result, k int) results.Row {
	p := &set.Rows[k]
	r := runners.RowOf(s.Variant)
	r.Model, r.Task, r.TaskVersion, r.Sample, r.Protocol = s.Model, set.Name, 1, strconv.Itoa(k), s.Protocol
	r.Device, r.DType, r.Prediction, r.Note = "unknown", "unknown", p.Pred, "predicted elsewhere"
	r.Metric, r.MetricVersion, r.Score = graded.Metric, graded.MetricVersion, &graded.Scores[k]
	if p.Length >= 0 {
		r.Length = &p.Length
	}
	r.SetAnswers(p.Answers)
	setSimilarity(&r, graded.Metric, r.Score)
	for metric, scores := range graded.Others {
		setSimilarity(&r, metric, &scores[k])
	}
	return r
}

// setSimilarity fills the column of a code similarity; other metrics have none.
func setSimilarity(r *results.Row, metric string, score *float64) {
	switch metric {
	case "code_sim":
		r.CodeSimLevenshtein = score
	case "code_sim_difflib":
		r.CodeSimDifflib = score
	}
}
