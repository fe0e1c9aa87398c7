package server

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
)

type silent struct{}

func (silent) Plan([]runners.Place)                         {}
func (silent) Within(string, string) func(runners.Progress) { return func(runners.Progress) {} }
func (silent) Finished(datasets.Task, int, runners.Spent)   {}
func (silent) Say(string, ...any)                           {}

// job asks a server all of a file of prompts, in a folder.
func job(t *testing.T, r *Runner, file, dir string) ([]results.Row, error) {
	t.Helper()
	task, err := datasets.Open("prompts", datasets.Options{MaxNew: 6, Own: &datasets.PromptsOptions{File: file}})
	if err != nil {
		t.Fatal(err)
	}
	j := &runners.Job{Name: "prompts", Tasks: []datasets.Task{task}, Reader: r.Reader(), Stop: r.Stop,
		Variants: []runners.Variant{r.Variant()}, Subject: r.Subject(), Settings: r.Settings()}
	team := r.Team()
	if err := j.Check(team); err != nil {
		t.Fatal(err)
	}
	run, err := j.Describe(team, []datasets.Options{{MaxNew: 6}})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(run.Machine.Devices); n != 1 {
		t.Errorf("one server is %d devices: %q", n, run.Machine.Devices)
	}
	journal, err := results.Open(dir, run)
	if err != nil {
		t.Fatal(err)
	}
	defer journal.Close()
	err = j.Run(t.Context(), team, journal, silent{})
	return journal.Rows(), err
}

func promptsFile(t *testing.T, n int) string {
	var lines strings.Builder
	for i := range n {
		fmt.Fprintf(&lines, `{"prompt": "prompt %d", "answers": ["x"], "metric": "exact"}`+"\n", i)
	}
	lines.WriteString(`{"messages": [{"role": "user", "content": "hello"}], "answers": ["x"]}` + "\n")
	file := filepath.Join(t.TempDir(), "mine.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What a server tells stands in the rows, and what nobody knows is null there.
func TestRowsOfAServer(t *testing.T) {
	f := newFake(t, func(f *fake) {
		f.fault = func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n == 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return n == 0
		}
	})
	r := f.open(t, func(o *Options) { o.Repeat = true; o.Concurrency = 2 })
	rows, err := job(t, r, promptsFile(t, 4), filepath.Join(t.TempDir(), "run"))
	if err != nil || len(rows) != 5 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	retries := 0
	for _, row := range rows {
		if row.Error != "" || row.Variant != "server(label=toy)" || row.Params["label"] != "toy" || row.Device != "server" || row.Revision != "vllm 9.8.7" {
			t.Errorf("%+v", row)
		}
		if row.PromptTokens == nil || *row.PromptTokens < 8 || row.NewTokens == nil || *row.NewTokens != 6 || len(row.Prediction) != 6 {
			t.Errorf("tokens: %+v", row)
		}
		if row.TTFTSeconds == nil || row.TokenSecondsP50 == nil || row.TokenSecondsP95 == nil || row.Retries == nil || row.DecodeSeconds == nil {
			t.Errorf("times: %+v", row)
		}
		if row.RepeatEqual == nil || !*row.RepeatEqual || row.RepeatScore == nil || *row.RepeatScore != *row.Score {
			t.Errorf("the second answer: %+v", row)
		}
		if row.KeptMax != nil || row.KeptMean != nil || row.Host != nil || row.PrefillSeconds != nil || row.CacheBytes != nil || row.KLMean != nil {
			t.Errorf("nobody knows that: %+v", row)
		}
		retries += *row.Retries
	}
	if retries != 1 {
		t.Errorf("%d retries", retries)
	}
}

// Where nobody can count a prompt before it is asked, the server's count stands in the row.
func TestRowsWithoutATokenizer(t *testing.T) {
	f := newFake(t, func(f *fake) { f.textual = true })
	inner := f.Config.Handler
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/tokenize") {
			http.NotFound(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	})
	rows, err := job(t, f.open(t), promptsFile(t, 1), filepath.Join(t.TempDir(), "run"))
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		if row.Error != "" || row.PromptTokens == nil || *row.PromptTokens < 8 {
			t.Errorf("%+v", row)
		}
	}
}

// A server that makes the prompts, too, and is gone while it makes one, leaves no row of that: the run ends, and goes on
// when it is back.
func TestAServerIsGoneBeforeAPromptIsMade(t *testing.T) {
	file, dir := promptsFile(t, 5), filepath.Join(t.TempDir(), "run")
	f := newFake(t)
	inner := f.Config.Handler
	var gone atomic.Bool
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/tokenize" && gone.Load() {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
	r := f.open(t)
	gone.Store(true)
	rows, err := job(t, r, file, dir)
	var of *GoneError
	if !errors.As(err, &of) || len(rows) != 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	gone.Store(false)
	rows, err = job(t, f.open(t), file, dir)
	if err != nil || len(rows) != 6 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		if row.Error != "" {
			t.Errorf("sample %s: %s", row.Sample, row.Error)
		}
	}
}

// A server that dies in the middle ends the run; when it is back, the same command goes
// on, and asks only what has no row yet.
func TestAServerIsKilledAndComesBack(t *testing.T) {
	file, dir := promptsFile(t, 9), filepath.Join(t.TempDir(), "run")
	var f *fake
	var served atomic.Int32
	die := func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		if served.Add(1) <= 4 {
			return false
		}
		raw(w, says("a"))
		f.Config.Close()
		panic(http.ErrAbortHandler)
	}
	f = newFake(t, func(f *fake) { f.fault = die })
	first, err := job(t, f.open(t), file, dir)
	var gone *GoneError
	if !errors.As(err, &gone) || len(first) != 4 {
		t.Fatalf("%d rows, %v", len(first), err)
	}
	g := newFake(t)
	all, err := job(t, g.open(t), file, dir)
	if err != nil || len(all) != 10 || g.asked != 6 {
		t.Fatalf("%d rows after %d questions, %v", len(all), g.asked, err)
	}
	for _, row := range all {
		if row.Error != "" {
			t.Errorf("sample %s: %s", row.Sample, row.Error)
		}
	}
}
