package datasets

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// told lists marks as "name: text".
func told(s Sample) (list []string) {
	for _, k := range s.Marks {
		list = append(list, k.Name+": "+s.Prompt[k.From:k.To])
	}
	return list
}

// Answers are marked where they stand as words, evidence where the row says, and passages of the question apart from the
// context are counted behind its tokens.
func TestMarksOfOwnFiles(t *testing.T) {
	prompts := `{"prompt": "Ann saw Anna. Ann has a red hat. What has Ann?", "answers": ["red hat", "Ann"], "evidence": ["Ann has a red hat."]}
{"messages": [{"role": "user", "content": "Is it so? Yes."}], "answers": ["no"]}
{"prompt": "` + strings.Repeat("one, ", 17) + `", "answers": ["one"]}
{"prompt": "猫が好きです", "answers": ["好き"]}
{"prompt": "hat or cap: a hat", "answers": ["hat"], "classes": ["hat", "cap"]}
`
	k, err := Open("prompts", Options{Own: &PromptsOptions{File: writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), prompts)}})
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	for i, want := range []string{
		"[evidence: Ann has a red hat. answer: red hat answer: Ann answer: Ann answer: Ann]", "[]", "[]", "[answer: 好き]", "[]",
	} {
		s := k.Sample(i, m)
		if got := fmt.Sprint(told(s)); s.Err != nil || got != want {
			t.Errorf("line %d: %v, %v, want %s", i+1, got, s.Err, want)
		}
	}
	questions := `{"context": "Ann has a red hat. Ben has a red cap.", "questions": [{"question": "What has Ben?", "answers": ["red cap"], "evidence": ["Ben has a red cap."]}]}` + "\n"
	k, err = Open("questions", Options{Own: &QuestionsOptions{File: writeFile(t, filepath.Join(t.TempDir(), "q.jsonl"), questions), Conventions: ConventionNames()}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range k.Len() {
		s := k.Sample(i, m)
		if got := fmt.Sprint(told(s)); s.Err != nil || got != "[evidence: Ben has a red cap. answer: red cap question: What has Ben?]" {
			t.Errorf("%s: %v, %v", s.Protocol, got, s.Err)
		}
		list, err := s.Passages(m)
		if err != nil || len(list) != 3 {
			t.Fatalf("%s: %v, %v", s.Protocol, list, err)
		}
		all := append(s.IDs[:len(s.IDs):len(s.IDs)], s.Question...)
		for j, p := range list {
			text := s.Prompt[s.Marks[j].From:s.Marks[j].To]
			if got := m.Tokenizer.Decode(all[p.From:p.To], false); !strings.Contains(got, text) {
				t.Errorf("%s: %s is said to be %q, want %q", s.Protocol, p.Name, got, text)
			}
		}
		if behind := list[2].From >= len(s.IDs); behind != (s.Protocol == "context") {
			t.Errorf("%s: the question begins at token %d, the prompt has %d", s.Protocol, list[2].From, len(s.IDs))
		}
	}
}

// A passage that is not in the text, or in several places, is refused with file and line.
func TestEvidenceRefused(t *testing.T) {
	for want, line := range map[string]string{
		`:1: field "evidence": passage 2, "Ben", does not stand in the text`:                          `{"prompt": "Ann and Anna", "evidence": ["and", "Ben"]}`,
		`:1: field "evidence": passage 1, "Ann", stands in the text 2 times`:                          `{"prompt": "Ann and Anna", "evidence": ["Ann"]}`,
		`:1: field "evidence": passage 1 is empty`:                                                    `{"prompt": "Ann and Anna", "evidence": [" "]}`,
		`:1: field "evidence" has 65 passages: want at most 64`:                                       `{"prompt": "Ann", "evidence": ["Ann"` + strings.Repeat(`, "Ann"`, 64) + `]}`,
		`:1: field "evidence" is an empty list`:                                                       `{"prompt": "Ann and Anna", "evidence": []}`,
		`:1: field "evidence": want a list of strings, got a string`:                                  `{"prompt": "Ann and Anna", "evidence": "Ann"}`,
		`:1: field "evidence": passage 1, "What has she to do w…", does not stand in the text`:        `{"prompt": "Ann and Anna", "evidence": ["What has she to do with it?"]}`,
		`:1: field "evidence": passage 1, "bb", does not stand in the text`:                           `{"messages": [{"role": "user", "content": "ab"}, {"role": "user", "content": "ba"}], "evidence": ["bb"]}`,
		`:1: field "questions": question 1: field "evidence": passage 1, "Who", does not stand in th`: `{"context": "Ann.", "questions": [{"question": "Who?", "evidence": ["Who"]}]}`,
	} {
		path := writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), line+"\n")
		var err error
		if strings.Contains(line, `"questions"`) {
			_, err = Open("questions", Options{Own: &QuestionsOptions{File: path, Conventions: ConventionNames()}})
		} else {
			_, err = Open("prompts", Options{Own: &PromptsOptions{File: path}})
		}
		if err == nil || !strings.HasPrefix(err.Error(), path+want) {
			t.Errorf("want %s\n got %v", want, err)
		}
	}
}

// What is evidence is part of what a file asks; a file without asks what it asked before.
func TestEvidenceInDigest(t *testing.T) {
	digest := func(line string) string {
		k, err := Open("prompts", Options{Own: &PromptsOptions{File: writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), line)}})
		if err != nil {
			t.Fatal(err)
		}
		return k.Digest()
	}
	plain, one, other := digest(`{"prompt": "a b c"}`), digest(`{"prompt": "a b c", "evidence": ["b"]}`), digest(`{"prompt": "a b c", "evidence": ["c"]}`)
	if plain == one || one == other {
		t.Errorf("digests %s, %s, %s", plain, one, other)
	}
}

// LongBench's sets mark instruction, question, and the answers in the context, under each protocol, also in a prompt whose
// middle was cut out.
func TestLongBenchMarks(t *testing.T) {
	context := "The lamp was made by Marie Veld in 1911. " + strings.Repeat("Nobody knows who bought it then. ", 40) + "It is now in Ghent."
	row := qasperRow("a", map[string]any{"context": context, "input": "Who made the lamp?", "answers": []string{"Marie Veld"}, "dataset": "qasper"})
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "qasper.jsonl"), row)
	for _, protocol := range ProtocolNames() {
		for _, limit := range []int{0, 150} {
			k, err := Open("qasper", Options{Own: &LongBenchOptions{Data: dir, Protocol: protocol, MaxLength: limit}})
			if err != nil {
				t.Fatal(err)
			}
			m := Model{Tokenizer: wordwise(), Chat: chatml, ContextLength: 4096}
			s := k.Sample(0, m)
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			list := told(s)
			t.Logf("%s, %d: truncated %v: %d marks", protocol, limit, s.Truncated, len(list))
			if len(list) != 3 || !strings.HasPrefix(list[0], "instruction: You are given a scientific article") || list[1] != "question: Who made the lamp?" || list[2] != "answer: Marie Veld" {
				t.Errorf("%s: %q", protocol, list)
			}
			other := s
			other.Prompt = strings.Replace(s.Prompt, "Veld", "Feld", 1)
			if passages, err := other.Passages(m); err == nil || !strings.Contains(err.Error(), "departs from the prompt at byte") {
				t.Errorf("tokens of another text: %v, %v", passages, err)
			}
		}
	}
}
