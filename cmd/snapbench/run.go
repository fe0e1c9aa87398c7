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
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
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
	Date     string           `json:"date,omitempty"` // only where the model's chat template asks for it
}

type taskQuestion struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
	Samples int    `json:"samples"`
	Data    string `json:"data"` // a digest: a path stays when its file changes
}

func (j *job) execute(ctx context.Context, cmd *cobra.Command) error {
	if j.run.date != "" {
		if _, err := parseDate(j.run.date); err != nil {
			return usage(err)
		}
	}
	if j.run.fidelity && !slices.ContainsFunc(j.variants, compress.Variant.IsFull) {
		return usage(errors.New("--fidelity measures against the full cache: add full to the variants"))
	}
	progress := newProgress(cmd.ErrOrStderr(), j.run.quiet)
	defer progress.close()
	m, err := open(ctx, j.model, progress.say, true)
	if err != nil {
		return err
	}
	defer m.Close()
	for _, v := range j.variants {
		if err := v.CheckLayers(m.loaded.Layers); err != nil {
			return usage(err)
		}
	}
	for _, n := range j.options.Needle.Lengths {
		if n >= m.loaded.Context {
			return usage(fmt.Errorf("length %d: the context of %s is %d tokens: ask by --lengths or --max-len for prompts that leave an answer room in it, or take a model with a longer one",
				n, m.name, m.loaded.Context))
		}
	}
	journal, err := j.open(m)
	if err != nil {
		return err
	}
	defer journal.Close()
	progress.say("results in %s", journal.Dir())

	if err := j.answer(ctx, m, journal, progress); err != nil {
		if errors.Is(err, context.Canceled) {
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
		Command: j.command, Model: m.name, Revision: m.revision, Device: m.kinds, DType: m.device.Type().String(),
		Backend: j.model.tokenizer, Options: j.options, CodeSim: j.codeSim, Fidelity: j.run.fidelity,
	}
	run := results.Run{
		Command: commandLine(), Version: version(), Started: time.Now().UTC(), Groups: j.groups,
		Machine: results.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: cpuName(), Threads: runtime.GOMAXPROCS(0)},
	}
	for _, w := range m.workers {
		run.Machine.Devices = append(run.Machine.Devices, w.label+": "+w.device.Describe())
	}
	// Where data lies plays no part; the tasks' digests say what it is.
	q.Options.Data, q.Options.Needle.Haystack = "", ""
	for _, t := range j.tasks {
		q.Tasks = append(q.Tasks, taskQuestion{t.Name(), t.Version(), t.Len(), t.Digest()[:16]})
		run.Tasks = append(run.Tasks, t.Name())
	}
	for _, v := range j.variants {
		q.Variants = append(q.Variants, v.String())
		run.Variants = append(run.Variants, v.String())
	}
	dated := m.chat != nil && m.chat.UsesDate()
	if dated {
		q.Date = j.run.date
	}
	asked, err := results.Ask(q)
	if err != nil {
		return nil, err
	}
	if j.out == "" { // the same for the same command, on any day
		j.out = filepath.Join("runs", j.command+"-"+shortHash(asked))
	}
	if dated {
		q.Date = dateOf(j.run.date, j.out)
		if m.date, err = parseDate(q.Date); err != nil {
			return nil, fmt.Errorf("%s: run.json: %w", j.out, err)
		}
		if asked, err = results.Ask(q); err != nil {
			return nil, err
		}
	}
	run.Question = asked
	return results.Open(j.out, run)
}

// answer runs every sample that has no finished row yet, as many at a time as may
// be decoded together, on every device at once.
func (j *job) answer(ctx context.Context, m *model, journal *results.Journal, progress *progress) error {
	progress.plan(j.tasks)
	q := &queue{job: j, model: m, data: m.dataset(), progress: progress, journal: journal, tasks: j.tasks}
	var wait sync.WaitGroup
	for _, w := range m.workers {
		wait.Go(func() { q.work(ctx, w) })
	}
	wait.Wait()
	return q.err
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
	noted(rows, progress)
	return nil
}

// noted tells what rows say besides, such as a haystack that starts over.
func noted(rows []results.Row, progress *progress) {
	count := map[string]int{}
	var order []string
	for _, r := range rows {
		for _, note := range strings.Split(r.Note, "; ") {
			if note == "" {
				continue
			}
			if count[note]++; count[note] == 1 {
				order = append(order, note)
			}
		}
	}
	const most = 4
	for i, text := range order {
		if i == most {
			progress.say("and %d notes more, in the column note", len(order)-most)
			break
		}
		progress.say("%d of %d rows: %s", count[text], len(rows), text)
	}
}
