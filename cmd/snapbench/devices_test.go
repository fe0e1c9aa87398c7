package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/local"
)

// askedOn runs a file of prompts in a process of its own and returns the rows.
func askedOn(t *testing.T, model, prompts, device, out string, more ...string) []results.Row {
	t.Helper()
	c := exec.Command(os.Args[0], append([]string{"prompts", prompts, "--model", model, "--device", device, "--metric", "recalled",
		"--budgets", "full,24,40", "--windows", "8", "--kernels", "3,5", "--max-new", "6", "--out", out}, more...)...)
	c.Env = append(os.Environ(), asCommand+"=1")
	if said, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", device, err, said)
	}
	return rowsBesidesTimes(t, out)
}

// Samples spread over two devices give the same rows as one device, to the byte.
func TestTwoDevices(t *testing.T) {
	model, work := tinyModel(t), t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 45); err != nil {
		t.Fatal(err)
	}
	for _, one := range []string{"cpu", "ref"} {
		t.Run(one, func(t *testing.T) {
			want := askedOn(t, model, prompts, one, filepath.Join(work, one), "--fidelity")
			got := askedOn(t, model, prompts, one+","+one, filepath.Join(work, one+one), "--fidelity")
			if len(want) != 45*5 || !reflect.DeepEqual(got, want) {
				t.Errorf("%d rows on two devices, %d on one, or others", len(got), len(want))
			}
		})
	}
	// Devices of two kinds are a different question, and each row is the one that the
	// device it names gives alone.
	mixed := askedOn(t, model, prompts, "ref,cpu", filepath.Join(work, "mixed"), "--fidelity")
	type key struct{ device, sample, variant string }
	alone := map[key]results.Row{}
	for _, one := range []string{"cpu", "ref"} {
		for _, r := range rowsBesidesTimes(t, filepath.Join(work, one)) {
			alone[key{r.Device, r.Sample, r.Variant}] = r
		}
	}
	ids := map[string]bool{}
	for _, r := range mixed {
		want := alone[key{r.Device, r.Sample, r.Variant}]
		ids[r.ID] = true
		r.ID, r.Run = want.ID, want.Run
		if !reflect.DeepEqual(r, want) {
			t.Errorf("on two kinds of devices\n%+v\nalone\n%+v", r, want)
		}
	}
	if len(mixed) != 45*5 || len(ids) != len(mixed) {
		t.Errorf("%d rows with %d ids on two kinds of devices, want %d", len(mixed), len(ids), 45*5)
	}
}

// Every command that runs a model over samples takes several devices. speed refuses them
// and says why.
func TestEveryCommandTakesDevices(t *testing.T) {
	model, work := tinyModel(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(work, "trec.jsonl"), []byte(`{"input": "Question: What is it?", "context": "Question: Who was he?\nType: Individual\n", "answers": ["Individual"], "length": 10, "dataset": "trec", "language": "en", "all_classes": ["Individual", "Other thing"], "_id": "a"}
{"input": "Question: Who is it?", "context": "Question: Who was she?\nType: Individual\n", "answers": ["Individual"], "length": 10, "dataset": "trec", "language": "en", "all_classes": ["Individual", "Other thing"], "_id": "b"}
`), 0o644); err != nil {
		t.Fatal(err)
	}
	preset := filepath.Join(work, "preset.yaml")
	if err := os.WriteFile(preset, []byte("command: needle\ndevice: [cpu, ref]\nlengths: [400]\ndepths: [0, 100]\ntrials: 1\nbudgets: [full, 40]\nkernels: 5\nmax-new: 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"needle":    {"needle", "--device", "cpu,cpu", "--lengths", "400", "--depths", "2", "--trials", "1", "--budgets", "full,40", "--kernels", "5", "--max-new", "2"},
		"longbench": {"longbench", "--device", "cpu,cpu", "--tasks", "trec", "--data", work, "--budgets", "full,40", "--max-new", "2"},
		"run":       {"run", preset},
	} {
		out := filepath.Join(work, name)
		pass(t, append(args, "--model", model, "--quiet", "--out", out)...)
		if rows := rowsBesidesTimes(t, out); len(rows) != 4 {
			t.Errorf("%s: %d rows, want 4", name, len(rows))
		}
		run, err := results.ReadRun(out)
		if err != nil || len(run.Machine.Devices) != 2 {
			t.Errorf("%s: run.json names the devices %q, %v", name, run.Machine.Devices, err)
		}
	}
	status, _, stderr := snapbench("speed", "--model", "shape:tiny", "--device", "cpu,cpu", "--lengths", "64")
	if status != exitUsage || !strings.Contains(stderr, "--device cpu,cpu: speed measures one device") {
		t.Errorf("speed on two devices: status %d, %q", status, stderr)
	}
}

// listening calls heard with the format of every line for the user, when the run goes on behind it.
type listening struct {
	*console.Progress
	heard func(format string)
}

func (l listening) Say(format string, arguments ...any) {
	l.Progress.Say(format, arguments...)
	l.heard(format)
}

// onTwo opens the tiny model on two CPU engines and prepares a run over n prompts; the
// returned function runs it.
func onTwo(t *testing.T, n int, change func(team []runners.Runner), heard func(format string)) (answer func() error, journal *results.Journal, said *strings.Builder) {
	t.Helper()
	work := t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, n); err != nil {
		t.Fatal(err)
	}
	said = &strings.Builder{}
	progress := console.NewProgress(said, false)
	m, err := local.Open(t.Context(), local.Options{Model: tinyModel(t), Device: "cpu,cpu", DType: "auto", Tokenizer: "native"}, progress.Say)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	team := m.Runners()
	change(team)
	options := datasets.Options{Own: &datasets.PromptsOptions{File: prompts}, Metric: "recalled", MaxNew: 3}
	task, err := datasets.Open("prompts", options)
	if err != nil {
		t.Fatal(err)
	}
	variants, err := compress.ParseAll("full;snapkv(cap=24,w=8)")
	if err != nil {
		t.Fatal(err)
	}
	j := &runners.Job{Name: "prompts", Tasks: []datasets.Task{task}, Variants: runners.VariantsOf(variants), Reader: m.Reader(), Stop: m.Stop, Subject: m.Subject()}
	run, err := j.Describe(team, []datasets.Options{options})
	if err != nil {
		t.Fatal(err)
	}
	if journal, err = results.Open(filepath.Join(work, "run"), run); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { journal.Close() })
	return func() error { return j.Run(t.Context(), team, journal, listening{progress, heard}) }, journal, said
}

// flawed is one of a pair of runners. The second fails in its second request, but not before
// the first has begun one; the first finishes that request only when the run knows of the failure.
type flawed struct {
	runners.Runner
	other       *flawed // of the second, the first
	begun, lost chan struct{}
	begins      atomic.Int32
	completed   atomic.Int32
}

var errLost = errors.New("fell off the bus")

func (f *flawed) Run(ctx context.Context, work runners.Work) error {
	return runners.OneByOne(ctx, work, func(ctx context.Context, q runners.Request) ([]runners.Completion, error) {
		switch n := f.begins.Add(1); {
		case f.other == nil && n == 1:
			close(f.begun)
			select {
			case <-f.lost:
			case <-time.After(2 * time.Minute): // then others are handed out, which the test counts
			}
		case f.other != nil && n == 2:
			<-f.other.begun
			return nil, errLost
		}
		out, err := runners.Answer(ctx, f.Runner, q)
		if err != nil {
			return nil, err
		}
		f.completed.Add(1)
		return out[0], nil
	})
}

// When a device fails, the error names it; what the other device has in hand is finished and
// written, nothing else is begun, and the same command continues the run.
func TestOneDeviceFails(t *testing.T) {
	var first, second *flawed
	answer, journal, said := onTwo(t, 100, func(team []runners.Runner) {
		first = &flawed{Runner: team[0], begun: make(chan struct{}), lost: make(chan struct{})}
		second = &flawed{Runner: team[1], other: first}
		team[0], team[1] = first, second
	}, func(format string) {
		if strings.Contains(format, "the other devices finish what they have in hand") {
			close(first.lost)
		}
	})
	err := answer()
	if !errors.Is(err, errLost) || !strings.HasPrefix(err.Error(), "cpu (2 of 2): ") {
		t.Fatalf("error %v; want the device and what happened", err)
	}
	if !strings.Contains(said.String(), "cpu (2 of 2): fell off the bus: the other devices finish what they have in hand") {
		t.Errorf("said %q", said)
	}
	had := int(first.completed.Load() + second.completed.Load())
	if first.begins.Load() != 1 || second.begins.Load() != 2 || len(journal.Rows()) != 2*had || first.completed.Load() == 0 {
		t.Errorf("%d rows of %d samples in %d and %d requests; want all of 1 and 2", len(journal.Rows()), had, first.begins.Load(), second.begins.Load())
	}
	if err := answer(); err != nil {
		t.Fatal(err)
	}
	if len(journal.Rows()) != 200 {
		t.Errorf("%d rows after going on, want 200", len(journal.Rows()))
	}
}

// needsCUDA returns the number of cards. Without a card it skips the test, or fails it
// where SNAPBENCH_DEVICES=cuda is set.
func needsCUDA(t *testing.T) int {
	t.Helper()
	r := cuda.Probe()
	if len(r.Missing) > 0 {
		say := t.Skipf
		if strings.Contains(os.Getenv("SNAPBENCH_DEVICES"), "cuda") {
			say = t.Fatalf
		}
		say("no GPU to test on: %s", strings.Join(r.Missing, "; "))
	}
	return len(r.Cards)
}

// Two workers on one card give the rows of one worker, and so do all cards together.
func TestTwoWorkersOnCUDA(t *testing.T) {
	cards := needsCUDA(t)
	model, work := tinyModel(t), t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 45); err != nil {
		t.Fatal(err)
	}
	lists := []string{"cuda:0,cuda:0", "cuda:all"}
	if cards == 1 {
		lists = append(lists, "cuda:0,cuda:0,cuda:0")
	}
	for _, dtype := range []string{"float32", "bfloat16"} {
		want := askedOn(t, model, prompts, "cuda:0", filepath.Join(work, dtype), "--dtype", dtype, "--fidelity")
		if len(want) != 45*5 {
			t.Errorf("%s: %d rows", dtype, len(want))
		}
		for i, list := range lists {
			got := askedOn(t, model, prompts, list, filepath.Join(work, fmt.Sprint(dtype, i)), "--dtype", dtype, "--fidelity")
			if len(got) != len(want) {
				t.Fatalf("%s on %s: %d rows, want %d", dtype, list, len(got), len(want))
			}
			for k := range got {
				if !strings.HasPrefix(got[k].Device, "cuda:") || got[k].Error != "" {
					t.Errorf("%s on %s: device %q, error %q", dtype, list, got[k].Device, got[k].Error)
				}
				got[k].Device = want[k].Device
				if !reflect.DeepEqual(got[k], want[k]) {
					t.Errorf("%s on %s:\n%+v\non one:\n%+v", dtype, list, got[k], want[k])
				}
			}
		}
	}
}

// A card and the CPU share a run only in one number format.
func TestCUDAAndCPU(t *testing.T) {
	needsCUDA(t)
	model, work := tinyModel(t), t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 45); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := snapbench("prompts", prompts, "--model", model, "--device", "cuda:0,cpu", "--out", filepath.Join(work, "refused"))
	if status != exitUsage || !strings.Contains(stderr, "cuda:0 computes in bfloat16, cpu in float32") {
		t.Errorf("status %d, %q", status, stderr)
	}
	made := map[string]int{}
	for _, r := range askedOn(t, model, prompts, "cuda:0,cpu", filepath.Join(work, "both"), "--dtype", "float32") {
		made[r.Device]++
		if r.Error != "" {
			t.Errorf("%s on %s: %s", r.Sample, r.Device, r.Error)
		}
	}
	if made["cuda:0"]+made["cpu"] != 45*5 {
		t.Errorf("rows by device: %v, want %d in all", made, 45*5)
	}
}

// A run on a card that is killed, and continued with a different number of workers each
// time, ends with the rows of an undisturbed one.
func TestTwoWorkersOnCUDAKilledAndResumed(t *testing.T) {
	needsCUDA(t)
	killedAndResumed(t, 6, "cuda:0", "cuda:0,cuda:0", "cuda:0")
}
