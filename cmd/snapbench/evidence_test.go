package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// askEvidence asks for small needles under some budgets.
func askEvidence(out, budgets string, more ...string) []string {
	return append([]string{"needle", "--lengths", "512", "--depths", "0,50,100", "--trials", "1", "--budgets", budgets,
		"--policies", "snapkv,streaming", "--kernels", "5", "--max-new", "9", "--out", out}, more...)
}

// unaudited are rows without what an audit adds, and without their identity, which says that there was one.
func unaudited(rows []results.Row) []results.Row {
	var list []results.Row
	for _, r := range rows {
		r.ID, r.Run = "", ""
		r.Evidence, r.EvidenceRho, r.EvidenceLost, r.EvidenceLabel = "", nil, nil, ""
		r.MarksKept, r.MarksAny, r.MarksGone = nil, nil, nil
		list = append(list, r)
	}
	return list
}

// An audited run has the answers of one that is not, and says of each what was kept and why it was lost; it is another
// question, so that no folder mixes the two; the full cache is run for it where it is not asked for; parts give the rows
// of one process; tables, report and comparison show it.
func TestEvidence(t *testing.T) {
	dir := t.TempDir()
	plain, with, besides, parts := filepath.Join(dir, "plain"), filepath.Join(dir, "with"), filepath.Join(dir, "besides"), filepath.Join(dir, "parts")
	pass(t, askEvidence(plain, "full,64,25%", "--quiet")...)
	tables := pass(t, askEvidence(with, "full,64,25%", "--evidence", "--quiet")...)
	want, got := rowsBesidesTimes(t, plain), rowsBesidesTimes(t, with)
	if !reflect.DeepEqual(unaudited(got), unaudited(want)) {
		t.Error("answers are others with --evidence")
	}
	labels := map[string]int{}
	for i, r := range got {
		if r.ID == want[i].ID {
			t.Errorf("%s, %s has the identity of a row without audit", r.Sample, r.Variant)
		}
		for _, name := range []string{"instruction", "needle", "question", "value"} {
			if r.MarksKept[name] == "" || r.MarksAny[name] == "" || r.MarksGone[name] == "" || len(r.MarksKept) != 4 {
				t.Fatalf("%s, %s: kept %v, by any head %v, in no head of layers %v", r.Sample, r.Variant, r.MarksKept, r.MarksAny, r.MarksGone)
			}
		}
		if r.Evidence != "value" || r.EvidenceRho == nil {
			t.Fatalf("%s, %s: evidence %q, least ρ %v", r.Sample, r.Variant, r.Evidence, r.EvidenceRho)
		}
		if r.Policy == "full" {
			if *r.EvidenceRho != 1 || r.MarksKept["value"] != "1" || r.EvidenceLost != nil || *r.Score != 1 {
				t.Errorf("full: score %v, least ρ %v, kept %v", *r.Score, *r.EvidenceRho, r.MarksKept)
			}
			continue
		}
		if r.EvidenceLost == nil || *r.EvidenceLost != (*r.Score < 1) || (r.EvidenceLabel != "") != *r.EvidenceLost {
			t.Errorf("%s, %s: score %v, lost %v, label %q", r.Sample, r.Variant, *r.Score, r.EvidenceLost, r.EvidenceLabel)
		}
		if *r.EvidenceLost && r.EvidenceLabel != results.EvidenceLabel(*r.EvidenceRho) {
			t.Errorf("%s, %s: least ρ %v, label %q", r.Sample, r.Variant, *r.EvidenceRho, r.EvidenceLabel)
		}
		if r.Policy == "streaming" && r.Depth != nil && *r.Depth == 0 && (r.MarksKept["value"] != "0" || *r.EvidenceRho != 0) {
			t.Errorf("%s keeps a prompt's beginning: %v", r.Variant, r.MarksKept)
		}
		labels[r.EvidenceLabel]++
	}
	if labels[results.Evicted] == 0 || labels[""] == 0 {
		t.Errorf("labels %v: want lost answers, and some that are not", labels)
	}
	for _, w := range []string{"Why answers were lost", "kept but unused", "What was kept of marked passages", "look at ρ beside them"} {
		if !strings.Contains(tables, w) {
			t.Errorf("the tables lack %q:\n%s", w, tables)
		}
	}
	if status, _, told := snapbench(askEvidence(plain, "full,64,25%", "--evidence", "--quiet")...); status == 0 || !strings.Contains(told, "evidence") {
		t.Errorf("in the folder of a run without audit: exit status %d: %s", status, told)
	}

	status, _, told := snapbench(askEvidence(besides, "64,25%", "--evidence")...)
	if status != 0 || !strings.Contains(told, "the full cache is run besides") {
		t.Errorf("without the full cache: exit status %d: %s", status, told)
	}
	var compressed []results.Row
	for _, r := range got {
		if r.Policy != "full" {
			compressed = append(compressed, r)
		}
	}
	same := func(what string, rows, want []results.Row) {
		t.Helper()
		if len(rows) != len(want) {
			t.Fatalf("%s: %d rows, want %d", what, len(rows), len(want))
		}
		for i, r := range rows {
			w := want[i]
			if r.ID != w.ID || r.Prediction != w.Prediction || *r.EvidenceRho != *w.EvidenceRho || r.EvidenceLabel != w.EvidenceLabel || !reflect.DeepEqual(r.EvidenceLost, w.EvidenceLost) || !reflect.DeepEqual(r.MarksKept, w.MarksKept) {
				t.Errorf("%s: %s, %s: %q, least ρ %v, %q; want %q, %v, %q", what, r.Sample, r.Variant, r.Prediction, *r.EvidenceRho, r.EvidenceLabel, w.Prediction, *w.EvidenceRho, w.EvidenceLabel)
			}
		}
	}
	same("without the full cache", rowsBesidesTimes(t, besides), compressed)
	for _, shard := range []string{"0/2", "1/2"} {
		pass(t, askEvidence(parts, "full,64,25%", "--evidence", "--quiet", "--shard", shard)...)
	}
	same("in parts", rowsBesidesTimes(t, parts), got)

	var summary results.Summary
	data, err := os.ReadFile(filepath.Join(with, "summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &summary); err != nil || len(summary.Subjects[0].Evidence) != 5 {
		t.Errorf("summary.json: %v, %+v", err, summary.Subjects)
	}
	page := filepath.Join(dir, "report.html")
	pass(t, "report", with, "--out", page)
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "Why answers were lost") || !strings.Contains(string(html), `"l":"evicted"`) {
		t.Errorf("the report has no evidence: %v", err)
	}
	text := strings.Join(strings.Fields(pass(t, "compare", with)), " ") // whatever the terminal's width
	if !strings.Contains(text, "lost: evicted") || !strings.Contains(text, "answers that the full cache gives (evidence: ") {
		t.Errorf("compare:\n%s", text)
	}
	if status, _, told := snapbench("needle", "--server", "http://127.0.0.1:1/v1", "--evidence"); status != exitUsage || !strings.Contains(told, "--evidence") {
		t.Errorf("of a server: exit status %d: %s", status, told)
	}
}

// Passages of one's own are audited where a question stands in the prompt and where it is read behind the context, whose
// own question no policy can evict; a passage that is not there is refused with its line.
func TestEvidenceOfOwnQuestions(t *testing.T) {
	model, dir := tinyModel(t), t.TempDir()
	file, out := filepath.Join(dir, "questions.jsonl"), filepath.Join(dir, "out")
	line := func(evidence string) string {
		return `{"context": "` + strings.Repeat("abc def ghi ", 12) + `xyz", "prompt": "{context} {question}", "questions": [{"question": "def?", "answers": ["q"], "evidence": ["` + evidence + `"]}]}` + "\n"
	}
	if err := os.WriteFile(file, []byte(line("ghi xyz")), 0o644); err != nil {
		t.Fatal(err)
	}
	ask := []string{"questions", file, "--model", model, "--device", "cpu", "--budgets", "24", "--windows", "8", "--kernels", "3", "--max-new", "3", "--quiet", "--evidence", "--out", out}
	pass(t, ask...)
	rows := rowsBesidesTimes(t, out)
	if len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		_, question := r.MarksKept["question"]
		if r.Evidence != "evidence" || r.EvidenceRho == nil || r.MarksKept["evidence"] == "" || question != (r.Protocol == "inside") || r.Note != "" && strings.Contains(r.Note, "evidence") {
			t.Errorf("%s: evidence %q, least ρ %v, kept %v, note %q", r.Protocol, r.Evidence, r.EvidenceRho, r.MarksKept, r.Note)
		}
	}
	if err := os.WriteFile(file, []byte(line("ghi xyz")+line("no such")), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _, told := snapbench(ask...); status == 0 || !strings.Contains(told, file+`:2: field "questions": question 1: field "evidence": passage 1, "no such", does not stand`) {
		t.Errorf("exit status %d: %s", status, told)
	}
}
