package datasets

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/runners/models/embedded"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

// The sets have the rows that the benchmark says they have, each with its length in order, and few made prompts have the
// distribution of all.
func TestPublishedLengths(t *testing.T) {
	rows := 0
	for _, name := range dryNames() {
		l := longbenchLengths()[name]
		if !slices.IsSorted(l.Lengths) || l.Lengths[0] < 1 || l.Measured.Rows < 1 {
			t.Errorf("%s: %d lengths from %d on, tokens of %d rows", name, len(l.Lengths), l.Lengths[0], l.Measured.Rows)
		}
		rows += len(l.Lengths)
		all := l.tokens(len(l.Lengths))
		sum := func(list []int) (s float64) {
			for _, n := range list {
				s += float64(n)
			}
			return s / float64(len(list))
		}
		for i, n := range all {
			if want := float64(l.Lengths[i]) * float64(l.Measured.Tokens) / float64(l.Measured.Length); math.Abs(float64(n)-want) > 0.5 {
				t.Fatalf("%s: row %d has %d tokens, want %.1f", name, i, n, want)
			}
		}
		few := l.tokens(20)
		if mean := sum(few) / sum(all); math.Abs(mean-1) > 0.03 {
			t.Errorf("%s: 20 prompts are %.3f times as long as all on average", name, mean)
		}
		if one := l.tokens(1); one[0] != all[len(all)/2] {
			t.Errorf("%s: one prompt of %d tokens, the middle is %d", name, one[0], all[len(all)/2])
		}
	}
	// In English and code 3,750, which is 13 sets of 200, two of 500 and one of 150; in Chinese five of 200.
	if len(dryNames()) != 21 || rows != 3750+1000 {
		t.Errorf("%d sets of %d rows", len(dryNames()), rows)
	}
}

// A made prompt has the recorded tokens and the set's template around it; it is cut, and gets its new tokens, as a real
// one; it is not scored, and what is made twice is the same.
func TestDryText(t *testing.T) {
	dir, err := embedded.Extract(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := tokenizer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: tokens}
	for _, set := range []string{"qasper", "lcc", "samsum", "dureader"} {
		task, err := Open(set, Options{Limit: 5, Own: &LongBenchOptions{DryText: true}})
		if err != nil {
			t.Fatal(err)
		}
		if task.Len() != 5 || task.Size(0) >= task.Size(4) || task.ID(3) != "made-3" {
			t.Errorf("%s: %d prompts, %d to %d tokens, %s", set, task.Len(), task.Size(0), task.Size(4), task.ID(3))
		}
		all := len(longbenchLengths()[set].Lengths)
		for limit, want := range map[int]int{0: all, all + 1: all, 100 * all: all} { // a run on the benchmark's rows would have no more
			if more, err := Open(set, Options{Limit: limit, Own: &LongBenchOptions{DryText: true}}); err != nil || more.Len() != want {
				t.Errorf("%s with a limit of %d: %d prompts, %v; want %d", set, limit, more.Len(), err, want)
			}
		}
		empty, err := m.Tokenizer.Encode(strings.NewReplacer("{context}", "", "{input}", "").Replace(texts().Templates[set]), false)
		if err != nil {
			t.Fatal(err)
		}
		for i := range task.Len() {
			s := task.Sample(i, m)
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			if more := len(s.IDs) - task.Size(i) - len(empty); more < -8 || more > 8 {
				t.Errorf("%s %s: %d tokens: want %d and the template's %d", set, s.ID, len(s.IDs), task.Size(i), len(empty))
			}
			if s.Metric != metrics.None || s.Answers != nil || s.MaxNew != texts().MaxNewTokens[set] || s.Length != longbenchLengths()[set].Lengths[(2*i+1)*len(longbenchLengths()[set].Lengths)/10] {
				t.Errorf("%s %s: metric %s, answers %q, %d new tokens, length %d", set, s.ID, s.Metric, s.Answers, s.MaxNew, s.Length)
			}
			if n := task.(interface{ Tokens(int, Model) int }).Tokens(i, m); n < len(s.IDs)-len(empty) || n > len(s.IDs)+len(empty) {
				t.Errorf("%s %s: %d tokens, foretold %d", set, s.ID, len(s.IDs), n)
			}
			if again := task.Sample(i, m); again.PromptSHA256 != s.PromptSHA256 {
				t.Errorf("%s %s: made twice, it is two prompts", set, s.ID)
			}
		}
	}
	task, err := Open("narrativeqa", Options{Own: &LongBenchOptions{DryText: true, MaxLength: 500}})
	if err != nil {
		t.Fatal(err)
	}
	if s := task.Sample(task.Len()-1, m); s.Err != nil || !s.Truncated || len(s.IDs) < 480 || len(s.IDs) > 520 || task.Len() != 200 {
		t.Errorf("cut at 500: %d tokens, truncated %v, %v", len(s.IDs), s.Truncated, s.Err)
	}
	small := m
	small.ContextLength = 400
	if n := task.(interface{ Tokens(int, Model) int }).Tokens(task.Len()-1, m); n != 500 {
		t.Errorf("cut at 500, %d tokens are foretold", n)
	}
	if task, err = Open("narrativeqa", Options{Own: &LongBenchOptions{DryText: true}}); err != nil {
		t.Fatal(err)
	}
	if n := task.(interface{ Tokens(int, Model) int }).Tokens(task.Len()-1, small); n != 400-128 {
		t.Errorf("in a context of 400, %d tokens are foretold", n)
	}
	for _, o := range []Options{{Own: &LongBenchOptions{DryText: true, Data: "x"}}, {Metric: "qa_f1", Own: &LongBenchOptions{DryText: true}}} {
		if _, err := Open("qasper", o); err == nil || !strings.Contains(err.Error(), "--dry-text") {
			t.Errorf("%+v: %v", o.Own, err)
		}
	}
	if _, err := Open("qasper_e", Options{Own: &LongBenchOptions{DryText: true}}); err == nil || !strings.Contains(err.Error(), "not recorded") {
		t.Errorf("a set without recorded lengths: %v", err)
	}
}
