package datasets

import (
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

func init() {
	contractData["ruler2"] = func(_ *testing.T, _ string, own any) {
		o := own.(*Ruler2Options)
		o.Lengths, o.Trials = []int{900, 400}, 2
	}
}

// Prompts of the original generators, made again from the lines that they hold.
func TestSharedRuler2Prompts(t *testing.T) {
	var file struct {
		Samples []struct {
			Task, Question string
			Length         int
			Expected       any `json:"expected_answer"`
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "ruler2.json"), &file)
	compared := 0
	for _, s := range file.Samples {
		if !strings.HasSuffix(s.Task, "niah_basic") {
			continue
		}
		var lines []registerLine
		for line := range strings.SplitSeq(s.Question, "\n") {
			if _, rest, ok := strings.Cut(line, "numbers for "); ok {
				if name, number, ok := strings.Cut(rest, " is: "); ok {
					lines = append(lines, registerLine{name, strings.TrimSuffix(number, ".")})
				}
			}
		}
		_, query, _ := strings.Cut(s.Question[strings.LastIndex(s.Question, "\n"):], " for ")
		query, _, _ = strings.Cut(query, " mentioned")
		list, _ := s.Expected.([]any)
		p := ruler2Prompt(lines, query, len(list))
		head, tail, err := p.around(Model{})
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, e := range list {
			want = append(want, e.(string))
		}
		slices.Sort(want) // they stand there in the order in which they were drawn
		slices.Sort(p.answers)
		if got := head + p.context + tail; got != s.Question || !slices.Equal(p.answers, want) {
			t.Errorf("%s: the prompt is\n%q, want\n%q\nanswers %q, want %q", s.Task, got, s.Question, p.answers, want)
		}
		if n := len(strings.Fields(s.Question)); n != s.Length { // words were its tokens
			t.Errorf("%s: %d words, want %d", s.Task, n, s.Length)
		}
		compared++
	}
	if compared == 0 {
		t.Fatal("no prompts")
	}
	t.Logf("ruler2.json: %d prompts of the basic tasks equal", compared)
}

// Every key has as many values as are asked for, and the asked one no more.
func TestRuler2Lines(t *testing.T) {
	for _, values := range []int{1, 4} {
		for _, n := range []int{8, 401} {
			lines, query := newRandom("lines").ruler2Lines(n, values)
			count := map[string]int{}
			for _, l := range lines {
				count[l.name]++
			}
			if len(lines) != n || count[query] != values || len(count) > (n+values-1)/values || len(count) < n/values*9/10 {
				t.Errorf("%d lines, %d values: %d lines, of %s %d", n, values, len(lines), query, count[query])
			}
			if p := ruler2Prompt(lines, query, values); len(p.answers) != values || len(p.marks) != 2*values {
				t.Errorf("%d values: answers %q, marks %v", values, p.answers, p.marks)
			}
		}
	}
}
