package datasets

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/metrics"
)

// The system text alone is what comes first; request and answer's beginning are read behind it.
func TestLeakage(t *testing.T) {
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	own := &LeakageOptions{Trials: 25, Seed: 1}
	var tasks []Task
	for _, name := range leakageOrders {
		task, err := Open(name, Options{Own: own})
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task)
	}
	used := map[string]bool{}
	for i := range tasks[0].Len() {
		first, last := tasks[0].Sample(i, m), tasks[1].Sample(i, m)
		if first.Err != nil || last.Err != nil {
			t.Fatal(first.Err, last.Err)
		}
		block, defence := first.Answers[0], first.Answers[1]
		used[defence] = true
		if last.Answers[0] != block || last.Answers[1] != defence || first.Answers[2] != defence+"\n"+block || last.Answers[2] != block+"\n"+defence {
			t.Fatalf("sample %d: %q, and %q", i, first.Answers, last.Answers)
		}
		if strings.Contains(block, "request word for word") || strings.Contains(block, "My answer is yes") {
			t.Errorf("%q speaks of a request", block)
		}
		for _, s := range []Sample{first, last} {
			system := "<|im_start|>system\n" + instructionWords().Guidelines + s.Answers[2] + "<|im_end|>\n"
			if got := m.Tokenizer.Decode(s.IDs, true); got != system {
				t.Errorf("%q is compressed, want %q", got, system)
			}
			request := "<|im_start|>user\n" + instructionWords().Repeat + "<|im_end|>\n<|im_start|>assistant\n"
			if got := m.Tokenizer.Decode(s.Question, true); got != request || s.Prompt != system+request || s.Length != len(s.IDs) {
				t.Errorf("%q is read behind it, of %q", got, s.Prompt)
			}
			marked := map[string]int{}
			for _, k := range s.Marks {
				marked[k.Name]++
				if k.Name == "defence" && s.Prompt[k.From:k.To] != defence || k.To > len(system) {
					t.Errorf("%q is marked as %s", s.Prompt[k.From:k.To], k.Name)
				}
			}
			if marked["defence"] != 1 || marked["instruction"] != 3 {
				t.Errorf("marks %v", marked)
			}
			scorer, err := metrics.Open(s.Metric)
			if err != nil {
				t.Fatal(err)
			}
			ref := metrics.Reference{Answers: s.Answers}
			if got, err := scorer.Score(s.Answers[2], ref); err != nil || got != 0 {
				t.Errorf("all is told: %v, %v", got, err)
			}
		}
	}
	if len(used) < 5 {
		t.Errorf("25 texts have %d defences of %d", len(used), len(defences))
	}
}

func TestSystemPartRefused(t *testing.T) {
	folded := func(messages []Message, _ map[string]any) (string, error) { // as templates without a system role do
		return "[INST] " + messages[0].Content + " [/INST]", nil
	}
	for want, m := range map[string]Model{
		"the model has no tokenizer": {Chat: chatml},
		"has no chat template":       {Tokenizer: wordwise()},
		"can't be compressed alone": {Tokenizer: wordwise(), Chat: func(l []Message, v map[string]any) (string, error) {
			s, err := folded(l, v)
			return s[:len(s)-len(l)], err
		}},
		"the request 0: want some of ea": {Tokenizer: wordwise(), Chat: folded},
		"the model's context 20":         {Tokenizer: wordwise(), Chat: chatml, ContextLength: 20},
	} {
		task, err := Open("leakage-defence-first", Options{Own: &LeakageOptions{}})
		if err != nil {
			t.Fatal(err)
		}
		if s := task.Sample(0, m); s.Err == nil || !strings.Contains(s.Err.Error(), want) || s.Marks != nil || s.Prompt != "" {
			t.Errorf("%v, want %q", s.Err, want)
		}
	}
}

func TestSysIFEval(t *testing.T) {
	own := &SysIFEvalOptions{}
	contractData["sys-ifeval"](t, "sys-ifeval", own)
	task, err := Open("sys-ifeval", Options{Own: own})
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	var ids []string
	for i := range task.Len() {
		s := task.Sample(i, m)
		if s.Err != nil {
			t.Fatal(s.Err)
		}
		ids = append(ids, s.ID)
		want := fmt.Sprintf("<|im_start|>system\n%sDo as you are told %s.<|im_end|>\n", instructionWords().Guidelines, s.ID)
		if got := m.Tokenizer.Decode(s.IDs, true); got != want || s.MaxNew != 1280 || s.Protocol != "pitfalls" {
			t.Errorf("%q is compressed, want %q", got, want)
		}
		if k := s.Marks[0]; len(s.Marks) != 1 || s.Prompt[k.From:k.To] != "Do as you are told "+s.ID+"." {
			t.Errorf("marks %+v", s.Marks)
		}
	}
	if !slices.Equal(ids, []string{"1", "2", "4"}) { // nothing of the third is checked here
		t.Errorf("samples %q", ids)
	}
	one, two := task.Sample(0, m), task.Sample(1, m)
	if len(one.Answers) != 2 || one.Answers[1] != `{"instruction_id":"keywords:existence","kwargs":{"keywords":["ab"]}}` || one.Note != "" {
		t.Errorf("%q, note %q", one.Answers, one.Note)
	}
	if len(two.Answers) != 1 || two.Note != "not checked: change_case:english_capital" {
		t.Errorf("%q, note %q", two.Answers, two.Note)
	}
}

func TestSysIFEvalRefused(t *testing.T) {
	if _, err := Open("sys-ifeval", Options{}); err == nil || !strings.Contains(err.Error(), "normster/SystemCheck") {
		t.Errorf("without a file: %v", err)
	}
	good := sysIFEvalLine(1, `["punctuation:no_comma"]`, `[{}]`)
	for want, text := range map[string]string{
		": no rows in it":                         "",
		`:1: field "key" is missing`:              `{}`,
		`:1: field "key": want a number`:          strings.Replace(good, `"key": 1`, `"key": [1]`, 1),
		`:2: id "1" was already used in line 1`:   good + good,
		`:1: field "messages": want two`:          strings.Replace(good, `"role": "system"`, `"role": "user"`, 1),
		`:1: field "messages": want a list`:       strings.Replace(good, `"messages"`, `"message"`, 1),
		`:1: field "messages": the system's text`: strings.Replace(good, "Do as you are told 1.", " ", 1),
		`:1: field "kwargs": want a list of 1`:    sysIFEvalLine(1, `["punctuation:no_comma"]`, `[]`),
		`:1: field "kwargs": want a list of 2 `:   sysIFEvalLine(1, `["punctuation:no_comma", "startend:quotation"]`, `[{}]`),
		`:1: instruction 1: unknown instruction`:  sysIFEvalLine(1, `["no_comma"]`, `[{}]`),
		`:1: instruction 1: instruction keywords:existence: parameter "keywords" is missing`: sysIFEvalLine(1, `["keywords:existence"]`, `[{}]`),
		": none of its 1 rows has an instruction":                                            sysIFEvalLine(1, `["language:response_language"]`, `[{}]`),
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "s.jsonl"), text)
		if _, err := Open("sys-ifeval", Options{Own: &SysIFEvalOptions{File: path}}); err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

func FuzzSysIFEval(f *testing.F) {
	f.Add(sysIFEvalLine(1, `["keywords:existence"]`, `[{"keywords": ["a.b"]}]`))
	f.Add(sysIFEvalLine(1, `["detectable_format:multiple_sections"]`, `[{"section_spliter": "S", "num_sections": 2.0}]`) + "\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := writeFile(t, filepath.Join(t.TempDir(), "s.jsonl"), text)
		task, err := Open("sys-ifeval", Options{Own: &SysIFEvalOptions{File: path}})
		if err != nil {
			return
		}
		m := Model{Tokenizer: wordwise(), Chat: chatml}
		for i := range task.Len() {
			s := task.Sample(i, m)
			if s.Err == nil && (len(s.Answers) == 0 || len(s.IDs) == 0 || len(s.Question) == 0) {
				t.Errorf("%+v", s)
			}
		}
	})
}

// The real model's tokenizer and template: the border between system text and request is the
// template's own, and prompts of a long context have exactly so many tokens.
func TestInstructionsRealModel(t *testing.T) {
	m := smolLM2(t)
	for _, name := range leakageOrders {
		task, err := Open(name, Options{Own: &LeakageOptions{}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range task.Len() {
			s := task.Sample(i, m)
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			whole, err := m.encode(s.Prompt)
			if err != nil || !slices.Equal(whole, slices.Concat(s.IDs, s.Question)) {
				t.Errorf("%s, %s: the two parts have other tokens than the whole: %v", name, s.ID, err)
			}
			if got := m.Tokenizer.Decode(s.IDs, false); !strings.HasSuffix(got, "<|im_end|>\n") || strings.Count(got, "<|im_start|>") != 1 {
				t.Errorf("%s, %s: %q is compressed", name, s.ID, got)
			}
		}
	}
	for _, name := range instructionPlaces {
		task, err := Open(name, Options{Own: &InstructionsOptions{Lengths: []int{512, 2048}, Trials: 5}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range task.Len() {
			s := task.Sample(i, m)
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			if again, err := m.encode(s.Prompt); err != nil || !slices.Equal(again, s.IDs) || len(s.IDs) != s.Length {
				t.Errorf("%s, %s: %d tokens, %v", name, s.ID, len(s.IDs), err)
			}
		}
	}
}
