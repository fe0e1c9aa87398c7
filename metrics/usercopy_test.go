package metrics

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// babilong grades one answer to a question of a task.
func babilong(t *testing.T, task, question, target, output string) float64 {
	t.Helper()
	classes, err := BABILongClasses(task, question)
	if err != nil {
		t.Fatal(err)
	}
	return score(t, "babilong", output, Reference{Answers: []string{target}, Classes: classes})
}

func TestBABILong(t *testing.T) {
	for _, c := range []struct {
		task, question, target, output string
		want                           float64
	}{
		{"qa1", "Where is Ann?", "office", "The OFFICE. Or the garden", 1},
		{"qa1", "Where is Ann?", "office", "Mr. Fox is in the office", 0},
		{"qa1", "Where is Ann?", "office", "office or garden", 0},
		{"qa1", "Where is Ann?", "office", "office<Example>garden", 1},
		{"qa3", "Where was the milk before the garden?", "office", "before the garden the office", 1},
		{"qa3", "Where was the milk before the garden?", "garden", "garden", 0},
		{"qa7", "How many?", "none", "none", 0},
		{"qa7", "How many?", "one", "none", 0},
		{"qa7", "How many?", "one", "someone", 1},
		{"qa8", "What?", "apple,milk", "milk and an apple", 1},
		{"qa8", "What?", "apple,milk", "milk, apple, football", 0},
		{"qa19", "How?", "s,e", "S,E", 1},
		{"qa19", "How?", "s,e", "s,e,n", 0},
	} {
		if got := babilong(t, c.task, c.question, c.target, c.output); got != c.want {
			t.Errorf("%s, %q: %q for %q is %v, want %v", c.task, c.question, c.output, c.target, got, c.want)
		}
	}
	if _, err := BABILongClasses("qa21", ""); err == nil || !strings.Contains(err.Error(), `"qa21" of BABILong: have qa1 to qa20`) {
		t.Errorf("qa21: %v", err)
	}
}

// Verdicts of the original on invented answers.
func TestSharedBABILong(t *testing.T) {
	var shared struct {
		Labels map[string][]string
		Made   []struct {
			Task, Target, Question, Output, Post string
			Correct                              bool
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "babilong.json"), &shared)
	if len(shared.Made) == 0 || len(shared.Labels) == 0 {
		t.Fatal("no cases")
	}
	for task, labels := range shared.Labels {
		if !slices.Equal(babilongLabels[task], labels) {
			t.Errorf("%s has the labels %q, the original %q", task, babilongLabels[task], labels)
		}
	}
	for _, c := range shared.Made {
		if got := babilongText(c.Output); got != c.Post {
			t.Errorf("%q is cut to %q, by the original to %q", c.Output, got, c.Post)
		}
		if got := babilong(t, c.Task, c.Question, c.Target, c.Output); (got == 1) != c.Correct {
			t.Errorf("%s, %q: %q for %q is %v, the original %v", c.Task, c.Question, c.Output, c.Target, got, c.Correct)
		}
	}
	t.Logf("babilong.json: %d invented answers, the labels of %d tasks", len(shared.Made), len(shared.Labels))
}

func TestLongBenchV2(t *testing.T) {
	for prediction, want := range map[string]string{
		"I think The correct answer is (C)!": "C", "**The correct answer is B**": "B", "The correct answer is Because": "B",
		"The correct answer is A. The correct answer is (D)": "D", // brackets come first
		"The correct answer is: (A)":                         "", "the correct answer is (A)": "", "The correct answer is  (A)": "", "": "",
	} {
		if got := LongBenchV2Letter(prediction); got != want {
			t.Errorf("%q gives %q, want %q", prediction, got, want)
		}
		if want != "" && score(t, "longbench_v2", prediction, Reference{Answers: []string{want}}) != 1 {
			t.Errorf("%q is wrong", prediction)
		}
	}
	if score(t, "longbench_v2_kvpress", "The correct answer is Apple, no, The correct answer is (B)", Reference{Answers: []string{"A"}}) != 1 {
		t.Error("kvpress takes either of two answers")
	}
	if _, _, err := LongBenchV2Table([]LongBenchV2Row{{Difficulty: "easy", Length: "easy"}}, false); err == nil {
		t.Error("a length that is none is taken")
	}
	points, counts, err := LongBenchV2Table([]LongBenchV2Row{{"easy", "short", "A", "A"}, {"hard", "short", "A", ""}}, true)
	if err != nil || *points[0] != 62.5 || *points[2] != 25 || points[4] != nil || counts[3] != 2 {
		t.Errorf("%v %v %v", points, counts, err)
	}
}

// Answers that the original and kvpress graded, and tables that the original printed.
func TestSharedLongBenchV2(t *testing.T) {
	var shared struct {
		Cases []struct {
			Response string
			Pred     *string
			KVPress  []string `json:"kvpress_true_for"`
		}
		Tables []struct {
			Run         string
			Rows        [][4]*string
			Table       []string
			Compensated []string `json:"table_compensated"`
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "longbench_v2.json"), &shared)
	if len(shared.Cases) == 0 || len(shared.Tables) == 0 {
		t.Fatal("no cases")
	}
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	for _, c := range shared.Cases {
		if got := LongBenchV2Letter(c.Response); got != text(c.Pred) {
			t.Errorf("%q gives %q, by the original %q", c.Response, got, text(c.Pred))
		}
		for _, letter := range []string{"A", "B", "C", "D"} {
			ref := Reference{Answers: []string{letter}}
			if got := score(t, "longbench_v2", c.Response, ref); (got == 1) != (text(c.Pred) == letter) {
				t.Errorf("%q for %s: %v", c.Response, letter, got)
			}
			if got := score(t, "longbench_v2_kvpress", c.Response, ref); (got == 1) != slices.Contains(c.KVPress, letter) {
				t.Errorf("%q for %s: %v, kvpress is true for %q", c.Response, letter, got, c.KVPress)
			}
		}
	}
	for _, table := range shared.Tables {
		var rows []LongBenchV2Row
		for _, r := range table.Rows {
			rows = append(rows, LongBenchV2Row{text(r[0]), text(r[1]), text(r[2]), text(r[3])})
		}
		for compensated, want := range map[bool][]string{false: table.Table, true: table.Compensated} {
			points, _, err := LongBenchV2Table(rows, compensated)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range points {
				got = append(got, fmt.Sprintf("%.1f", *p))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s, compensated %t: %q, the original %q", table.Run, compensated, got, want)
			}
		}
	}
	t.Logf("longbench_v2.json: %d answers by two graders, %d tables", len(shared.Cases), len(shared.Tables))
}

func TestMRCR(t *testing.T) {
	long := strings.Repeat("abcdefghij", 30)
	for _, c := range []struct {
		prediction, answer string
		want               float64
	}{
		{"x7Qaone", "x7Qaone", 1},
		{" x7Qaone", "x7Qaone", 0},
		{"one", "x7Qaone", 0},
		{"", "x7Qaone", 0},
		{"x7Qa", "x7Qaone", 0},
		{"x7Qab" + long, "x7Qa" + long, 0}, // each of its characters is too frequent to match
	} {
		if got := score(t, "mrcr", c.prediction, Reference{Answers: []string{c.answer}, Classes: []string{"x7Qa"}}); got != c.want {
			t.Errorf("%.20q for %.20q is %v, want %v", c.prediction, c.answer, got, c.want)
		}
	}
}

func TestSharedMRCR(t *testing.T) {
	var shared struct {
		Cases []struct {
			Kind       string
			Begin      string `json:"random_string_to_prepend"`
			Expected   string `json:"expected_answer"`
			Generation string
			Score      float64
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "mrcr.json"), &shared)
	if len(shared.Cases) == 0 {
		t.Fatal("no cases")
	}
	for i, c := range shared.Cases {
		if got := score(t, "mrcr", c.Generation, Reference{Answers: []string{c.Expected}, Classes: []string{c.Begin}}); !near(got, c.Score) {
			t.Errorf("case %d, %s: %v, the original %v", i, c.Kind, got, c.Score)
		}
	}
	t.Logf("mrcr.json: %d answers", len(shared.Cases))
}

func TestSCBench(t *testing.T) {
	for _, c := range []struct {
		metric, prediction string
		answers            []string
		want               float64
	}{
		{"scbench_vt", "a, b", []string{"A", "B", "C"}, 0.67},
		{"scbench_vt", "", []string{"A"}, 0},
		{"scbench_mf", "It is 42.5.", []string{"42"}, 1},
		{"scbench_mf", "It is 42.5.", []string{"42.5"}, 1},
		{"scbench_mf", "-7,000", []string{"7"}, 1},
		{"scbench_mf", "٤٢", []string{"42"}, 1},
		{"scbench_mf", "first 1, then 42", []string{"42"}, 0},
		{"scbench_mf", strings.Repeat("9", 400), []string{"42"}, 0}, // the original raises OverflowError
	} {
		if got := score(t, c.metric, c.prediction, Reference{Answers: c.answers}); got != c.want {
			t.Errorf("%s(%.20q, %q) = %v, want %v", c.metric, c.prediction, c.answers, got, c.want)
		}
	}
}

func TestSharedSCBench(t *testing.T) {
	var shared struct {
		Cases []struct {
			Task, Prediction string
			Truth            json.RawMessage `json:"ground_truth"`
			Score            any
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "scbench.json"), &shared)
	metric := map[string]string{"scbench_kv": "contains", "scbench_prefix_suffix": "contains", "scbench_vt": "scbench_vt", "scbench_mf": "scbench_mf"}
	compared, raised, other := map[string]int{}, 0, 0
	for _, c := range shared.Cases {
		if metric[c.Task] == "" {
			other++
			continue
		}
		want, ok := c.Score.(float64)
		if !ok { // the name of what the original raises
			raised++
		}
		var answers []string
		if json.Unmarshal(c.Truth, &answers) != nil {
			answers = []string{strings.Trim(string(c.Truth), `"`)}
		}
		compared[c.Task]++
		if got := score(t, metric[c.Task], c.Prediction, Reference{Answers: answers}); !near(got, want) {
			t.Errorf("%s: %q for %s is %v, the original %v", c.Task, c.Prediction, c.Truth, got, c.Score)
		}
	}
	if len(compared) == 0 {
		t.Fatal("no cases")
	}
	t.Logf("scbench.json: answers compared %v, %d of them exceptions of the original that are 0 here; %d of other tasks", compared, raised, other)
}

func near(got, want float64) bool { return max(got-want, want-got) <= 1e-12 }
