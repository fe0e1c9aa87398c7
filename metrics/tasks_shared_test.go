package metrics

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// Answers of tasks that are made by a program, graded by the originals' own code.

// TestTasks compares with a few pairs of each metric, in any checkout.
func TestTasks(t *testing.T) {
	var pairs []struct {
		Metric, Prediction string
		Answers            []string
		Score              float64
	}
	sharedtest.JSON(t, tasksJSON, &pairs)
	compared := map[string]int{}
	for i, p := range pairs {
		compared[p.Metric]++
		if got := score(t, p.Metric, p.Prediction, Reference{Answers: p.Answers}); got != p.Score {
			t.Errorf("pair %d: %s(%q, %q) = %v, the original %v", i, p.Metric, p.Prediction, p.Answers, got, p.Score)
		}
	}
	for name, where := range graded {
		if where == tasksJSON && compared[name] == 0 {
			t.Errorf("no pairs for %s", name)
		}
	}
}

// raised grades a prediction, and expects the exception that the original raises with it.
func raised(t *testing.T, metric, prediction string, ref Reference) (score float64, exception string) {
	t.Helper()
	s, err := Open(metric)
	if err != nil {
		t.Fatal(err)
	}
	if score, err = s.Score(prediction, ref); err != nil {
		t.Fatalf("%s(%q, %+v): %v", metric, prediction, ref, err)
	}
	if s.Raises != nil {
		exception = s.Raises(prediction, ref)
	}
	if exception != "" && score != 0 {
		t.Errorf("%s(%q, %+v) raises %s and scores %v", metric, prediction, ref, exception, score)
	}
	return score, exception
}

func walksReference(nodes []string) Reference {
	return Reference{Answers: []string{"Final Answer: [" + strings.Join(nodes, ", ") + "]"}}
}

func TestSharedGraphWalks(t *testing.T) {
	var file struct {
		Cases []struct {
			Kind, Response string
			Answers        []string `json:"answer_nodes"`
			Card           []string `json:"card_nodes"`
			LMEval         []string `json:"lm_eval_nodes"`
			Flexible       []string `json:"flexible_nodes"`
			CardF1         *float64 `json:"card_f1"`
			LMEvalF1       *float64 `json:"lm_eval_f1"`
			LMFlexibleF1   *float64 `json:"lm_eval_flexible_f1"`
			FixedF1        *float64 `json:"fixed_f1"`
			FlexibleF1     *float64 `json:"fixed_flexible_f1"`
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "graphwalks.json"), &file)
	scores, lists := 0, 0
	for i, c := range file.Cases {
		for metric, want := range map[string]*float64{
			"graphwalks_card_f1": c.CardF1, "graphwalks_lm_eval_f1": c.LMEvalF1, "graphwalks_lm_eval_flexible_f1": c.LMFlexibleF1,
			"graphwalks_fixed_f1": c.FixedF1, "graphwalks_fixed_flexible_f1": c.FlexibleF1,
		} {
			if want == nil {
				continue
			}
			scores++
			for _, ref := range []Reference{walksReference(c.Answers), {Answers: c.Answers}} { // a text, or node by node
				if len(ref.Answers) == 0 {
					continue
				}
				if got := score(t, metric, c.Response, ref); got != *want {
					t.Errorf("case %d, %s: %s(%q) of %q = %v, the original %v", i, c.Kind, metric, c.Response, ref.Answers, got, *want)
				}
			}
		}
		for name, list := range map[string]struct{ got, want []string }{
			"card": {walksCard(c.Response), c.Card}, "lm_eval": {walksLast(c.Response), c.LMEval}, "flexible": {walksFlexible(c.Response), c.Flexible},
		} {
			if list.want == nil {
				continue
			}
			lists++
			slices.Sort(list.got)
			slices.Sort(list.want)
			if name != "card" { // sets there
				list.got = slices.Compact(list.got)
			}
			if !slices.Equal(list.got, list.want) {
				t.Errorf("case %d, %s: %s reads %q, the original %q", i, c.Kind, name, list.got, list.want)
			}
		}
	}
	if scores == 0 {
		t.Fatal("no cases")
	}
	t.Logf("graphwalks.json: %d answers, %d scores, %d lists of nodes equal", len(file.Cases), scores, lists)
}

// infinitebenchMetrics grade the tasks that are made by a program.
var infinitebenchMetrics = map[string]string{
	"passkey": "infinitebench_passkey", "number_string": "infinitebench_passkey", "kv_retrieval": "infinitebench_kv",
	"math_find": "infinitebench_find", "math_calc": "infinitebench_calc", "code_run": "infinitebench_run",
}

// infinitebenchLabel is a label as the metrics take it: the first of a list, texts without quotes
// where the task's label is a text. Numbers are as JSON has them, and so are texts that stand in
// place of numbers.
func infinitebenchLabel(task string, raw json.RawMessage) (string, error) {
	text := strings.TrimSpace(string(raw))
	var list []json.RawMessage
	if task != "math_calc" && json.Unmarshal(raw, &list) == nil {
		if len(list) == 0 {
			return "", fmt.Errorf("an empty list of labels")
		}
		text = strings.TrimSpace(string(list[0]))
	}
	var s string
	if task != "math_find" && task != "code_run" && json.Unmarshal([]byte(text), &s) == nil {
		return s, nil
	}
	return text, nil
}

func TestSharedInfiniteBench(t *testing.T) {
	var file struct {
		Made []struct {
			Task, Prediction, Model string
			Truth                   json.RawMessage `json:"ground_truth"`
			Score                   json.RawMessage
			LMEval                  *float64 `json:"lm_eval"`
		}
		Real []struct {
			File, Model, Task, Correct, Published string
			N                                     int
			Mean                                  float64
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "infinitebench.json"), &file)
	compared, inHarness, exceptions, others := 0, 0, map[string]int{}, map[string]int{}
	for i, c := range file.Made {
		metric, ok := infinitebenchMetrics[c.Task]
		if !ok {
			others[c.Task]++
			continue
		}
		if c.Task == "math_calc" && c.Model == "gpt4" {
			metric += "_gpt4"
		}
		label, err := infinitebenchLabel(c.Task, c.Truth)
		if err != nil {
			t.Fatal(err)
		}
		want, exception := 0.0, ""
		if err := json.Unmarshal(c.Score, &want); err != nil {
			if err := json.Unmarshal(c.Score, &exception); err != nil {
				t.Fatalf("case %d: the score %s", i, c.Score)
			}
			exceptions[exception]++
		}
		if got, by := raised(t, metric, c.Prediction, Reference{Answers: []string{label}}); got != want || by != exception {
			t.Errorf("case %d: %s(%q) of %s = %v, %q, the original %s", i, metric, c.Prediction, label, got, by, c.Score)
		}
		compared++
		if c.LMEval == nil {
			continue
		}
		if metric == "infinitebench_find" {
			metric = "infinitebench_find_lm_eval"
		}
		if unquoted, err := strconv.Unquote(label); err == nil { // labels are texts there
			label = unquoted
		}
		inHarness++
		if got := score(t, metric, c.Prediction, Reference{Answers: []string{label}}); got != *c.LMEval {
			t.Errorf("case %d: %s(%q) of %s = %v, lm-evaluation-harness %v", i, metric, c.Prediction, label, got, *c.LMEval)
		}
	}
	if compared == 0 {
		t.Fatal("no cases")
	}
	t.Logf("infinitebench.json: %d invented answers equal, %d of them also as in lm-evaluation-harness; exceptions of the original, scored 0: %v; of other tasks, not compared: %v",
		compared, inHarness, exceptions, others)

	answers := 0
	for _, r := range file.Real {
		metric, ok := infinitebenchMetrics[r.Task]
		if !ok {
			continue
		}
		mean, verdicts, stopped := realAnswers(t, metric, r.Task, sharedtest.Path(t, "tasks", filepath.FromSlash(r.File)))
		if len(verdicts) != r.N || verdicts != r.Correct || math.Abs(mean-r.Mean) > 1e-12 {
			t.Errorf("%s: %d answers, mean %v; the original %d, %v; first verdict that differs: %d", r.File, len(verdicts), mean, r.N, r.Mean, differs(verdicts, r.Correct))
		}
		if published, ok := strings.CutSuffix(strings.TrimSpace(r.Published), "%"); ok {
			below := strings.HasPrefix(published, "<")
			figure, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimPrefix(published, "<")), 64)
			if err != nil {
				t.Fatalf("%s: published %q", r.File, r.Published)
			}
			if points := 100 * mean; below && points >= figure || !below && math.Abs(points-figure) > 0.005+1e-9 {
				t.Errorf("%s: %v, published %s", r.File, points, r.Published)
			}
			t.Logf("%-14s %-14s %3d answers %7.2f  published %s  exceptions of the original %d", r.Model, r.Task, len(verdicts), 100*mean, r.Published, stopped)
		}
		answers += len(verdicts)
	}
	t.Logf("infinitebench/: %d real answers equal", answers)
}

// realAnswers grades a file of ∞Bench's own results. verdicts has a 1 for each right answer.
func realAnswers(t *testing.T, metric, task, path string) (mean float64, verdicts string, stopped int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	var b strings.Builder
	sum := 0.0
	for lines.Scan() {
		var row struct {
			Prediction string
			Truth      json.RawMessage `json:"ground_truth"`
		}
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		label, err := infinitebenchLabel(task, row.Truth)
		if err != nil {
			t.Fatal(err)
		}
		v, exception := raised(t, metric, row.Prediction, Reference{Answers: []string{label}})
		if exception != "" {
			stopped++
		}
		sum += v
		b.WriteString(strconv.Itoa(int(v)))
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return sum / float64(max(1, b.Len())), b.String(), stopped
}

// differs is the first place where two texts differ.
func differs(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

func TestSharedJSONKV(t *testing.T) {
	var file struct {
		Cases []struct {
			Value  string
			Answer string   `json:"model_answer"`
			Lost   *float64 `json:"lost_in_the_middle"`
			HELMET *struct {
				Substring bool `json:"substring_exact_match"`
				Exact     bool `json:"exact_match"`
				F1        float64
				Parsed    string
			}
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "json_kv.json"), &file)
	compared := 0
	for i, c := range file.Cases {
		ref := Reference{Answers: []string{c.Value}}
		if c.Lost != nil {
			compared++
			if got := score(t, "lost_in_the_middle", c.Answer, ref); got != *c.Lost {
				t.Errorf("case %d: lost_in_the_middle(%q) of %s = %v, the original %v", i, c.Answer, c.Value, got, *c.Lost)
			}
		}
		if h := c.HELMET; h != nil {
			compared++
			if got := score(t, "helmet_json_kv", c.Answer, ref); got != truth(h.Substring) {
				t.Errorf("case %d: helmet_json_kv(%q) of %s = %v, the original %v", i, c.Answer, c.Value, got, h.Substring)
			}
			parsed := helmetParsed(c.Answer)
			exact := squadText(c.Answer) == squadText(c.Value) || squadText(parsed) == squadText(c.Value)
			if f1 := max(qaF1(c.Answer, c.Value), qaF1(parsed, c.Value)); parsed != h.Parsed || exact != h.Exact || math.Abs(f1-h.F1) > 1e-12 {
				t.Errorf("case %d: of %q is read %q, equal %t, F1 %v; the original %+v", i, c.Answer, parsed, exact, f1, *h)
			}
		}
	}
	if compared == 0 {
		t.Fatal("no cases")
	}
	t.Logf("json_kv.json: %d answers, %d scores equal", len(file.Cases), compared)
}

func TestSharedLines(t *testing.T) {
	var file struct {
		Made []struct {
			Expected json.Number `json:"expected_number"`
			Output   string
			Parsed   json.Number
			Correct  bool
		}
		Real []struct {
			Model    string
			Lines    int `json:"num_lines"`
			Rows     [][]json.RawMessage
			Accuracy float64
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "lines.json"), &file)
	compared := 0
	compare := func(label, output, parsed string, correct bool) float64 {
		t.Helper()
		compared++
		got := score(t, "longeval_lines", output, Reference{Answers: []string{label}})
		if number, _ := lastNumber(output); number != parsed || got != truth(correct) {
			t.Errorf("of %q is read %s, which of %s scores %v; the original %s, %t", output, number, label, got, parsed, correct)
		}
		return got
	}
	for _, c := range file.Made {
		compare(c.Expected.String(), c.Output, c.Parsed.String(), c.Correct)
	}
	for _, r := range file.Real {
		sum := 0.0
		for _, row := range r.Rows {
			var output string
			if len(row) != 3 || json.Unmarshal(row[1], &output) != nil {
				t.Fatalf("the row %s", row)
			}
			sum += compare(string(row[0]), output, string(row[2]), string(row[0]) == string(row[2]))
		}
		if mean := sum / float64(len(r.Rows)); mean != r.Accuracy {
			t.Errorf("%s, %d lines: accuracy %v, published %v", r.Model, r.Lines, mean, r.Accuracy)
		}
	}
	if compared == 0 {
		t.Fatal("no cases")
	}
	t.Logf("lines.json: %d answers equal, %d of them real ones of %d runs", compared, compared-len(file.Made), len(file.Real))
}

func TestSharedRuler2(t *testing.T) {
	var file struct {
		Cases []struct {
			Kind, Generation string
			Expected         []string `json:"expected_answer"`
			All, Part        *float64
			TwoSteps         *float64 `json:"2steps"`
		}
		Choices []struct {
			Generation, Expected string
			Letter               *string
			Correct              bool
		} `json:"multichoice"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "ruler2.json"), &file)
	compared := 0
	for i, c := range file.Cases {
		for metric, want := range map[string]*float64{"ruler2_all": c.All, "ruler2_part": c.Part, "ruler2_2steps": c.TwoSteps} {
			if want == nil {
				continue
			}
			compared++
			if got := score(t, metric, c.Generation, Reference{Answers: c.Expected}); got != *want {
				t.Errorf("case %d, %s: %s(%q) of %q = %v, the original %v", i, c.Kind, metric, c.Generation, c.Expected, got, *want)
			}
		}
	}
	for i, c := range file.Choices {
		compared++
		letter, ok := chosenLetter(c.Generation)
		if got := score(t, "ruler2_choice", c.Generation, Reference{Answers: []string{c.Expected}}); got != truth(c.Correct) || ok != (c.Letter != nil) || ok && letter != *c.Letter {
			t.Errorf("choice %d: of %q is read %q, %t, which of %s scores %v; the original %v", i, c.Generation, letter, ok, c.Expected, got, c.Correct)
		}
	}
	if compared == 0 {
		t.Fatal("no cases")
	}
	t.Logf("ruler2.json: %d scores and choices equal", compared)
}
