package ruler

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a file holds, it is refused, or its questions make prompts.
func FuzzDocuments(f *testing.F) {
	f.Add(`{"data": [{"title": "t", "paragraphs": [{"context": "Ann has a hat.", "qas": [{"question": "Who?", "is_impossible": false, "answers": [{"text": "Ann"}]}]}]}]}`, false)
	f.Add(`{"data": [{"paragraphs": [{"context": "a", "qas": []}, {"context": "a", "qas": [{"question": "", "is_impossible": false, "answers": [{"text": ""}]}]}]}]}`, false)
	f.Add(`[{"question": "Who?", "answer": "Ann", "context": [["Ann", ["She has", " a hat."]], ["Ann", ["She has", " a hat."]]]}]`, true)
	f.Add(`[{"question": "Who?", "answer": "Ann", "context": [["Ann"]]}]`, true)
	f.Fuzz(func(t *testing.T, text string, hotpot bool) {
		read, task := ReadSQuAD, "qa_1"
		if hotpot {
			read, task = ReadHotpotQA, "qa_2"
		}
		qa, err := read([]byte(text))
		if err != nil {
			return
		}
		s, err := Open(Config{Edition: Edition2026, Task: task, Length: 400, Count: words, QA: qa})
		if err != nil {
			t.Fatal(err)
		}
		for i := range min(len(qa.Questions), 3) {
			made, err := s.Sample(i)
			if err != nil {
				return // too long
			}
			if n, _ := words(made.Prompt); n+NewTokens(task) > 400 || !strings.Contains(made.Prompt, qa.Questions[i].Text) {
				t.Errorf("%d words, %q", n, made.Prompt)
			}
		}
	})
}

// Whatever a haystack holds, the sentences of its words are these words.
func FuzzEssay(f *testing.F) {
	f.Add("One two. Three.\n\nFour\x1c five", 3)
	f.Add("  ", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		if !utf8.ValidString(text) || len(text) > 1<<12 {
			return
		}
		e := NewEssay(text, atPeriod)
		if len(e.ends) == 0 {
			return
		}
		if n = n & 0xff; n == 0 {
			return
		}
		var want []string
		for len(want) < n {
			want = append(want, strings.Split(e.text, " ")...)
		}
		if got := strings.Join(e.sentences(n), " "); strings.ReplaceAll(got, " ", "") != strings.Join(want[:n], "") {
			t.Errorf("%q, want the words %q", got, want[:n])
		}
	})
}
