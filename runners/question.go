package runners

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
)

// question is what decides a job's rows, and so what a folder may be continued with.
type question struct {
	Command  string         `json:"command"`
	Model    string         `json:"model"`
	Revision string         `json:"revision"`
	Rope     string         `json:"rope,omitempty"`
	Device   string         `json:"device"`
	DType    string         `json:"dtype"`
	Settings []string       `json:"settings,omitempty"`
	Tasks    []taskQuestion `json:"tasks"`
	Variants []string       `json:"variants"`
	Fidelity bool           `json:"fidelity,omitempty"`
	Evidence string         `json:"evidence,omitempty"`
	Date     string         `json:"date,omitempty"` // only where the model's chat template asks for it
}

type taskQuestion struct {
	Name    string           `json:"name"`
	Version int              `json:"version"`
	Samples int              `json:"samples"`
	Data    string           `json:"data"` // a digest: a path stays when its file changes
	Options datasets.Options `json:"options"`
}

// Describe returns what run.json says of a job that a team answers, the command line
// and the program's version excepted. Options are the tasks' own, in their order;
// where data lies plays no part in them, the digest says what it is.
func (j *Job) Describe(team []Runner, options []datasets.Options) (results.Run, error) {
	q := question{
		Command: j.Name, Model: j.Subject.Model, Revision: j.Subject.Revision, Rope: j.Subject.Rope, Device: j.Subject.Device, DType: j.Subject.DType,
		Settings: j.Settings, Fidelity: j.Baseline != nil, Date: j.Date,
	}
	if j.Evidence != nil {
		q.Evidence = evidenceVersion
	}
	run := results.Run{
		Started: time.Now().UTC(),
		Machine: results.Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPU: Processor(), Threads: runtime.GOMAXPROCS(0)},
	}
	for _, r := range team {
		d := r.Describe()
		if name := d.Name + ": " + d.About; !slices.Contains(run.Machine.Devices, name) { // one server is several runners
			run.Machine.Devices = append(run.Machine.Devices, name)
		}
	}
	for i, t := range j.Tasks {
		if d, err := datasets.Define(t.Name()); err == nil && d.Family == "longbench" {
			run.Groups = LongBenchGroups()
		}
		q.Tasks = append(q.Tasks, taskQuestion{t.Name(), t.Version(), t.Len(), t.Digest()[:16], options[i]})
		run.Tasks, run.Samples = append(run.Tasks, t.Name()), append(run.Samples, t.Len())
	}
	run.Ladders = ladders(j.Tasks)
	for _, v := range j.Variants {
		q.Variants = append(q.Variants, v.String())
		run.Variants = append(run.Variants, v.String())
	}
	var err error
	run.Question, err = results.Ask(q)
	return run, err
}

// Check reports what cannot be asked of a team, before anything is read.
func (j *Job) Check(team []Runner) error {
	for _, r := range team {
		if err := r.Check(j.Variants); err != nil {
			return Mistake(err)
		}
		d := r.Describe()
		if j.Evidence != nil && !d.Positions {
			return Mistake(fmt.Errorf("evidence: %s does not tell which positions it keeps", d.Name))
		}
		for _, t := range j.Tasks {
			if d.Context == 0 {
				continue
			}
			if most, ok := t.(interface{ Totals() []int }); ok {
				if n := slices.Max(most.Totals()); n > d.Context {
					return Mistake(fmt.Errorf("length %d, prompt and answer together: the context of %s is %d tokens: ask for less by --lengths, or take a model with a longer one",
						n, d.Model, d.Context))
				}
			}
			sized, ok := t.(interface{ Lengths() []int })
			if !ok {
				continue
			}
			for _, n := range sized.Lengths() {
				if n >= d.Context {
					return Mistake(fmt.Errorf("length %d: the context of %s is %d tokens: ask by --lengths or --max-len for prompts that leave an answer room in it, or take a model with a longer one",
						n, d.Model, d.Context))
				}
			}
		}
	}
	return nil
}

// Processor names this machine's processor, or its architecture where it has no name.
func Processor() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
