package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
)

// job is a question and how to answer it: a model, tasks, variants. This page is
// the program's one sentence: every sample is read once, answers under every
// variant, is graded, and becomes a row.
type job struct {
	command  string // needle, longbench, prompts
	out      string
	tasks    []datasets.Task
	options  datasets.Options
	variants []compress.Variant
	codeSim  string
	groups   []results.Group
	run      runFlags
	model    modelFlags
	pictures func(set results.Set, dir string) ([]string, error)
}

// question is what decides a row, and so what a folder may be continued with.
type question struct {
	Command  string           `json:"command"`
	Model    string           `json:"model"`
	Revision string           `json:"revision"`
	Device   string           `json:"device"`
	DType    string           `json:"dtype"`
	Backend  string           `json:"tokenizer"`
	Tasks    []taskQuestion   `json:"tasks"`
	Options  datasets.Options `json:"options"`
	Variants []string         `json:"variants"`
	CodeSim  string           `json:"code_sim,omitempty"`
	Fidelity bool             `json:"fidelity,omitempty"`
}

type taskQuestion struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Samples int    `json:"samples"`
	Data    string `json:"data"` // a digest: a path stays when its file changes
}

func (j *job) execute(ctx context.Context, cmd *cobra.Command) error {
	if j.run.fidelity && !slices.ContainsFunc(j.variants, compress.Variant.IsFull) {
		return usage(errors.New("--fidelity measures against the full cache: add full to the variants"))
	}
	progress := newProgress(cmd.ErrOrStderr(), j.run.quiet)
	defer progress.close()
	m, err := openModel(ctx, j.model, progress.say)
	if err != nil {
		return err
	}
	defer m.Close()
	for _, v := range j.variants {
		if err := v.CheckLayers(m.loaded.Layers); err != nil {
			return usage(err)
		}
	}
	journal, err := j.open(m)
	if err != nil {
		return err
	}
	defer journal.Close()
	progress.say("results in %s", journal.Dir())

	if err := j.answer(ctx, m, journal, progress); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted with %d rows finished: the same command continues", len(journal.Rows()))
		}
		return err
	}
	progress.close()
	if err := journal.Finish(); err != nil {
		return err
	}
	return j.show(cmd.OutOrStdout(), progress, journal.Dir())
}

// open starts or continues the folder of this question.
func (j *job) open(m *model) (*results.Journal, error) {
	q := question{
		Command: j.command, Model: m.name, Revision: m.revision, Device: m.device.Name(), DType: m.device.Type().String(),
		Backend: j.model.tokenizer, Options: j.options, CodeSim: j.codeSim, Fidelity: j.run.fidelity,
	}
	run := results.Run{
		Command: commandLine(), Version: version(), Started: time.Now().UTC(), Groups: j.groups,
		Machine: results.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuName(), Threads: runtime.GOMAXPROCS(0), Devices: []string{m.device.Name() + ": " + m.device.Describe()}},
	}
	for _, t := range j.tasks {
		q.Tasks = append(q.Tasks, taskQuestion{t.Name(), t.Version(), t.Len(), t.Digest()[:16]})
		run.Tasks = append(run.Tasks, t.Name())
	}
	for _, v := range j.variants {
		q.Variants = append(q.Variants, v.String())
		run.Variants = append(run.Variants, v.String())
	}
	asked, err := results.Ask(q)
	if err != nil {
		return nil, err
	}
	run.Question = asked
	if j.out == "" {
		j.out = filepath.Join("runs", j.command+"-"+shortHash(asked))
	}
	return results.Open(j.out, run)
}

// answer runs every sample that has no finished row yet.
func (j *job) answer(ctx context.Context, m *model, journal *results.Journal, progress *progress) error {
	data := m.dataset()
	progress.plan(j.tasks)
	for _, task := range j.tasks {
		for _, i := range datasets.Order(task) {
			if err := ctx.Err(); err != nil {
				return err
			}
			rows, err := j.sample(ctx, m, journal, progress, task.Sample(i, data))
			if err != nil {
				return err
			}
			if len(rows) > 0 {
				if err := journal.Append(rows...); err != nil {
					return err
				}
			}
			progress.finished(task, i)
			// A cache that is not what its budget says makes every figure of the run
			// doubtful: the row is kept, and the run ends here.
			for _, r := range rows {
				if r.Audit != "" {
					return errors.New(r.Audit)
				}
			}
		}
	}
	return nil
}

// sample answers one sample under the variants that have no finished row.
func (j *job) sample(ctx context.Context, m *model, journal *results.Journal, progress *progress, s datasets.Sample) ([]results.Row, error) {
	var rows []results.Row
	var variants []compress.Variant
	for _, v := range j.variants {
		r := j.row(m, s, v)
		if journal.Finished(r.ID) && !(j.run.retry && journal.Failed(r.ID)) {
			continue
		}
		if s.Err != nil {
			r.Error = s.Err.Error()
		}
		rows, variants = append(rows, r), append(variants, v)
	}
	if len(rows) == 0 || s.Err != nil {
		return rows, nil
	}
	request := runners.Request{
		Prompt: s.IDs, Question: s.Question, Variants: variants, MaxNew: s.MaxNew, MinNew: s.MinNew, Stop: m.stop(s),
		Fidelity: j.run.fidelity, Progress: progress.within(s.Task, s.ID),
	}
	// Fidelity needs the full cache's answer, also where its own row is finished.
	hidden := request.Fidelity && !variants[0].IsFull() && j.variants[0].IsFull()
	if hidden {
		request.Variants = append([]compress.Variant{compress.Full}, variants...)
	}
	out, err := m.runner.Run(ctx, []runners.Request{request})
	if err != nil {
		return nil, err
	}
	completions := out[0]
	if hidden {
		completions = completions[1:]
	}
	for k := range rows {
		if err := j.grade(&rows[k], s, completions[k]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func cpuName() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for _, line := range strings.Split(string(data), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// show prints the summary and draws the pictures.
func (j *job) show(w io.Writer, progress *progress, dir string) error {
	set, err := results.Read(dir)
	if err != nil {
		return err
	}
	if j.run.json {
		data, err := os.ReadFile(filepath.Join(dir, "summary.json"))
		if err != nil {
			return err
		}
		if _, err := w.Write(data); err != nil {
			return err
		}
	} else if err := printTables(w, set); err != nil {
		return err
	}
	if err := scored(set.Rows, progress); err != nil {
		return err
	}
	files, err := j.pictures(set, dir)
	if err != nil || len(files) == 0 {
		return err
	}
	progress.say("in %s: results.parquet, summary.md, summary.json and %d pictures, for example %s", dir, len(files), filepath.Base(files[len(files)-1]))
	return nil
}

// scored says how many rows have an error instead of a score; with nothing else
// the run has no result.
func scored(rows []results.Row, progress *progress) error {
	failed, first := 0, ""
	for _, r := range rows {
		if r.Error != "" {
			if failed++; first == "" {
				first = r.Error
			}
		}
	}
	if failed == len(rows) {
		return fmt.Errorf("none of %d rows could be scored; the first: %s", len(rows), first)
	}
	if failed > 0 {
		progress.say("%d of %d rows have an error and no score; the first: %s", failed, len(rows), first)
	}
	return nil
}
