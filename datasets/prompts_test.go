package datasets

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestPromptsFile(t *testing.T) {
	for want, text := range map[string]string{
		`:1: neither "prompt" nor "messages"`:                                     `{"answers": ["a"]}`,
		`:1: both "prompt" and "messages"`:                                        `{"prompt": "x", "messages": [], "answers": ["a"]}`,
		`:1: field "metric": qa_f1 compares with answers, and there is no`:        `{"prompt": "x", "metric": "qa_f1"}`,
		`:1: field "metric": a file of prompts does not say which programs`:       `{"prompt": "x", "answers": ["a"], "metric": "command:true"}`,
		`:1: field "metric": metric regex: pattern "(": `:                         `{"prompt": "x", "metric": "regex:("}`,
		`:1: field "answers" is an empty list: leave it out`:                      `{"prompt": "x", "answers": []}`,
		`:1: field "answers" is an empty list`:                                    `{"prompt": "x", "answers": []}`,
		`:1: field "answers": answer 1 is empty`:                                  `{"prompt": "x", "answers": [""]}`,
		`:2: field "answers": answer 2 is empty`:                                  "{\"prompt\": \"x\", \"answers\": [\"a\"]}\n{\"prompt\": \"x\", \"answers\": [\"a\", \"\"], \"metric\": \"recalled\"}",
		`:1: field "answers": want a list of strings, got a string`:               `{"prompt": "x", "answers": "a"}`,
		`:1: field "prompt": want a string, got a number`:                         `{"prompt": 3, "answers": ["a"]}`,
		`:1: field "prompt" is empty`:                                             `{"prompt": "", "answers": ["a"]}`,
		`:1: field "messages": want a list of {role, content}, got a string`:      `{"messages": "x", "answers": ["a"]}`,
		`:1: field "messages" is an empty list`:                                   `{"messages": [], "answers": ["a"]}`,
		`:1: field "messages": message 2: field "content" is missing`:             `{"messages": [{"role": "user", "content": "x"}, {"role": "user"}], "answers": ["a"]}`,
		`:1: field "messages": message 1: want role and content and nothing`:      `{"messages": [{"role": "user", "content": "x", "name": "y"}], "answers": ["a"]}`,
		`:1: field "id": want a string, got a number`:                             `{"prompt": "x", "answers": ["a"], "id": 4}`,
		`:2: id "k" was already used in line 1`:                                   "{\"prompt\": \"x\", \"answers\": [\"a\"], \"id\": \"k\"}\n{\"prompt\": \"y\", \"answers\": [\"a\"], \"id\": \"k\"}",
		`:1: field "metric": unknown metric "bleu": snapbench metrics list`:       `{"prompt": "x", "answers": ["a"], "metric": "bleu"}`,
		`:1: unknown field "answer": did you mean answers? have answers, classes`: `{"prompt": "x", "answers": ["a"], "answer": "b"}`,
		`:1: field "max_new": 0 new tokens`:                                       `{"prompt": "x", "answers": ["a"], "max_new": 0}`,
		`:1: invalid UTF-8 at byte 13 of the line`:                                "{\"prompt\": \"\xc3\", \"answers\": [\"a\"]}",
		`: no prompts in it`:                                                      "",
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), text)
		if _, err := Open("prompts", Options{Own: &PromptsOptions{File: path}}); err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("want %s\n got %v", path+want, err)
		}
	}
	path := writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), `{"prompt": "<s>as it is", "answers": ["a", "b"], "id": "first", "metric": "qa_f1", "max_new": 7}
{"messages": [{"role": "user", "content": "hello there"}], "answers": ["c"]}
`)
	k, err := Open("prompts", Options{Own: &PromptsOptions{File: path}, Metric: "recalled", MaxNew: 20})
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise(), Chat: bracketed}
	a, b := k.Sample(0, m), k.Sample(1, m)
	if a.Err != nil || a.Prompt != "<s>as it is" || len(a.IDs) != 4 || a.ID != "first" || a.Metric != "qa_f1" || a.MaxNew != 7 || len(a.Answers) != 2 {
		t.Errorf("%+v", a)
	}
	if b.Err != nil || b.Prompt != "<s>[INST] hello there [/INST]" || len(b.IDs) != 5 || b.ID != "2" || b.Metric != "recalled" || b.MaxNew != 20 {
		t.Errorf("%+v", b)
	}
	if s := k.Sample(1, Model{Tokenizer: wordwise()}); s.Err == nil || !strings.Contains(s.Err.Error(), `no chat template for "messages"`) {
		t.Errorf("%+v", s)
	}
	if got := Order(k); got[0] != 0 && got[1] != 0 || len(got) != 2 {
		t.Errorf("order %v", got)
	}
	if _, err := Open("prompts", Options{}); err == nil || !strings.Contains(err.Error(), "which file?") {
		t.Error(err)
	}
}

// Lines without answers are asked, and graded where the metric needs none.
func TestPromptsWithoutAnswers(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), `{"prompt": "one"}
{"prompt": "two", "metric": "regex:(?i)yes"}
{"prompt": "three", "answers": ["a"]}
`)
	k, err := Open("prompts", Options{Own: &PromptsOptions{File: path}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"none", "regex:(?i)yes", "contains"} {
		if s := k.Sample(i, Model{Tokenizer: wordwise()}); s.Metric != want || s.Err != nil {
			t.Errorf("line %d: metric %q, %v; want %q", i+1, s.Metric, s.Err, want)
		}
	}
}

// The same prompts are the same question from a file and from standard input; another
// meaning of a metric's name is another question.
func TestPromptsFromStandardInput(t *testing.T) {
	text := `{"prompt": "x", "answers": ["a"], "id": "k"}` + "\n"
	path := writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), text)
	open := func(file, metric string) Task {
		t.Helper()
		stdin = strings.NewReader(text)
		k, err := Open("prompts", Options{Own: &PromptsOptions{File: file}, Metric: metric})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a, b := open(path, ""), open("-", "")
	if b.Len() != 1 || b.ID(0) != "k" || a.Digest() != b.Digest() {
		t.Errorf("%d samples, digests %s and %s", b.Len(), a.Digest(), b.Digest())
	}
	row := grading{metric: "exact", version: 2}
	if text := row.metricText(); text != "exact/2" || open(path, "exact").Digest() == a.Digest() {
		t.Errorf("the digest names the metric %s", text)
	}
	stdin = strings.NewReader("{}")
	if _, err := Open("prompts", Options{Own: &PromptsOptions{File: "-"}}); err == nil || !strings.Contains(err.Error(), `standard input:1: neither "prompt" nor "messages"`) {
		t.Error(err)
	}
}

func FuzzPrompts(f *testing.F) {
	f.Add([]byte(`{"prompt": "x", "answers": ["a"], "id": "k", "metric": "qa_f1"}`))
	f.Add([]byte(`{"messages": [{"role": "user", "content": "x"}], "answers": ["a"], "classes": [], "max_new": 3}`))
	m := Model{Tokenizer: wordwise(), Chat: bracketed}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), string(text))
		k, err := Open("prompts", Options{Own: &PromptsOptions{File: path}})
		if err != nil {
			if !strings.HasPrefix(err.Error(), path+":") {
				t.Fatalf("an error without the file: %v", err)
			}
			return
		}
		seen := map[string]bool{}
		for i := range k.Len() {
			if s := k.Sample(i, m); s.ID == "" || seen[s.ID] || len(s.Answers) == 0 && s.Metric != "none" && !strings.HasPrefix(s.Metric, "regex:") || s.MaxNew < 1 || (s.Err == nil) != (len(s.IDs) > 0) {
				t.Fatalf("%+v", s)
			} else {
				seen[s.ID] = true
			}
		}
	})
}
