package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/local"
)

// dated is the part of a question that has the date.
type dated struct {
	Date string `json:"date"`
}

// Where a model's chat template asks for the date, the date is part of the question. A
// run continues with the date on which it began; --date sets it, and a different one is a
// different question. Where the template does not ask, the question has no date.
func TestDate(t *testing.T) {
	work := t.TempDir()
	model := func(name, template string) string {
		dir := filepath.Join(work, name)
		if err := writeTinyModel(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(template), 0o644); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	const body = "{% for m in messages %}{{ m.content }}{% endfor %} "
	today, plain := model("dated", "Today is {{ strftime_now('%d %b %Y') }}. "+body), model("plain", body)
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := os.WriteFile(prompts, []byte(`{"messages": [{"role": "user", "content": "Say A."}], "answers": ["A"]}`+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	command := func(model, out string, more ...string) []string {
		return append([]string{"prompts", prompts, "--model", model, "--device", "cpu", "--budgets", "full", "--max-new", "1", "--quiet", "--out", filepath.Join(work, out)}, more...)
	}
	question := func(out string) (q dated) {
		t.Helper()
		run, err := results.ReadRun(filepath.Join(work, out))
		if err == nil {
			err = json.Unmarshal(run.Question, &q)
		}
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	tail := func(out string) string {
		t.Helper()
		rows := rowsBesidesTimes(t, filepath.Join(work, out))
		if len(rows) != 1 {
			t.Fatalf("%s: %d rows, want 1", out, len(rows))
		}
		return rows[0].PromptTail
	}

	pass(t, command(today, "a", "--date", "2001-02-03")...)
	if got := tail("a"); question("a").Date != "2001-02-03" || !strings.HasPrefix(got, "Today is 03 Feb 2001. Say A.") {
		t.Errorf("date %q, prompt %q", question("a").Date, got)
	}
	first := rowsBesidesTimes(t, filepath.Join(work, "a"))[0].ID
	pass(t, command(today, "a")...) // today is another date
	if rows := rowsBesidesTimes(t, filepath.Join(work, "a")); len(rows) != 1 || rows[0].ID != first {
		t.Errorf("continued without --date: %d rows, want the one that was there", len(rows))
	}
	if status, _, stderr := snapbench(command(today, "a", "--date", "2001-02-04")...); status == exitPass || !strings.Contains(stderr, `date: had "2001-02-03", now "2001-02-04"`) {
		t.Errorf("another date in the same folder: status %d, %s", status, stderr)
	}

	before := time.Now().Format(time.DateOnly)
	pass(t, command(today, "b")...)
	if got := question("b").Date; got != before && got != time.Now().Format(time.DateOnly) {
		t.Errorf("without --date the question has the date %q, want today", got)
	}
	if rowsBesidesTimes(t, filepath.Join(work, "b"))[0].ID == first {
		t.Error("rows of two days have one identity")
	}

	pass(t, command(plain, "c", "--date", "2001-02-03")...)
	run, err := results.ReadRun(filepath.Join(work, "c"))
	if err != nil || strings.Contains(string(run.Question), "date") {
		t.Errorf("a template that asks for no date: the question is %s (%v)", run.Question, err)
	}
	if status, _, stderr := snapbench(command(today, "d", "--date", "3 Feb 2001")...); status != exitUsage || !strings.Contains(stderr, `--date "3 Feb 2001": want a day, as 2026-01-02`) {
		t.Errorf("a date that is none: status %d, %s", status, stderr)
	}
}

// A study's prompts have one day, and no time of day, which would be another one for each.
func TestOneDay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dated")
	if err := writeTinyModel(dir); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "chat_template.jinja"), "{{ strftime_now('%Y-%m-%d %H:%M:%S') }}")
	before := time.Now().Format(time.DateOnly)
	m, err := local.Open(t.Context(), local.Options{Model: dir, Device: "cpu", DType: "auto", Tokenizer: "native"}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	got, err := m.Reader().Chat([]datasets.Message{{Role: "user", Content: "x"}}, nil)
	if day := " 00:00:00"; err != nil || got != before+day && got != time.Now().Format(time.DateOnly)+day {
		t.Errorf("%q, %v; want today's beginning", got, err)
	}
}
