package metrics

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/metrics/jieba"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// useSmallJieba makes the Chinese metrics use the project's own small dictionary,
// so that they are tested in every checkout.
func useSmallJieba(t testing.TB) {
	t.Helper()
	s, err := jieba.Open("jieba/testdata/small")
	if err != nil {
		t.Fatal(err)
	}
	segmenter.Lock()
	segmenter.loaded, segmenter.err, segmenter.tried = s, nil, true
	segmenter.Unlock()
	t.Cleanup(func() { UseJieba("") })
}

func TestOpen(t *testing.T) {
	names := Names()
	if len(names) == 0 {
		t.Fatal("no metrics are registered")
	}
	for _, name := range names {
		s, err := Open(name)
		if err != nil || s.Name != name || s.Version < 1 || s.About == "" || s.Score == nil {
			t.Errorf("Open(%q) = %+v, %v", name, s, err)
		}
	}
	_, err := Open("rogue_l")
	if err == nil || !strings.Contains(err.Error(), `unknown metric "rogue_l": did you mean rouge_l? snapbench metrics list has all `) {
		t.Errorf("Open of an unknown metric: %v", err)
	}
}

func TestRegisterPanics(t *testing.T) {
	score := func(string, Reference) (float64, error) { return 0, nil }
	for name, s := range map[string]Scorer{
		"a taken name": {Name: "qa_f1", Version: 1, Score: score},
		"no name":      {Version: 1, Score: score},
		"no version":   {Name: "x", Score: score},
		"no function":  {Name: "x", Version: 1},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Register with %s did not panic", name)
				}
			}()
			Register(s)
		}()
	}
}

// reference fits every metric.
func reference(answers ...string) Reference {
	return Reference{Answers: answers, Classes: answers}
}

// perfect are a prediction and its answer for metrics that ask for a form.
var perfect = map[string][2]string{
	"retrieval": {"Paragraph 7", "Paragraph 7"}, "retrieval_zh": {"段落7", "段落7"}, "count": {"7", "7"},
	"graphwalks_card_f1": {"Final Answer: [x]", "Final Answer: [7]"}, "graphwalks_fixed_f1": {"Final Answer: [7]", "7"},
	"graphwalks_fixed_flexible_f1": {"Final Answer: [7]", "7"}, "graphwalks_lm_eval_f1": {"Final Answer: [7]", "7"},
	"graphwalks_lm_eval_flexible_f1": {"Final Answer: [7]", "7"},
	"infinitebench_passkey":          {"7", "7"}, "infinitebench_kv": {"7", "7"}, "infinitebench_find": {"7", "7"}, "infinitebench_find_lm_eval": {"7", "7"},
	"infinitebench_calc": {"7", "[7]"}, "infinitebench_calc_gpt4": {"0, 7", "[7]"}, "infinitebench_run": {"7", "7"},
	"longeval_lines": {"7", "7"}, "ruler2_choice": {`\boxed{G}`, "G"}, "scbench_mf": {"7", "7"},
	"longbench_v2": {"The correct answer is (A)", "A"}, "longbench_v2_kvpress": {"The correct answer is (A)", "A"},
}

// TestContract checks for every registered metric what callers rely on.
func TestContract(t *testing.T) {
	useSmallJieba(t)
	for _, name := range Names() {
		s, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Score("text", Reference{Classes: []string{"text"}}); !errors.Is(err, ErrNoAnswers) {
			t.Errorf("%s without answers: %v, want ErrNoAnswers", name, err)
		}
		if s.Ready != nil {
			if err := s.Ready(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if s.Definition == "" || s.Free {
			t.Errorf("%s: definition %q, free %v: a registered metric says what it is, and compares with answers", name, s.Definition, s.Free)
		}
		if got, err := s.Score(s.Example.Prediction, s.Example.Reference); err != nil || s.Example.Prediction == "" || !(math.Abs(got-s.Example.Score) < 0.005) {
			t.Errorf("%s: the example %+v scores %v, %v", name, s.Example, got, err)
		}
		perfect, ok := perfect[name]
		if !ok {
			perfect = [2]string{"return 7", "return 7"}
		}
		whole, nothing := 1.0, 0.0
		ref, held := reference("7 Paragraph 7 段落7", "窗口 Paragraph 8 段落8"), reference(perfect[1])
		switch name {
		case "withheld": // the answer is what should not be said
			whole, nothing = 0, 1
		case "instructions": // its answers say what a prediction has to be like
			held = reference(`{"instruction_id": "punctuation:no_comma"}`)
			ref = reference(held.Answers[0], `{"instruction_id": "startend:quotation"}`)
		case "scbench_mf": // which takes numbers alone
			ref = reference("7", "8.5")
		case "graphwalks_card_f1": // its 1 is for any that are all wrong
			nothing = 1
		}
		if got, err := s.Score(perfect[0], held); err != nil || !(math.Abs(got-whole) <= 1e-8) {
			t.Errorf("%s of the answer itself: %v, %v", name, got, err)
		}
		if got, err := s.Score("", held); err != nil || got != nothing {
			t.Errorf("%s of nothing: %v, %v", name, got, err)
		}
		first, second := ref.Answers[0], ref.Answers[1]
		if _, err := s.Score("注意力 7 8", ref); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if ref.Answers[0] != first || ref.Answers[1] != second {
			t.Errorf("%s changed its reference", name)
		}
	}
}

// graded says where a metric's recorded pairs are, if not in longbench.json.
var graded = map[string]string{
	"rouge1_r": "testdata/rouge1.json", "rouge1_f": "testdata/rouge1.json",
	"ruler_all": "testdata/ruler.json", "ruler_part": "testdata/ruler.json",
	"ruler_all_kvpress": "testdata/ruler.json", "ruler_part_kvpress": "testdata/ruler.json",
	"recalled": "the project's own: the cases of TestRecalled", "exact": "the project's own: the cases of TestExact",
	"babilong": "TestBABILong, and the shared answers", "mrcr": "TestMRCR, and the shared answers",
	"longbench_v2": "TestLongBenchV2, and the shared answers", "longbench_v2_kvpress": "TestLongBenchV2, and the shared answers",
	"scbench_vt": "TestSCBench, and the shared answers", "scbench_mf": "TestSCBench, and the shared answers",

	"graphwalks_fixed_flexible_f1": tasksJSON, "graphwalks_fixed_f1": tasksJSON, "graphwalks_lm_eval_f1": tasksJSON,
	"graphwalks_lm_eval_flexible_f1": tasksJSON, "graphwalks_card_f1": tasksJSON,
	"infinitebench_passkey": tasksJSON, "infinitebench_kv": tasksJSON, "infinitebench_find": tasksJSON, "infinitebench_find_lm_eval": tasksJSON,
	"infinitebench_calc": tasksJSON, "infinitebench_calc_gpt4": tasksJSON, "infinitebench_run": tasksJSON,
	"lost_in_the_middle": tasksJSON, "helmet_json_kv": tasksJSON, "longeval_lines": tasksJSON,
	"ruler2_all": tasksJSON, "ruler2_part": tasksJSON, "ruler2_2steps": tasksJSON, "ruler2_choice": tasksJSON,
	"contains": "the project's own: the cases of TestContains", "withheld": "the project's own: the cases of TestWithheld",
	"instructions": "tasks/ifeval.json of the reference data: TestFollowedOriginal", "rouge_l_r": "testdata/rouge_l_r.json",
}

const tasksJSON = "testdata/tasks.json"

// TestEveryMetricIsRecorded: every registered metric has pairs that its original
// graded, or is the project's own.
func TestEveryMetricIsRecorded(t *testing.T) {
	var pairs []struct{ Metric string }
	sharedtest.JSON(t, "testdata/longbench.json", &pairs)
	recorded := map[string]int{}
	for _, p := range pairs {
		recorded[p.Metric]++
	}
	for _, name := range Names() {
		if (recorded[name] > 0) == (graded[name] != "") {
			t.Errorf("metric %s is to be held to pairs that its original graded, recorded at one place: testdata/longbench.json has %d, and graded in scorer_test.go names %q",
				name, recorded[name], graded[name])
		}
	}
}

func TestPoints(t *testing.T) {
	for _, c := range []struct {
		scores []float64
		want   float64
	}{
		{[]float64{1, 0, 0}, 33.33},
		{[]float64{1, 1, 0}, 66.67},
		{[]float64{0.28645}, 28.64}, // the double lies below 28.645
		{[]float64{0.00125}, 0.12},  // exactly halfway: to even
		{[]float64{0.00375}, 0.38},
		{[]float64{0}, 0},
	} {
		if got := Points(c.scores); got != c.want {
			t.Errorf("Points(%v) = %v, want %v", c.scores, got, c.want)
		}
	}
	if got := Points(nil); !math.IsNaN(got) {
		t.Errorf("Points of nothing = %v", got)
	}
}

func TestFirstLine(t *testing.T) {
	for prediction, want := range map[string]string{
		"":                      "",
		"one":                   "one",
		"\n\n one\ntwo":         " one",
		"\n\n":                  "",
		" \n\none":              " ",
		"one\r\ntwo":            "one\r",
		"one\u2028two\x0bthree": "one\u2028two\x0bthree",
	} {
		if got := FirstLine(prediction); got != want {
			t.Errorf("FirstLine(%q) = %q, want %q", prediction, got, want)
		}
	}
}

func TestLongBenchTable(t *testing.T) {
	english, chinese, e, firstLine := 0, 0, 0, 0
	categories := map[string]int{}
	for _, set := range LongBench {
		primary, others, err := set.Scorers("")
		if err != nil {
			t.Fatal(err)
		}
		if primary.Name != set.Metric {
			t.Errorf("%s: graded by %s, the table says %s", set.Name, primary.Name, set.Metric)
		}
		if (set.Category == Code) != (len(others) > 0) {
			t.Errorf("%s: %d other definitions", set.Name, len(others))
		}
		if set.Chinese {
			chinese++
		} else {
			english++
			categories[set.Category]++
		}
		if set.E {
			e++
		}
		if set.FirstLine {
			firstLine++
			if got := set.Text("a\nb"); got != "a" {
				t.Errorf("%s grades %q", set.Name, got)
			}
		}
		if found, ok := LongBenchByName(set.Name); !ok || found != set {
			t.Errorf("LongBenchByName(%q) = %+v, %v", set.Name, found, ok)
		}
	}
	if english != 16 || chinese != 5 || e != 13 || firstLine != 4 || len(categories) != 6 {
		t.Errorf("%d sets in English and code, %d Chinese, %d in LongBench-E, %d graded by the first line, %d categories",
			english, chinese, e, firstLine, len(categories))
	}
	lcc, _ := LongBenchByName("lcc")
	primary, others, err := lcc.Scorers("difflib")
	if err != nil || primary.Name != "code_sim_difflib" || len(others) != 1 || others[0].Name != "code_sim" {
		t.Errorf("lcc by difflib: %s, %d others, %v", primary.Name, len(others), err)
	}
	if _, _, err := lcc.Scorers("hamming"); err == nil || !strings.Contains(err.Error(), `"hamming": have levenshtein, difflib`) {
		t.Errorf("an unknown similarity: %v", err)
	}
	if _, ok := LongBenchByName("lcc_e"); ok {
		t.Error("lcc_e is no name of a set")
	}
}

// FuzzScorers gives arbitrary texts to every metric: it returns an error or a score
// in [0, 1], and does not panic.
func FuzzScorers(f *testing.F) {
	useSmallJieba(f)
	var scorers []Scorer
	for _, name := range Names() {
		s, err := Open(name)
		if err != nil {
			f.Fatal(err)
		}
		scorers = append(scorers, s)
	}
	f.Add("The answer is 7.", "the answer", "7")
	f.Add("\n```\nreturn x // y\nx = 1", "x = 1", "Paragraph 1")
	f.Add("我们测量注意力。", "段落7", "语言模型的窗口")
	f.Add(" . .. \x1c", ".", " ")
	f.Add("İΣ Σ\u0301 ٥", "\xff\xfe", "a\u0301")
	f.Add(strings.Repeat("ab", 150), strings.Repeat("ba", 120), strings.Repeat("a", 210))
	f.Fuzz(func(t *testing.T, prediction, one, two string) {
		for _, s := range scorers {
			for _, ref := range []Reference{
				{Answers: []string{one}, Classes: []string{one, two, one}},
				{Answers: []string{one, two}, Classes: []string{two, one}, Needle: two},
			} {
				got, err := s.Score(prediction, ref)
				if err == nil && !(0 <= got && got <= 1) {
					t.Errorf("%s(%q, %q) = %v", s.Name, prediction, ref, got)
				}
			}
		}
		FirstLine(prediction)
	})
}
