package predictions

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// grade grades a folder of files as a benchmark does.
func grade(t *testing.T, task string, files map[string]string) (Report, error) {
	t.Helper()
	f, err := OpenFormat(task)
	if err != nil {
		t.Fatal(err)
	}
	return f.Grade(folder(t, files))
}

const run = "_instruction_yes_examples_yes_post_prompt_yes.csv"

// A model's folder of BABILong gives the authors' table: tasks by lengths, and a mean where all five are there.
func TestBABILongFolder(t *testing.T) {
	const good = ",target,output,question\n0,office,\"The office.\nOr, the \"\"garden\"\"\",Where is Ann? \n1,garden,the office,Where is Ben?\n"
	r, err := grade(t, "babilong", map[string]string{
		"qa2_4k" + run: good, "qa10_4k" + run: "target,output,question\nmaybe,maybe,Is she?\n", "qa1_0k" + run: good, "qa1_16k" + run: good, "qa1_4k" + run: good,
		"qa3_4k" + run: good, "qa4_4k" + run: good, "qa5_4k" + run: "\xEF\xBB\xBFquestion,output,target\nWho?,Fred,Fred\nWho?,None,Bill\nWho?,,Bill\nWho?,NA,Bill\n",
		"qa1_4k_other.csv": good, "notes.csv": "x", "qa1_4k_instruction_yes.json": "{",
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r.Tables)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"title":"instruction_yes_examples_yes_post_prompt_yes","columns":["0k","4k","16k"],"rows":[{"name":"qa1","points":[50,50,50]},{"name":"qa2","points":[null,50,null]},` +
		`{"name":"qa3","points":[null,50,null]},{"name":"qa4","points":[null,50,null]},{"name":"qa5","points":[null,25,null]},{"name":"qa10","points":[null,100,null]},` +
		`{"name":"mean of qa1 to qa5","points":[null,45,null]}]},{"title":"other","columns":["4k"],"rows":[{"name":"qa1","points":[50]},{"name":"mean of qa1 to qa5","points":[null]}]}]`
	if string(text) != want {
		t.Errorf("%s, want\n%s", text, want)
	}
	if g := r.Files[0]; g.Task != "babilong-qa1" || g.Rows[0].Sample != "0k/1" || g.Rows[0].Prediction != "The office.\nOr, the \"garden\"" || g.Metric != "babilong" {
		t.Errorf("%+v", g)
	}
}

func TestLongBenchV2Folder(t *testing.T) {
	row := func(difficulty, answer, more string) string {
		return fmt.Sprintf(`{"_id": "a", "difficulty": %q, "length": "short", "answer": %q, %s}`+"\n", difficulty, answer, more)
	}
	r, err := grade(t, "longbench-v2", map[string]string{
		"one.jsonl": row("easy", "A", `"response": "The correct answer is (A)", "pred": "B"`) + row("hard", "B", `"response": "?", "pred": null`) + row("hard", "B", `"pred": "B"`),
		"two.jsonl": row("easy", "A", `"pred": "B", "judge": true`), "result.txt": "",
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r.Tables)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"rows":[{"name":"one","points":[66.7,100,50,66.7,null,null]},{"name":"two","points":[0,0,null,0,null,null]}]}`; !strings.Contains(string(text), want) || len(r.Tables) != 2 || *r.Tables[1].Rows[0].Points[0] != 75 {
		t.Errorf("%s, want %s", text, want)
	}
	if g := r.Files[0]; g.Model != "one" || g.Rows[1].Sample != "hard/short/a" || g.Points() != 100*2.0/3 {
		t.Errorf("%+v", g)
	}
}

// Files that cannot be graded are errors with file and line.
func TestBadFormats(t *testing.T) {
	csv, v2 := "qa1_4k"+run, "m.jsonl"
	for _, c := range []struct{ task, file, text, want string }{
		{"babilong", csv, "target,output\na,b\n", csv + `:1: no column "question": have ["target" "output"]`},
		{"babilong", csv, "target,output,question\na,b,c\n\"a,b,c\n", csv + ":3: extraneous or missing \" in quoted-field"},
		{"babilong", csv, "target,output,question\na,b,c\na,b\n", csv + ":3: wrong number of fields"},
		{"babilong", csv, "target,output,question\n,b,c\n", csv + `:2: target "", question "c": want some text in each`},
		{"babilong", csv, "target,output,question\na,\xff,c\n", csv + ":2: column 2: invalid UTF-8 at byte 0"},
		{"babilong", csv, "target,output,question\n", csv + ": no rows"},
		{"babilong", csv, "", csv + ": no rows"},
		{"babilong", "qa99_4k" + run, "target,output,question\na,b,c\n", `unknown task "qa99" of BABILong`},
		{"babilong", "x.csv", "a", "no TASK_LENGTH_RUN.csv"},
		{"longbench-v2", v2, `{"difficulty": "easy"}`, v2 + `:1: no field "answer"`},
		{"longbench-v2", v2, `{"difficulty": "easy", "length": "short", "answer": "A"}`, v2 + `:1: neither "response" nor "pred"`},
		{"longbench-v2", v2, `{"difficulty": "soft", "length": "short", "answer": "A"}`, v2 + `:1: difficulty: "soft" is none of easy, hard`},
		{"longbench-v2", v2, `{"difficulty": 7, "length": "short", "answer": "A"}`, v2 + `:1: difficulty: expected a string, found a number`},
		{"longbench-v2", v2, "{\"answer\": \"A\xff\"}", v2 + `:1: invalid UTF-8 at byte 13`},
		{"longbench-v2", v2, "\n{}", v2 + `:1: an empty line`},
		{"longbench-v2", v2, "[]", v2 + `:1: expected an object, found a list`},
		{"longbench-v2", v2, "", v2 + `: no rows`},
		{"longbench-v2", "x.json", "", "no MODEL.jsonl"},
	} {
		if _, err := grade(t, c.task, map[string]string{c.file: c.text}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %q: %v, want %s", c.task, c.text, err, c.want)
		}
	}
	if _, err := OpenFormat("gsm8k"); err == nil || !strings.Contains(err.Error(), `the task "gsm8k": have longbench, babilong, `) {
		t.Errorf("%v", err)
	}
}

// Answers that others published, with the original's verdict on every row, its accuracy of every file, and what the
// authors published of it.
func TestSharedBABILong(t *testing.T) {
	var shared struct {
		Files []struct {
			File, Task, Length, Config, Correct string
			N                                   int
			Accuracy                            float64
			Published                           *float64
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "babilong.json"), &shared)
	if len(shared.Files) == 0 {
		t.Fatal("no files")
	}
	reports := map[string]Report{}
	rows, published := 0, 0
	for _, want := range shared.Files {
		path := sharedtest.Path(t, "tasks", filepath.FromSlash(want.File))
		dir := filepath.Dir(path)
		r, ok := reports[dir]
		if !ok {
			var err error
			if r, err = gradeBABILong(dir); err != nil {
				t.Fatal(err)
			}
			reports[dir] = r
		}
		var got *Graded
		for i := range r.Files {
			if r.Files[i].File == path {
				got = &r.Files[i]
			}
		}
		if got == nil || len(got.Rows) != want.N || len(want.Correct) != want.N || got.Task != "babilong-"+want.Task || got.Protocol != want.Config {
			t.Errorf("%s: %+v", want.File, got)
			continue
		}
		for i, row := range got.Rows {
			if (row.Score == 1) != (want.Correct[i] == '1') {
				t.Errorf("%s, row %d: %q for %q is %v, the original %c", want.File, i, row.Prediction, row.Answers, row.Score, want.Correct[i])
			}
		}
		rows += len(got.Rows)
		if !(math.Abs(got.Points()-want.Accuracy) <= 1e-9) {
			t.Errorf("%s: %v, the original %v", want.File, got.Points(), want.Accuracy)
		}
		if want.Published != nil {
			if published++; !(math.Abs(got.Points()-*want.Published) <= 1e-9) {
				t.Errorf("%s: %v, published %v", want.File, got.Points(), *want.Published)
			}
		}
	}
	t.Logf("babilong.json: %d files in %d folders, %d rows, %d published figures", len(shared.Files), len(reports), rows, published)
}

// Whatever a file of predictions holds, it is graded or refused by its name.
func FuzzFormats(f *testing.F) {
	f.Add([]byte("target,output,question\na,\"b\nc\",d\n"), true)
	f.Add([]byte(`{"_id": "a", "difficulty": "easy", "length": "short", "answer": "A", "response": "The correct answer is (A)"}`), false)
	f.Fuzz(func(t *testing.T, text []byte, csv bool) {
		task, name := "longbench-v2", "m.jsonl"
		if csv {
			task, name = "babilong", "qa1_4k"+run
		}
		r, err := grade(t, task, map[string]string{name: string(text)})
		var row *RowError
		if err != nil && !errors.As(err, &row) && !strings.Contains(err.Error(), name) {
			t.Fatalf("an error without the file: %v", err)
		}
		if err == nil && (len(r.Files) != 1 || len(r.Files[0].Rows) == 0 || !(r.Files[0].Points() >= 0 && r.Files[0].Points() <= 100)) {
			t.Fatalf("%+v", r)
		}
	})
}

func TestInfiniteBenchFolder(t *testing.T) {
	row := func(prediction, truth string) string {
		return fmt.Sprintf(`{"prediction": %q, "ground_truth": %s}`+"\n", prediction, truth)
	}
	r, err := grade(t, "infinitebench", map[string]string{
		"passkey.jsonl":         row("The key is 071.", `"071"`) + row("The key is 071.", `["72"]`),
		"preds_math_find.jsonl": row("It is 49.", `49.0`) + row("It is 49.5.", `[49]`) + row("49", `"49"`),
		"math_calc.jsonl":       row("4, 14, 7", `[4, 14, 6, 1]`),
		"code_run.jsonl":        row("It returns -7.", `[-7]`),
		"kv_retrieval.jsonl":    row("'a'", `"a"`),
		"longbook_qa_eng.jsonl": "{",
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r.Tables[0].Columns)
	if err != nil || string(text) != `["passkey","kv_retrieval","code_run","math_find","math_calc"]` {
		t.Errorf("%s, %v", text, err)
	}
	var points []string
	for _, p := range r.Tables[0].Rows[0].Points {
		points = append(points, fmt.Sprintf("%.1f", *p))
	}
	if got := strings.Join(points, " "); got != "50.0 100.0 100.0 33.3 50.0" {
		t.Errorf("%s", got)
	}
	if g := r.Files[3]; g.Task != "infinitebench.math_find" || g.Raised != 2 {
		t.Errorf("%+v", g)
	}
	for want, text := range map[string]string{
		`passkey.jsonl:1: no field "ground_truth"`:                                 `{"prediction": ""}`,
		`passkey.jsonl:2: prediction: expected a string, found a number`:           row("", `"1"`) + `{"prediction": 7, "ground_truth": 7}`,
		`passkey.jsonl:1: ground_truth: an empty list, nothing to compare with`:    row("", `[]`),
		`passkey.jsonl:1: ground_truth: expected a string or a number, found null`: row("", `null`),
	} {
		if _, err := grade(t, "infinitebench", map[string]string{"passkey.jsonl": text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := grade(t, "infinitebench", map[string]string{"passkey.jsonl": row("1", "1"), "preds_passkey.jsonl": row("1", "1")}); err == nil || !strings.Contains(err.Error(), "the task passkey is in both ") {
		t.Errorf("%v", err)
	}
}

// Answers of models that the authors published, with the original's verdicts, means, and the figures of the authors' table.
func TestSharedInfiniteBench(t *testing.T) {
	var shared struct {
		Real []struct {
			File, Model, Task, Correct, Published string
			N                                     int
			Mean                                  float64
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "infinitebench.json"), &shared)
	reports := map[string]Report{}
	rows, raised, published := 0, 0, 0
	for _, want := range shared.Real {
		path := sharedtest.Path(t, "tasks", filepath.FromSlash(want.File))
		dir := filepath.Dir(path)
		if _, ok := reports[dir]; !ok {
			r, err := gradeInfiniteBench(dir)
			if err != nil {
				t.Fatal(err)
			}
			reports[dir] = r
		}
		i := slices.IndexFunc(reports[dir].Files, func(g Graded) bool { return g.File == path })
		if i < 0 {
			t.Logf("%s is not graded: no program's task", want.File)
			continue
		}
		g := reports[dir].Files[i]
		if len(g.Rows) != want.N || !(math.Abs(g.Points()-100*want.Mean) <= 1e-9) {
			t.Errorf("%s: %d rows, %v; the original %d, %v", want.File, len(g.Rows), g.Points(), want.N, 100*want.Mean)
		}
		for k, row := range g.Rows {
			if k < len(want.Correct) && (row.Score == 1) != (want.Correct[k] == '1') {
				t.Errorf("%s, row %d: %v, the original %c", want.File, k, row.Score, want.Correct[k])
			}
		}
		if number, err := strconv.ParseFloat(strings.TrimSuffix(want.Published, "%"), 64); err == nil {
			if published++; !(math.Abs(g.Points()-number) < 0.005+1e-9) {
				t.Errorf("%s: %v, published %s", want.File, g.Points(), want.Published)
			}
		} else if g.Points() >= 5 { // "< 5%"
			t.Errorf("%s: %v, published %s", want.File, g.Points(), want.Published)
		}
		rows += len(g.Rows)
		raised += g.Raised
	}
	if rows == 0 {
		t.Fatal("nothing compared")
	}
	t.Logf("infinitebench.json: %d models, %d answers, %d published figures besides those under 5; %d answers at which the original raises", len(reports), rows, published, raised)
}
