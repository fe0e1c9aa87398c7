package datasets

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func openQuestionsFile(t testing.TB, text string, conventions ...string) (Task, string, error) {
	path := writeFile(t, filepath.Join(t.TempDir(), "q.jsonl"), text)
	own := &QuestionsOptions{File: path, Conventions: conventions}
	if conventions == nil {
		own.Conventions = DefaultConventions()
	}
	task, err := Open("questions", Options{Own: own})
	return task, path, err
}

// What is wrong with a file is told with its line, and which question it is.
func TestQuestionsFile(t *testing.T) {
	for want, text := range map[string]string{
		`:1: field "context" is missing: have questions`:                                                       `{"questions": [{"question": "Who?"}]}`,
		`:1: field "context" is empty`:                                                                         `{"context": " \n", "questions": [{"question": "Who?"}]}`,
		`:1: field "context": want a string, got a number`:                                                     `{"context": 3, "questions": [{"question": "Who?"}]}`,
		`:1: field "questions" is missing: have context`:                                                       `{"context": "x"}`,
		`:1: field "questions" is an empty list`:                                                               `{"context": "x", "questions": []}`,
		`:1: field "questions": want a list of {question, answers}, got a string`:                              `{"context": "x", "questions": "Who?"}`,
		`:1: field "questions": question 1: want a JSON object`:                                                `{"context": "x", "questions": ["Who?"]}`,
		`:1: field "questions": question 2: field "question" is missing: have answers`:                         `{"context": "x", "questions": [{"question": "Who?"}, {"answers": ["a"]}]}`,
		`:1: field "questions": question 1: field "question" is empty`:                                         `{"context": "x", "questions": [{"question": ""}]}`,
		`:1: field "questions": question 1: unknown field "answer": did you mean answers? have answers, begin`: `{"context": "x", "questions": [{"question": "Who?", "answer": "a"}]}`,
		`:1: field "questions": question 1: field "answers": answer 1 is empty`:                                `{"context": "x", "questions": [{"question": "Who?", "answers": [""]}]}`,
		`:1: field "questions": question 1: field "metric": a file of prompts does not say`:                    `{"context": "x", "questions": [{"question": "Who?", "answers": ["a"], "metric": "command:true"}]}`,
		`:1: field "questions": question 1: field "begin": want a string, got a list`:                          `{"context": "x", "questions": [{"question": "Who?", "begin": []}]}`,
		`:2: field "id" is empty`:                                                                              `{"context": "x", "questions": [{"question": "Who?"}]}` + "\n" + `{"id": "", "context": "x", "questions": [{"question": "Who?"}]}`,
		`:2: id "k" was already used in line 1`:                                                                `{"id": "k", "context": "x", "questions": [{"question": "Who?"}]}` + "\n" + `{"id": "k", "context": "x", "questions": [{"question": "Who?"}]}`,
		`:1: unknown field "question": did you mean questions? have context, id, messages, prompt, questions`:  `{"context": "x", "question": "Who?"}`,
		`:1: both "prompt" and "messages"`:                                                                     `{"context": "x", "prompt": "", "messages": [], "questions": [{"question": "Who?"}]}`,
		`:1: field "prompt": {question} stands in it 0 times, want once`:                                       `{"context": "x", "prompt": "{context}", "questions": [{"question": "Who?"}]}`,
		`:1: field "prompt": {question} stands before {context}`:                                               `{"context": "x", "prompt": "{question} {context}", "questions": [{"question": "Who?"}]}`,
		`:1: field "messages": {context} stands in it 2 times, want once`:                                      `{"context": "x", "messages": [{"role": "user", "content": "{context}{context}{question}"}], "questions": [{"question": "Who?"}]}`,
		`:1: field "messages": message 1: field "content" is missing`:                                          `{"context": "x", "messages": [{"role": "user"}], "questions": [{"question": "Who?"}]}`,
		`: no contexts in it`: "",
	} {
		if _, path, err := openQuestionsFile(t, text); err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("want %s\n got %v", path+want, err)
		}
	}
	for want, names := range map[string][]string{
		`--convention: unknown convention "outside": have inside, context, dialogue, before`: {"outside"},
		"--convention: inside is asked for twice":                                            {"inside", "inside"},
		"--convention: an empty list":                                                        {},
	} {
		var mistake *OptionError
		if _, _, err := openQuestionsFile(t, `{"context": "x", "questions": [{"question": "Who?"}]}`, names...); !errors.As(err, &mistake) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("want %s, got %v", want, err)
		}
	}
	if _, err := Open("questions", Options{}); err == nil || !strings.Contains(err.Error(), "which file?") {
		t.Error(err)
	}
}

// Every convention has the same text and tokens; they differ in where the prompt ends that is
// compressed. Marks within the texts themselves are left alone.
func TestQuestionsConventions(t *testing.T) {
	task, _, err := openQuestionsFile(t, `{"id": "k", "context": "Ann has {question} a hat.", "questions": [{"question": "Who {context} has it?", "answers": ["Ann"]}, {"question": "What?", "begin": "A"}]}
{"context": "Ben.", "messages": [{"role": "system", "content": "Read {context}"}, {"role": "user", "content": "Now: {question} Be short."}], "questions": [{"question": "Who?"}]}
{"context": "Cy.", "prompt": "Text: {context} Q: {question} A:", "questions": [{"question": "Who?"}]}
`)
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	read := func(ids []int32) string { return strings.TrimPrefix(m.Tokenizer.Decode(ids, false), "<s>") }
	turn := "<|im_end|>\n<|im_start|>assistant\n"
	for i, want := range []struct{ id, context, question string }{
		{"k/1", "<|im_start|>user\nAnn has {question} a hat.\n\n", "Who {context} has it?" + turn},
		{"k/2", "<|im_start|>user\nAnn has {question} a hat.\n\n", "What?" + turn + "A"},
		{"2/1", "<|im_start|>system\nRead Ben.<|im_end|>\n<|im_start|>user\nNow: ", "Who? Be short." + turn},
		{"3/1", "Text: Cy. Q: ", "Who? A:"},
	} {
		inside, context := task.Sample(2*i, m), task.Sample(2*i+1, m)
		if inside.ID != want.id || context.ID != want.id || inside.Protocol != "inside" || context.Protocol != "context" {
			t.Errorf("samples %d: %q by %s and %q by %s, want %q", 2*i, inside.ID, inside.Protocol, context.ID, context.Protocol, want.id)
		}
		if read(context.IDs) != want.context || read(context.Question) != want.question || context.Prompt != want.context+want.question {
			t.Errorf("%s: %q and %q of %q (%v)", want.id, read(context.IDs), read(context.Question), context.Prompt, context.Err)
		}
		if !slices.Equal(inside.IDs, slices.Concat(context.IDs, context.Question)) || inside.Question != nil || inside.PromptSHA256 != context.PromptSHA256 {
			t.Errorf("%s: inside has %d tokens and %d, the context %d and %d", want.id, len(inside.IDs), len(inside.Question), len(context.IDs), len(context.Question))
		}
		if n := len(context.IDs); inside.Length != n || context.Length != n {
			t.Errorf("%s: lengths %d and %d, the context has %d tokens", want.id, inside.Length, context.Length, n)
		}
	}
	plain := task.Sample(0, Model{Tokenizer: wordwise()})
	if plain.Prompt != "Ann has {question} a hat.\n\nWho {context} has it?" {
		t.Errorf("without a template: %q", plain.Prompt)
	}
	if s := task.Sample(4, Model{Tokenizer: wordwise()}); s.Err == nil || !strings.Contains(s.Err.Error(), `line 2, question 1: the model has no chat template for "messages"`) {
		t.Errorf("messages without a template: %v", s.Err)
	}
	if s := task.Sample(0, Model{Text: true}); !errors.Is(s.Err, errNoTokenizer) {
		t.Errorf("without a tokenizer: %v", s.Err)
	}
	if order := Order(task); slices.Index(order, 3) != slices.Index(order, 1)+1 || slices.Index(order, 2) != slices.Index(order, 0)+1 {
		t.Errorf("order %v: a context's questions by one convention are no neighbours", order)
	}
}

// A question before its context has the same texts around both, and the same space between them.
func TestQuestionsBefore(t *testing.T) {
	task, _, err := openQuestionsFile(t, `{"context": "Ann has a hat.", "questions": [{"question": "Who?", "begin": "It is"}]}
{"context": "Ben.\n", "messages": [{"role": "user", "content": "Read. {context}{question} Be short."}], "questions": [{"question": "Who?"}]}
{"context": "Cy.", "prompt": "Text: {context}{question} A:", "questions": [{"question": "Who?"}]}
{"context": "Di.", "messages": [{"role": "system", "content": "Read {context}"}, {"role": "user", "content": "Now: {question}"}], "questions": [{"question": "Who?"}]}
`, "inside", "before")
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	turn := "<|im_end|>\n<|im_start|>assistant\n"
	for i, want := range []string{"<|im_start|>user\nWho?\n\nAnn has a hat." + turn + "It is", "<|im_start|>user\nRead. Who?\nBen. Be short." + turn, "Text: Who?\nCy. A:", ""} {
		inside, s := task.Sample(2*i, m), task.Sample(2*i+1, m)
		if want == "" {
			if s.Err == nil || !strings.Contains(s.Err.Error(), `line 4, question 1: between the context and the question stands "<|im_end|>`) || s.IDs != nil {
				t.Errorf("%q: %v", s.Prompt, s.Err)
			}
			continue
		}
		whole, _ := m.encode(want)
		if s.Err != nil || s.Prompt != want || !slices.Equal(s.IDs, whole) || s.Question != nil || s.Length != inside.Length || s.ID != inside.ID {
			t.Errorf("%q, want %q (%v)", s.Prompt, want, s.Err)
		}
	}
}

// A question that leaves no room is a sample with an error, which names the line; the others stay.
func TestQuestionsWithoutRoom(t *testing.T) {
	task, _, err := openQuestionsFile(t, `{"context": "a b c", "questions": [{"question": "Who?"}, {"question": "`+strings.Repeat("word ", 40)+`"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise(), ContextLength: 40}
	for i, want := range []string{"", "", "line 1, question 2: the question has 41 tokens, the model's context 40: no room", "line 1, question 2: the question has 41 tokens"} {
		s := task.Sample(i, m)
		if (s.Err == nil) != (want == "") || s.Err != nil && (!strings.Contains(s.Err.Error(), want) || s.IDs != nil || s.Question != nil) {
			t.Errorf("sample %d: %v, want %q", i, s.Err, want)
		}
	}
	m.ContextLength = 44
	if s := task.Sample(3, m); s.Err == nil || !strings.Contains(s.Err.Error(), "tokens, the model's context 44") {
		t.Errorf("a question that fits alone: %v", s.Err)
	}
}

func FuzzQuestions(f *testing.F) {
	f.Add([]byte(`{"id": "k", "context": "x", "questions": [{"question": "Who?", "answers": ["a"], "begin": "It"}, {"question": "What?", "metric": "qa_f1", "answers": ["b"], "max_new": 3}]}`))
	f.Add([]byte(`{"context": "x", "messages": [{"role": "user", "content": "{context} {question}"}], "questions": [{"question": "Who?", "classes": []}]}`))
	f.Add([]byte(`{"context": "x", "prompt": "{question}{context}", "questions": []}`))
	f.Add([]byte(`{"context": "", "questions": [{}]}`))
	m := Model{Tokenizer: wordwise(), Chat: bracketed, ContextLength: 1000}
	f.Fuzz(func(t *testing.T, text []byte) {
		fuzzDialogue(t, text)
		task, path, err := openQuestionsFile(t, string(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), path+":") {
				t.Fatalf("an error without the file: %v", err)
			}
			return
		}
		seen := map[string]bool{}
		for i := range task.Len() {
			s := task.Sample(i, m)
			if key := s.Protocol + " " + s.ID; s.ID == "" || seen[key] || s.MaxNew < 1 || task.Size(i) < 1 {
				t.Fatalf("%+v", s)
			} else {
				seen[key] = true
			}
			if (s.Err == nil) != (len(s.IDs) > 0) || s.Err == nil && (s.Protocol == "context") != (len(s.Question) > 0) {
				t.Fatalf("%+v", s)
			}
		}
	})
}
