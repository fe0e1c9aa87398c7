package scores

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/plots"
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
	return s.save(dir, command, version, files, names, runners.LongBenchGroups(), func(digest string) (rows []results.Row) {
		for i, set := range sets {
			for k := range set.Rows {
				r := s.row(set, graded[i], k)
				r.ID = r.Key("predictions="+digest, "code_sim="+s.CodeSim)
				rows = append(rows, r)
			}
		}
		return rows
	})
}

// save writes the rows, which are told a digest of the files, and draws the run's pictures.
func (s Source) save(dir, command, version string, files, tasks []string, groups []results.Group, rows func(digest string) []results.Row) error {
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
		Tasks: tasks, Variants: []string{s.Variant.String()}, Groups: groups,
	})
	if err != nil {
		return err
	}
	defer journal.Close()
	left := slices.DeleteFunc(rows(digest), func(r results.Row) bool { return journal.Finished(r.ID) })
	if len(left) > 0 {
		if err := journal.Append(left...); err != nil {
			return fmt.Errorf("%s: %w", s.Dir, err)
		}
	}
	if err := journal.Finish(); err != nil {
		return err
	}
	set, err := results.Read(dir)
	if err != nil {
		return err
	}
	_, err = plots.WriteRun(dir, set)
	return err
}

// row is prediction k of a set.
func (s Source) row(set predictions.Set, graded predictions.Result, k int) results.Row {
	p := &set.Rows[k]
	r := s.rowOf(set.Name, strconv.Itoa(k), p.Pred)
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

// rowOf is what all rows of predictions have.
func (s Source) rowOf(task, sample, prediction string) results.Row {
	r := runners.RowOf(s.Variant)
	r.Model, r.Task, r.TaskVersion, r.Sample, r.Protocol = s.Model, task, 1, sample, s.Protocol
	r.Device, r.DType, r.Prediction, r.Note = "unknown", "unknown", prediction, "predicted elsewhere"
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
