package datasets

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

func init() {
	contractData["ruler"] = func(t *testing.T, _ string, own any) {
		o := own.(*RulerOptions)
		o.Lengths, o.Samples = []int{1500, 1100}, 2
		o.SQuAD, o.HotpotQA = smallSQuAD(t), smallHotpotQA(t)
	}
}

// smallSQuAD is a file in SQuAD's form with three articles, a question without an answer among
// those with one.
func smallSQuAD(t *testing.T) string {
	t.Helper()
	var articles []map[string]any
	for a := range 3 {
		var paragraphs []map[string]any
		for p := range 12 {
			paragraphs = append(paragraphs, map[string]any{
				"context": fmt.Sprintf("Town %d of county %d has %d people and a river.", p, a, 100*a+p),
				"qas": []map[string]any{
					{"question": fmt.Sprintf("How many people has town %d of county %d?", p, a), "is_impossible": false, "answers": []map[string]any{{"text": fmt.Sprint(100*a + p)}, {"text": "people"}}},
					{"question": "Who is its mayor?", "is_impossible": true, "answers": []any{}},
				},
			})
		}
		articles = append(articles, map[string]any{"title": fmt.Sprintf("County %d", a), "paragraphs": paragraphs})
	}
	return writeJSON(t, "dev-v2.0.json", map[string]any{"version": "v2.0", "data": articles})
}

func smallHotpotQA(t *testing.T) string {
	t.Helper()
	var questions []map[string]any
	for q := range 5 {
		var context []any
		for d := range 10 {
			context = append(context, []any{fmt.Sprintf("Ship %d", q*5+d), []string{"She was built in ", fmt.Sprintf("%d.", 1800+q*5+d)}})
		}
		questions = append(questions, map[string]any{"question": fmt.Sprintf("When was ship %d built?", q*5), "answer": fmt.Sprint(1800 + q*5), "context": context})
	}
	return writeJSON(t, "hotpot_dev_distractor_v1.json", questions)
}

func writeJSON(t *testing.T, name string, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, filepath.Join(t.TempDir(), name), string(text))
}

func openRulerTask(t testing.TB, name string, o RulerOptions) Task {
	t.Helper()
	own := mustDefine(t, name).Own().(*RulerOptions)
	for i := range reflect.TypeOf(o).NumField() {
		if f := reflect.ValueOf(o).Field(i); !f.IsZero() {
			reflect.ValueOf(own).Elem().Field(i).Set(f)
		}
	}
	task, err := Open(name, Options{Own: own})
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func mustDefine(t testing.TB, name string) Definition {
	t.Helper()
	d, err := Define(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The marks are bytes of the final prompt, whatever is around the task's text.
func TestRulerMarks(t *testing.T) {
	for _, name := range []string{"ruler.niah_multiquery", "ruler.vt", "ruler-2024.vt", "ruler.cwe", "ruler.fwe", "ruler.qa_1", "ruler-2024.niah_single_1"} {
		for _, protocol := range rulerProtocols {
			task := openRulerTask(t, name, RulerOptions{Lengths: []int{1500}, Samples: 3, Protocol: protocol, SQuAD: smallSQuAD(t)})
			for i := range task.Len() {
				s := task.Sample(i, Model{Tokenizer: wordwise(), Chat: chatml})
				if s.Err != nil {
					t.Fatal(s.Err)
				}
				count := map[string]int{}
				for _, m := range s.Marks {
					text := s.Prompt[m.From:m.To]
					count[m.Name]++
					switch m.Name {
					case "value":
						if !slices.Contains(s.Answers, text) {
							t.Errorf("%s, %s: the value %q is none of %q", name, protocol, text, s.Answers)
						}
					case "question":
						if !strings.HasSuffix(s.Prompt[:m.From], "\n") || strings.HasPrefix(text, "\n") || strings.HasSuffix(text, "<") {
							t.Errorf("%s, %s: question %q after %q", name, protocol, text, s.Prompt[max(0, m.From-20):m.From])
						}
					}
				}
				if count["question"] != 1 || count["needle"] == 0 || count["value"] == 0 {
					t.Errorf("%s, %s: marks %v", name, protocol, count)
				}
			}
		}
	}
}

// As kvpress asks, context and question are apart, the answer's beginning comes without its space
// after the chat template, and the text is the same but for that.
func TestRulerKvpress(t *testing.T) {
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	for _, task := range []string{"niah_single_2", "niah_multivalue", "vt", "cwe", "fwe", "qa_1", "qa_2"} {
		o := RulerOptions{Lengths: []int{1500}, Samples: 2, Template: "base", SQuAD: smallSQuAD(t), HotpotQA: smallHotpotQA(t)}
		plain := openRulerTask(t, "ruler-2024."+task, o).Sample(1, m)
		o.Protocol = "kvpress"
		apart := openRulerTask(t, "ruler-2024."+task, o).Sample(1, m)
		o.Protocol = "kvpress-query-aware"
		aware := openRulerTask(t, "ruler-2024."+task, o).Sample(1, m)
		for _, s := range []Sample{plain, apart, aware} {
			if s.Err != nil {
				t.Fatal(s.Err)
			}
		}
		const head, tail = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
		at := strings.Index(apart.Prompt, tail)
		if at < 0 || strings.Replace(strings.TrimPrefix(apart.Prompt, head), tail, "", 1) != plain.Prompt || apart.Prompt != aware.Prompt {
			t.Errorf("%s: prompt\n%q, of\n%q", task, apart.Prompt, plain.Prompt)
			continue
		}
		if apart.Prompt[at-1] != ' ' || strings.HasPrefix(apart.Prompt[at+len(tail):], " ") {
			t.Errorf("%s: the template's end stands in %q", task, apart.Prompt[at-10:at+len(tail)+10])
		}
		question := m.Tokenizer.Decode(apart.Question, false)
		begins := map[string]string{"niah_single_2": "What is the", "niah_multivalue": "What are all", "vt": "Question: Find", "cwe": "Question: What", "fwe": "Question: Do", "qa_1": "Answer the", "qa_2": "Answer the"}[task]
		if !strings.HasPrefix(question, begins) || !strings.HasSuffix(apart.Prompt, question) {
			t.Errorf("%s: question %q", task, question)
		}
		if text := m.Tokenizer.Decode(aware.Question, false); !strings.HasPrefix(text, tail[:10]) {
			t.Errorf("%s: with the question inside, %q is read apart", task, text)
		}
	}
}

// Files that are missing or broken are named, and how to get them is said.
func TestRulerRefuses(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string { return writeFile(t, filepath.Join(dir, name), text) }
	for _, c := range []struct {
		task string
		o    RulerOptions
		want []string
	}{
		{"ruler.qa_1", RulerOptions{}, []string{"dev-v2.0.json", "https://", "--squad", "ruler-synthetic"}},
		{"ruler-2024.qa_2", RulerOptions{}, []string{"hotpot_dev_distractor_v1.json", "--hotpotqa", "ruler-2024-synthetic"}},
		{"ruler.qa_1", RulerOptions{SQuAD: filepath.Join(dir, "none.json")}, []string{"none.json"}},
		{"ruler.qa_1", RulerOptions{SQuAD: file("a.json", "{\"data\": [\n{]}")}, []string{"a.json", "line 2"}},
		{"ruler.qa_1", RulerOptions{SQuAD: file("b.json", "{}")}, []string{"b.json", "no questions"}},
		{"ruler.qa_1", RulerOptions{SQuAD: file("c.json", `{"data": [{"title": "x", "paragraphs": [{"qas": []}]}]}`)}, []string{"article 1", `"x"`, "no context"}},
		{"ruler.qa_1", RulerOptions{SQuAD: file("d.json", `{"data": [{"paragraphs": [{"context": "c", "qas": [{"question": "q", "is_impossible": false}]}]}]}`)}, []string{"question 1", "no answers"}},
		{"ruler.qa_2", RulerOptions{HotpotQA: file("e.json", `[{"question": "q", "answer": "a", "context": [["t"]]}]`)}, []string{"1 parts"}},
		{"ruler.qa_2", RulerOptions{HotpotQA: file("f.json", "[{\"question\": \"\xff\"}]")}, []string{"UTF-8 at byte 15"}},
		{"ruler.niah_single_2", RulerOptions{Haystack: file("g.json", `{"text": " "}`)}, []string{"g.json", "no text"}},
		{"ruler.niah_single_2", RulerOptions{Haystack: filepath.Join(dir, "none")}, []string{"none"}},
		{"ruler.vt", RulerOptions{Lengths: []int{20}}, []string{"length 20", "30 tokens"}},
		{"ruler.vt", RulerOptions{Lengths: []int{4096, 4096}}, []string{"twice"}},
		{"ruler.vt", RulerOptions{Template: "chatty"}, []string{`"chatty"`, "own", "meta-llama3"}},
		{"ruler.vt", RulerOptions{Protocol: "longbench"}, []string{`"longbench"`, "kvpress-query-aware"}},
	} {
		own := mustDefine(t, c.task).Own().(*RulerOptions)
		for i := range reflect.TypeOf(c.o).NumField() {
			if f := reflect.ValueOf(c.o).Field(i); !f.IsZero() {
				reflect.ValueOf(own).Elem().Field(i).Set(f)
			}
		}
		_, err := Open(c.task, Options{Own: own})
		for _, want := range append(c.want, c.task) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %+v: %v does not say %q", c.task, c.o, err, want)
			}
		}
	}
}

// A length that no prompt fits in is the samples' error.
func TestRulerTooShort(t *testing.T) {
	s := openRulerTask(t, "ruler.niah_single_2", RulerOptions{Lengths: []int{170}}).Sample(0, Model{Tokenizer: wordwise()})
	if s.Err == nil || !strings.Contains(s.Err.Error(), "too short") || s.Prompt != "" {
		t.Errorf("%v", s.Err)
	}
	s = openRulerTask(t, "ruler.niah_single_2", RulerOptions{}).Sample(0, Model{Text: true})
	if s.Err == nil {
		t.Error("a model without a tokenizer has a prompt")
	}
}

func llama31(t *testing.T) Tokenizer {
	t.Helper()
	tok, err := tokenizer.ReadJSON(sharedtest.Path(t, "tokenizers", "llama3.1", "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// RULER's own templates are those of the reference prompts, and the user's essays those of the
// original where they are.
func TestRulerReference(t *testing.T) {
	m := Model{Tokenizer: llama31(t), Chat: chatml}
	essays := sharedtest.Path(t, "longbench", "essays")
	task := openRulerTask(t, "ruler.niah_multikey_1", RulerOptions{Template: "meta-llama3", Haystack: essays, Samples: 3})
	for i := range task.Len() {
		s := task.Sample(i, m)
		if s.Err != nil {
			t.Fatal(s.Err)
		}
		if !strings.HasPrefix(s.Prompt, "<|begin_of_text|><|start_header_id|>user") || !strings.Contains(s.Prompt, "assistant<|end_header_id|>\n\n The special") || len(s.IDs)+128 > 4096 {
			t.Errorf("%d tokens, %.100q", len(s.IDs), s.Prompt)
		}
	}
	if !task.(*rulerTask).config.Essay.Original() {
		t.Error("the essays are not known as RULER's")
	}
}
