package ruler

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// words counts a text's words: a tokenizer that every test has.
func words(text string) (int, error) { return len(strings.Fields(text)), nil }

// plainEssay is a haystack of numbered sentences.
func plainEssay() *Essay {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "Sentence %d says nothing\n\nof any use. ", i)
	}
	return NewEssay(b.String(), atPeriod)
}

func atPeriod(text string) []int {
	var ends []int
	for i, r := range text {
		if r == '.' {
			ends = append(ends, i+1)
		}
	}
	return ends
}

func plainQA() *QA {
	qa := &QA{}
	for i := range 600 {
		qa.Documents = append(qa.Documents, fmt.Sprintf("Text %03d says that colour number %d is blue.", i, i))
	}
	for i := range 12 {
		qa.Questions = append(qa.Questions, Question{
			Text: fmt.Sprintf("Which colour is number %d?", i), Answers: []string{"green", "blue"}, Own: []int{i}, Near: []int{i + 20, i + 40},
		})
	}
	return qa
}

func open(t *testing.T, e Edition, task string, length int) *Series {
	t.Helper()
	s, err := Open(Config{Edition: e, Task: task, Length: length, Count: words, Essay: plainEssay(), QA: plainQA()})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What holds for every task: it fits, it holds its answers where the marks say, and it is the
// same each time that it is made.
func TestSamples(t *testing.T) {
	for _, edition := range []Edition{Edition2024, Edition2026} {
		for _, task := range Tasks() {
			for _, length := range []int{1500, 4096} {
				s := open(t, edition, task, length)
				var all []Sample
				for i := range 10 {
					got, err := s.Sample(i)
					if err != nil {
						t.Fatalf("%s %s: %v", edition, task, err)
					}
					if err := whole(edition, task, length, got); err != nil {
						t.Errorf("%s %s, length %d, sample %d: %v", edition, task, length, i, err)
					}
					all = append(all, got)
				}
				again := open(t, edition, task, length)
				var wait sync.WaitGroup
				for i := range all {
					wait.Go(func() {
						if got, err := again.Sample(9 - i); err != nil || !reflect.DeepEqual(got, all[9-i]) {
							t.Errorf("%s %s: sample %d is another one the second time (%v)", edition, task, 9-i, err)
						}
					})
				}
				wait.Wait()
			}
		}
	}
}

// whole says what is wrong with a sample.
func whole(edition Edition, task string, length int, s Sample) error {
	tokens, _ := words(s.Prompt)
	most := length - NewTokens(task)
	if task == "fwe" && edition == Edition2024 {
		most = length
	}
	if tokens > most || tokens < most/2 {
		return fmt.Errorf("%d tokens for %d", tokens, most)
	}
	if !strings.HasPrefix(s.Prompt[s.Prefix:], " ") || s.Prefix < len(s.Prompt)/2 {
		return fmt.Errorf("the answer begins by %q", s.Prompt[s.Prefix:])
	}
	marked := map[string][]string{}
	for _, m := range s.Marks {
		marked[m.Name] = append(marked[m.Name], s.Prompt[m.From:m.To])
	}
	if len(marked["question"]) != 1 || !strings.Contains(marked["question"][0], "the") {
		return fmt.Errorf("questions %q", marked["question"])
	}
	for _, value := range marked["value"] {
		if !slices.Contains(s.Answers, value) {
			return fmt.Errorf("the value %q is no answer of %q", value, s.Answers)
		}
	}
	for _, answer := range s.Answers {
		if !slices.Contains(marked["value"], answer) && !AnyAnswer(task) {
			return fmt.Errorf("the answer %q is no value of %q", answer, marked["value"])
		}
		if strings.HasPrefix(task, "niah") && strings.Count(s.Prompt, answer) != 1 {
			return fmt.Errorf("%d times the answer %q", strings.Count(s.Prompt, answer), answer)
		}
	}
	if n := len(marked["needle"]); n == 0 || n != len(marked["value"]) {
		return fmt.Errorf("%d needles, %d values", n, len(marked["value"]))
	}
	return nil
}

// The search of 2024 does not count every probe; it finds what it would find if it did.
func TestSearchSkips(t *testing.T) {
	for _, task := range Tasks() {
		for _, length := range []int{1500, 6000} {
			s := open(t, Edition2024, task, length)
			if _, err := s.Sample(0); err != nil {
				t.Fatal(err)
			}
			every := open(t, Edition2024, task, length)
			every.countAll = true
			if _, err := every.Sample(0); err != nil {
				t.Fatal(err)
			}
			if s.size != every.size || s.next.place() != every.next.place() {
				t.Errorf("%s, length %d: size %d, with every probe counted %d", task, length, s.size, every.size)
			}
		}
	}
}

func TestTooShort(t *testing.T) {
	for _, edition := range []Edition{Edition2024, Edition2026} {
		for _, task := range Tasks() {
			s := open(t, edition, task, NewTokens(task)+30)
			if _, err := s.Sample(0); !errors.Is(err, errShort) {
				t.Errorf("%s %s: %v", edition, task, err)
			}
		}
	}
	for _, c := range []Config{
		{Edition: Edition2024, Task: "none", Length: 4096}, {Edition: "2023", Task: "vt", Length: 4096}, {Edition: Edition2024, Task: "vt", Length: 30},
	} {
		if _, err := Open(c); err == nil {
			t.Errorf("%+v opens", c)
		}
	}
}

func TestCountFails(t *testing.T) {
	broken := errors.New("no tokenizer")
	for _, task := range Tasks() {
		for _, after := range []int{0, 1, 20} {
			n := 0
			s := open(t, Edition2026, task, 4096)
			s.Count = func(text string) (int, error) {
				if n++; n > after {
					return 0, broken
				}
				return words(text)
			}
			for i := range 30 {
				if _, err := s.Sample(i); err != nil {
					if !errors.Is(err, broken) {
						t.Errorf("%s: %v", task, err)
					}
					break
				} else if i == 29 {
					t.Errorf("%s: no error", task)
				}
			}
		}
	}
}

func TestPythonList(t *testing.T) {
	for _, c := range []struct {
		list []string
		want string
	}{
		{nil, "[]"},
		{[]string{"a", "b c"}, "['a', 'b c']"},
		{[]string{"it's", `"`, `'"`, "\\\n\t\x01é\u200b"}, `["it's", '"', '\'"', '\\\n\t\x01é\u200b']`},
	} {
		if got := pythonList(c.list); got != c.want {
			t.Errorf("%q: %s, want %s", c.list, got, c.want)
		}
	}
}

// A haystack that is too short starts over.
func TestEssayRepeats(t *testing.T) {
	e := NewEssay(" One two.  Three\nfour. ", atPeriod)
	if got := e.sentences(7); !slices.Equal(got, []string{"One two.", "Three four.", "One two.", "Three"}) {
		t.Errorf("%q", got)
	}
	if e.Original() || e.Text() != "One two. Three four." {
		t.Errorf("%+v", e)
	}
}

// Where even the least that the originals hide is too much, they draw for ever; here there is less.
func TestLittleHaystack(t *testing.T) {
	for _, edition := range []Edition{Edition2024, Edition2026} {
		for _, task := range []string{"niah_single_1", "niah_single_2", "qa_1"} {
			if edition == Edition2024 && task == "niah_single_2" {
				continue // there the original does with no words at all
			}
			s := open(t, edition, task, NewTokens(task)+115)
			for i := range 3 {
				got, err := s.Sample(i)
				if err != nil {
					t.Fatalf("%s %s: %v", edition, task, err)
				}
				if again, err := s.Sample(i); err != nil || !reflect.DeepEqual(got, again) || got.Size >= s.g.step() || got.Size < 1 {
					t.Errorf("%s %s: size %d, then %d (%v)", edition, task, got.Size, again.Size, err)
				}
			}
		}
	}
}
