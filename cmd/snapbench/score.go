package main

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
)

func newScore() *cobra.Command {
	var f struct {
		buckets, codeSim, out, model, variant, protocol, jieba string
		json                                                   bool
	}
	cmd := &cobra.Command{
		Use:   "score DIR",
		Short: "Grade prediction files of any harness as LongBench does",
		Long: `score reads SET.jsonl (or SET.jsonl.gz) files with "pred", "answers",
"all_classes" and "length", one object a line, and grades them as LongBench's own
program does. With --out the rows become results that gate, plot and report read.`,
		Example: `  snapbench score predictions/mistral-full
  snapbench score predictions/llama --buckets 4k,8k --code-sim difflib
  snapbench score predictions/mistral-512 --model mistral-7b --variant 'snapkv(cap=512,w=32,k=7)' --out runs/512`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o := predictions.Options{CodeSim: f.codeSim}
			if _, _, err := metrics.LongBench[0].Scorers(f.codeSim); err != nil {
				return usage(err)
			}
			if cmd.Flags().Changed("buckets") {
				edges, err := predictions.ParseEdges(f.buckets)
				if err != nil {
					return usage(err)
				}
				o.Buckets = edges
			}
			variant, err := compress.Parse(f.variant)
			if err != nil {
				return usage(err)
			}
			if f.jieba != "" {
				metrics.UseJieba(f.jieba)
			}
			sets, err := predictions.ReadDir(args[0])
			if err != nil {
				return err
			}
			var graded []predictions.Result
			for _, s := range sets {
				r, err := s.Score(o)
				if err != nil {
					return err
				}
				graded = append(graded, r)
			}
			if f.out != "" {
				model := f.model
				if model == "" {
					model = filepath.Base(filepath.Clean(args[0]))
				}
				if err := saveScores(f.out, args[0], model, f.protocol, variant, sets, graded, o); err != nil {
					return err
				}
			}
			return printScores(cmd.OutOrStdout(), sets, graded, o, f.json)
		},
	}
	s := cmd.Flags()
	s.StringVar(&f.buckets, "buckets", "", "also score by the length field, as LongBench-E does: the buckets' edges, 4k,8k or 4k,8k,16k,32k (k is 1000)")
	s.StringVar(&f.codeSim, "code-sim", "", "similarity of the two code sets: levenshtein (default), difflib")
	s.StringVar(&f.out, "out", "", "folder for rows that gate, plot and report read")
	s.StringVar(&f.model, "model", "", "with --out: the model that predicted (default the folder's name)")
	s.StringVar(&f.variant, "variant", "full", "with --out: the cache it predicted with")
	s.StringVar(&f.protocol, "protocol", "", "with --out: the prompts' protocol")
	s.StringVar(&f.jieba, "jieba", "", "for the Chinese sets: folder, wheel or archive of jieba 0.42.1 (default SNAPBENCH_JIEBA)")
	s.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// printScores prints a set a line, then the averages of the categories and of
// the English and code sets, each with its 95 % interval over rows.
func printScores(w io.Writer, sets []predictions.Set, graded []predictions.Result, o predictions.Options, asJSON bool) error {
	type category struct {
		Name     string      `json:"name"`
		Score    float64     `json:"score"`
		Interval *[2]float64 `json:"interval"`
		Sets     int         `json:"sets"`
		scores   [][]float64
	}
	var categories []category
	all := category{Name: "average"}
	for i, r := range graded {
		set := sets[i].LongBenchSet
		if set.Chinese {
			continue
		}
		k := -1
		for j := range categories {
			if categories[j].Name == set.Category {
				k = j
			}
		}
		if k < 0 {
			categories, k = append(categories, category{Name: set.Category}), len(categories)
		}
		categories[k].scores = append(categories[k].scores, r.Scores)
		all.scores = append(all.scores, r.Scores)
	}
	if len(all.scores) > 0 {
		categories = append(categories, all)
	}
	for i := range categories {
		c := &categories[i]
		average := results.AverageInterval(c.scores)
		c.Score, c.Sets, c.Interval = 100*average.Mean, len(c.scores), points(average)
	}
	if asJSON {
		type set struct {
			Name          string               `json:"name"`
			Metric        string               `json:"metric"`
			MetricVersion int                  `json:"metric_version"`
			Rows          int                  `json:"rows"`
			Score         float64              `json:"score"`
			Interval      *[2]float64          `json:"interval"`
			Buckets       []predictions.Bucket `json:"buckets,omitempty"`
		}
		var out struct {
			Sets     []set      `json:"sets"`
			Averages []category `json:"averages"`
		}
		for _, r := range graded {
			out.Sets = append(out.Sets, set{r.Name, r.Metric, r.MetricVersion, len(r.Scores), r.Score, points(results.MeanInterval(r.Scores)), r.Buckets})
		}
		out.Averages = categories
		return json.NewEncoder(w).Encode(out)
	}
	line := func(name, metric string, rows int, score float64, interval *[2]float64) {
		between := ""
		if interval != nil {
			between = fmt.Sprintf("[%.1f, %.1f]", interval[0], interval[1])
		}
		fmt.Fprintf(w, "%-24s %-18s %6d %8s %14s", name, metric, rows, strconv.FormatFloat(score, 'f', 2, 64), between)
	}
	fmt.Fprintf(w, "%-24s %-18s %6s %8s %14s", "set", "metric", "rows", "score", "95 % interval")
	if o.Buckets != nil {
		for _, label := range o.Buckets.Labels() {
			fmt.Fprintf(w, " %8s", label)
		}
	}
	fmt.Fprintln(w)
	for _, r := range graded {
		line(r.Name, r.Metric, len(r.Scores), r.Score, points(results.MeanInterval(r.Scores)))
		for _, b := range r.Buckets {
			fmt.Fprintf(w, " %8s", bucketScore(b))
		}
		fmt.Fprintln(w)
	}
	for _, c := range categories {
		line(c.Name, "mean of sets", c.Sets, c.Score, c.Interval)
		fmt.Fprintln(w)
	}
	return nil
}

// points is an interval in points of 0 to 100, nil where there is none.
func points(i results.Interval) *[2]float64 {
	if !i.Defined() {
		return nil
	}
	return &[2]float64{100 * i.Lo, 100 * i.Hi}
}

func bucketScore(b predictions.Bucket) string {
	if b.Rows == 0 {
		return "–"
	}
	return strconv.FormatFloat(b.Score, 'f', 2, 64)
}

// saveScores writes the graded predictions as rows, samples by their number in
// the file.
func saveScores(out, dir, model, protocol string, v compress.Variant, sets []predictions.Set, graded []predictions.Result, o predictions.Options) error {
	var files []string
	for _, s := range sets {
		files = append(files, s.File)
	}
	sum, err := local.Digest(files...)
	if err != nil {
		return err
	}
	asked, err := results.Ask(map[string]any{"command": "score", "model": model, "variant": v.String(), "protocol": protocol,
		"code_sim": o.CodeSim, "predictions": sum})
	if err != nil {
		return err
	}
	run := results.Run{Command: commandLine(), Version: version(), Started: time.Now().UTC(), Question: asked,
		Machine: results.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH}, Variants: []string{v.String()}, Groups: longBenchGroups()}
	for _, s := range sets {
		run.Tasks = append(run.Tasks, s.Name)
	}
	journal, err := results.Open(out, run)
	if err != nil {
		return err
	}
	defer journal.Close()
	for i, s := range sets {
		var rows []results.Row
		for k, p := range s.Rows {
			r := runners.RowOf(v)
			r.Model, r.Task, r.TaskVersion, r.Sample, r.Protocol = model, s.Name, 1, strconv.Itoa(k), protocol
			r.Device, r.DType, r.Prediction, r.Note = "unknown", "unknown", p.Pred, "predicted elsewhere"
			r.Metric, r.MetricVersion, r.Score = graded[i].Metric, graded[i].MetricVersion, &graded[i].Scores[k]
			if p.Length >= 0 {
				r.Length = &p.Length
			}
			r.SetAnswers(p.Answers)
			for metric, scores := range graded[i].Others {
				if metric == "code_sim_difflib" {
					r.CodeSimDifflib = &scores[k]
				} else {
					r.CodeSimLevenshtein = &scores[k]
				}
			}
			switch graded[i].Metric {
			case "code_sim":
				r.CodeSimLevenshtein = r.Score
			case "code_sim_difflib":
				r.CodeSimDifflib = r.Score
			}
			r.ID = r.Key("predictions="+sum, "code_sim="+o.CodeSim)
			if !journal.Finished(r.ID) {
				rows = append(rows, r)
			}
		}
		if len(rows) > 0 {
			if err := journal.Append(rows...); err != nil {
				return fmt.Errorf("%s: %w", dir, err)
			}
		}
	}
	if err := journal.Finish(); err != nil {
		return err
	}
	set, err := results.Read(out)
	if err != nil {
		return err
	}
	_, err = pictures(set, out)
	return err
}

// longBenchGroups are the averages LongBench's tables give: the six categories
// and the sixteen English and code sets; and those of the Chinese sets and of
// LongBench-E.
func longBenchGroups() []results.Group {
	var groups []results.Group
	var all, chinese, e []string
	for _, s := range metrics.LongBench {
		if s.E {
			e = append(e, s.Name+"_e")
		}
		if s.Chinese {
			chinese = append(chinese, s.Name)
			continue
		}
		all = append(all, s.Name)
		if len(groups) == 0 || groups[len(groups)-1].Name != s.Category {
			groups = append(groups, results.Group{Name: s.Category})
		}
		g := &groups[len(groups)-1]
		g.Tasks = append(g.Tasks, s.Name)
	}
	return append(groups, results.Group{Name: "the 16 English and code sets", Tasks: all},
		results.Group{Name: "the 5 Chinese sets", Tasks: chinese}, results.Group{Name: "the 13 sets of LongBench-E", Tasks: e})
}
