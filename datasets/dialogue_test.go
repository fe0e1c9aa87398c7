package datasets

import (
	"slices"
	"strings"
	"testing"
)

// A dialogue's first question is that of inside. Behind its prompt stand the answers before a later one, the turns as the
// template writes them, and the question; what another row answered plays no part.
func TestDialogue(t *testing.T) {
	task, _, err := openQuestionsFile(t, `{"id": "k", "context": "Ann has a hat.", "questions": [{"question": "Who?", "answers": ["Ann", "Anna"]}, {"question": "What?", "begin": "It is", "answers": ["a hat"]}, {"question": "Since when?", "begin": "Since ", "answers": ["May"]}, {"question": "Why?", "answers": ["no"]}]}
{"context": "Ben.", "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Read {context}\n\nNow: {question} Be short."}], "questions": [{"question": "Who?", "answers": ["Ben"]}, {"question": "What?", "answers": ["x"]}]}
{"context": "Cy.", "messages": [{"role": "system", "content": "Read {context}"}, {"role": "user", "content": "Now: {question}"}], "questions": [{"question": "Who?", "answers": ["Cy"]}, {"question": "What?", "answers": ["x"]}]}
`, "inside", "dialogue")
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	read := func(ids []int32) string { return strings.TrimPrefix(m.Tokenizer.Decode(ids, false), "<s>") }
	user, turn := "<|im_end|>\n<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
	var first Sample // of its context
	for i, want := range []struct{ id, behind string }{
		{"k/1", ""},
		{"k/2", "Ann" + user + "What?" + turn + "It is"},
		{"k/3", "Ann" + user + "What?" + turn + "It is a hat" + user + "Since when?" + turn + "Since "},
		{"k/4", "Ann" + user + "What?" + turn + "It is a hat" + user + "Since when?" + turn + "Since May" + user + "Why?" + turn},
		{"2/1", ""},
		{"2/2", "Ben" + user + "Now: What? Be short." + turn},
		{"3/1", ""},
		{"3/2", "Cy" + user + "Now: What?" + turn},
	} {
		inside, s := task.Sample(2*i, m), task.Sample(2*i+1, m)
		if s.Err != nil || s.ID != want.id || s.Protocol != "dialogue" || read(s.Question) != want.behind || !strings.HasSuffix(s.Prompt, want.behind) {
			t.Errorf("%s: %q of %q, want %q (%v)", s.ID, read(s.Question), s.Prompt, want.behind, s.Err)
		}
		if want.behind == "" && (!slices.Equal(s.IDs, inside.IDs) || s.Prompt != inside.Prompt) {
			t.Errorf("%s: %q, inside %q", s.ID, s.Prompt, inside.Prompt)
		}
		if want.behind == "" {
			first = s
		}
		if !slices.Equal(s.IDs, first.IDs) || s.Length != first.Length || *s.Draw != *first.Draw {
			t.Errorf("%s: its compressed prompt is not that of the first question", s.ID)
		}
		if want := read(s.IDs) + read(s.Question); s.Prompt != want {
			t.Errorf("%s: the prompt is %q, its tokens %q", s.ID, s.Prompt, want)
		}
	}
}

// A template that writes an answered turn otherwise than it began it leaves nothing to go on from.
func TestDialogueTemplates(t *testing.T) {
	of := func(begin string) string {
		return `{"context": "x", "questions": [{"question": "Who?", "begin": "` + begin + `", "answers": ["Ann"]}, {"question": "What?", "answers": ["a hat"]}]}`
	}
	spaced := func(list []Message, _ map[string]any) (string, error) { // as Llama 2's
		var b strings.Builder
		for _, m := range list {
			if m.Role == "user" {
				b.WriteString("[I] " + m.Content + " [/I]")
			} else {
				b.WriteString(" " + m.Content + " </s>")
			}
		}
		return b.String(), nil
	}
	thinking := func(list []Message, _ map[string]any) (string, error) {
		text, err := chatml(list, nil)
		return text + "<think>\n\n</think>\n\n", err
	}
	thought := func(list []Message, _ map[string]any) (string, error) {
		text, err := chatml(list, nil)
		return strings.Replace(text, "assistant\n{answer", "assistant\n<think>\n</think>\n{answer", 1), err
	}
	twice := func(list []Message, _ map[string]any) (string, error) {
		text, err := chatml(list, nil)
		return text + list[len(list)-1].Content, err
	}
	for _, c := range []struct {
		chat         func([]Message, map[string]any) (string, error)
		begin, wants string
	}{
		{spaced, "", " Ann </s>[I] What? [/I]"},
		{spaced, " It is", " Ann </s>[I] What? [/I]"},
		{spaced, "It is", `line 1, question 2: chat template: it puts " " before an answer, and question 1 begins its answer with "It is"`},
		{thinking, "", "line 1, question 2: chat template: the conversation up to question 2 does not go on from that up to question 1"},
		{thought, "", "line 1, question 2: chat template: the conversation up to question 2 does not go on"},
		{twice, "", "line 1, question 2: chat template: its text: {context} stands in it 2 times"},
		{nil, "", "line 1, question 2: the model has no chat template, and a dialogue needs turns"},
	} {
		task, _, err := openQuestionsFile(t, of(c.begin), "dialogue")
		if err != nil {
			t.Fatal(err)
		}
		m := Model{Tokenizer: wordwise(), Chat: c.chat}
		switch s := task.Sample(1, m); {
		case s.Err != nil && !strings.Contains(s.Err.Error(), c.wants):
			t.Errorf("%v, want %q", s.Err, c.wants)
		case s.Err == nil && m.Tokenizer.Decode(s.Question, false) != c.wants:
			t.Errorf("%q, want %q", m.Tokenizer.Decode(s.Question, false), c.wants)
		}
	}
}

// What a dialogue lacks is told with its line before anything runs; other conventions do not ask for it.
func TestDialogueFile(t *testing.T) {
	for want, text := range map[string]string{
		`:1: field "questions": question 2: no "answers": in a dialogue`:                    `{"context": "x", "questions": [{"question": "Who?", "answers": ["a"]}, {"question": "What?"}]}`,
		`:2: field "prompt": a text has no turns`:                                           `{"context": "x", "questions": [{"question": "Who?", "answers": ["a"]}]}` + "\n" + `{"context": "x", "prompt": "{context} {question}", "questions": [{"question": "Who?", "answers": ["a"]}]}`,
		`:1: field "messages": {question} is not in the last message, where the convention`: `{"context": "x", "messages": [{"role": "user", "content": "{context} {question}"}, {"role": "assistant", "content": "Well,"}], "questions": [{"question": "Who?", "answers": ["a"]}]}`,
	} {
		if _, path, err := openQuestionsFile(t, text, "inside", "dialogue"); err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("want %s\n got %v", path+want, err)
		}
		if _, _, err := openQuestionsFile(t, text); err != nil {
			t.Errorf("by the other conventions: %v", err)
		}
	}
	task, _, err := openQuestionsFile(t, `{"context": "a b c", "questions": [{"question": "Who?", "answers": ["a"]}, {"question": "What?", "answers": ["b"]}]}`, "dialogue")
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise(), Chat: chatml, ContextLength: 12}
	if first, second := task.Sample(0, m), task.Sample(1, m); first.Err != nil || second.Err == nil || !strings.Contains(second.Err.Error(), "line 1, question 2: the prompt has") || second.Question != nil {
		t.Errorf("a dialogue longer than the context: %v, %v", first.Err, second.Err)
	}
}

// fuzzDialogue asks a file as a dialogue, if it can be.
func fuzzDialogue(t *testing.T, text []byte) {
	task, path, err := openQuestionsFile(t, string(text), "dialogue")
	if err != nil {
		if !strings.HasPrefix(err.Error(), path+":") {
			t.Fatalf("an error without the file: %v", err)
		}
		return
	}
	m := Model{Tokenizer: wordwise(), Chat: chatml, ContextLength: 1000}
	for i := range min(task.Len(), 20) {
		if s := task.Sample(i, m); (s.Err == nil) != (len(s.IDs) > 0) || s.Err == nil && (len(s.Question) == 0) != strings.HasSuffix(s.ID, "/1") {
			t.Fatalf("%+v", s)
		}
	}
}
