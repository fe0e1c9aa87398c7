package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// secondReference is a context with its questions, and what SmolLM2 answers by transformers in
// float32; the keys of Answers are "full", or a convention and a variant.
type secondReference struct {
	ID            string `json:"id"`
	Context       string `json:"context"`
	ContextSHA256 string `json:"context_sha256"` // of the ids as little-endian int32
	ContextTokens int    `json:"n_context"`
	Right         string `json:"right"`
	Questions     []struct {
		Question    string                  `json:"question"` // with what follows it in the prompt
		Answer      string                  `json:"answer"`
		QuestionIDs []int32                 `json:"question_ids"`
		AnswerIDs   []int32                 `json:"answer_ids"`
		Answers     map[string]secondAnswer `json:"answers"`
	} `json:"questions"`
	Dialogue []struct {
		Question int                     `json:"question"`
		Position int                     `json:"position"` // tokens before the answer
		Answers  map[string]secondAnswer `json:"answers"`
		Fed      []int32                 `json:"fed"` // what follows: the reference answer, the border, and the next question
	} `json:"dialogue"`
}

type secondAnswer struct {
	Tokens  []int32   `json:"tokens"`
	Margins []float64 `json:"margins"`
	Got     int       `json:"got"`
}

// tally counts what was compared with recorded answers.
type tally struct{ answers, whole, tokens, cut int }

// hold holds an answer to the recorded one up to the first token that another rounding may change.
func (c *tally) hold(t *testing.T, what, variant string, done runners.Completion, want secondAnswer, answer []int32) {
	t.Helper()
	if done.Err != nil {
		t.Errorf("%s: %v", what, done.Err)
		return
	}
	limit := 0.01
	if variant == "full" {
		limit = 0.002
	}
	n := slices.IndexFunc(want.Margins, func(v float64) bool { return v < limit })
	if n < 0 {
		n = len(want.Tokens)
	}
	if len(done.Tokens) < n || !slices.Equal(done.Tokens[:n], want.Tokens[:n]) {
		t.Errorf("%s: %v, want %v up to %d", what, done.Tokens, want.Tokens, n)
	}
	got := 0
	for got < len(answer) && got < len(done.Tokens) && done.Tokens[got] == answer[got] {
		got++
	}
	if got != want.Got && n > min(got, want.Got) {
		t.Errorf("%s: %d tokens of the answer, want %d", what, got, want.Got)
	}
	c.answers, c.tokens = c.answers+1, c.tokens+n
	if n == len(want.Tokens) {
		c.whole++
	} else {
		c.cut += len(want.Tokens) - n
	}
}

// done logs what was compared of so many contexts, which must be something.
func (c *tally) done(t *testing.T, contexts, of int) {
	t.Helper()
	t.Logf("%d answers compared, %d tokens; %d of the answers to the end, %d tokens behind a step too close to tell (%d of %d contexts; SNAPBENCH_LONG=1 takes all)",
		c.answers, c.tokens, c.whole, c.cut, contexts, of)
	if c.answers == 0 {
		t.Error("nothing compared")
	}
}

// openSecond opens the model, the recorded contexts, of which it takes the first alone without SNAPBENCH_LONG=1, and the
// task that asks them by some conventions.
func openSecond(t *testing.T, conventions ...string) (m *local.Opened, all []secondReference, contexts int, task datasets.Task) {
	t.Helper()
	sharedtest.JSON(t, sharedtest.Path(t, "observe", "second.json"), &all)
	m, err := local.Open(t.Context(), local.Options{Model: sharedtest.SmolLM2(t), Device: "cpu", DType: "float32", Tokenizer: "native"}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	contexts = len(all)
	if os.Getenv("SNAPBENCH_LONG") == "" {
		all = all[:1]
	}
	task, err = datasets.Open("questions", datasets.Options{Own: &datasets.QuestionsOptions{File: secondFile(t, all), Conventions: conventions}, MaxNew: 12})
	if err != nil {
		t.Fatal(err)
	}
	return m, all, contexts, task
}

func secondRequest(s datasets.Sample, variants []compress.Variant) runners.Request {
	return runners.Request{Prompt: s.IDs, Question: s.Question, Variants: runners.VariantsOf(variants), MaxNew: s.MaxNew}
}

// secondFile writes the contexts as a user would.
func secondFile(t *testing.T, all []secondReference) string {
	t.Helper()
	var lines []string
	for _, c := range all {
		_, context, ok := strings.Cut(c.Context, "<|im_start|>user\n")
		if !ok {
			t.Fatalf("context %s begins with no turn of a user", c.ID)
		}
		var questions []map[string]any
		for _, q := range c.Questions {
			text, begin, ok := strings.Cut(q.Question, c.Right)
			if !ok {
				t.Fatalf("context %s: %q has no %q", c.ID, q.Question, c.Right)
			}
			questions = append(questions, map[string]any{"question": text, "begin": begin, "answers": []string{q.Answer}})
		}
		line, err := json.Marshal(map[string]any{"id": c.ID, "context": context, "questions": questions,
			"messages": []map[string]string{{"role": "user", "content": "{context}{question}"}}})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	path := filepath.Join(t.TempDir(), "second.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A second question has the reference's tokens by both conventions, up to the first that another
// rounding may change, all contexts with SNAPBENCH_LONG=1; and a question that is asked alone has the same answer as among others.
func TestQuestionsReference(t *testing.T) {
	m, all, contexts, task := openSecond(t, "inside", "context")
	engine := m.Runners()[0]
	var count tally
	number := 0
	for _, c := range all {
		byConvention := map[string][]runners.Request{}
		keys := map[string][]string{} // of the variants, by convention
		for k, q := range c.Questions {
			for range datasets.DefaultConventions() {
				s := task.Sample(number, m.Reader())
				number++
				left, right := s.IDs, s.Question
				if s.Protocol == "inside" {
					left, right = s.IDs[:s.Length], s.IDs[s.Length:]
				}
				var bytes []byte
				for _, id := range left {
					bytes = binary.LittleEndian.AppendUint32(bytes, uint32(id))
				}
				sum := sha256.Sum256(bytes)
				if s.Err != nil || s.Prompt != c.Context+q.Question || len(left) != c.ContextTokens || !slices.Equal(right, q.QuestionIDs) || hex.EncodeToString(sum[:]) != c.ContextSHA256 {
					t.Fatalf("%s, %s: %v: %d tokens of the context, want %d; the question's are %v, want %v", s.ID, s.Protocol, s.Err, len(left), c.ContextTokens, right, q.QuestionIDs)
				}
				if k == 0 {
					keys[s.Protocol] = []string{"full"}
					for key := range q.Answers {
						if strings.HasPrefix(key, s.Protocol+" ") {
							keys[s.Protocol] = append(keys[s.Protocol], key)
						}
					}
					slices.Sort(keys[s.Protocol][1:])
				}
				text := strings.ReplaceAll(strings.Join(keys[s.Protocol], ";"), s.Protocol+" ", "")
				variants, err := compress.ParseAll(text)
				if err != nil {
					t.Fatal(err)
				}
				byConvention[s.Protocol] = append(byConvention[s.Protocol], secondRequest(s, variants))
			}
		}
		for _, convention := range datasets.DefaultConventions() {
			requests := byConvention[convention]
			out, last, alone := withLastAlone(t, engine, requests)
			for k, q := range c.Questions {
				for j, key := range keys[convention] {
					done, want := out[k][j], q.Answers[key]
					what := c.ID + " " + q.Answer + ", " + convention + ", " + key
					if k == last && !slices.Equal(done.Tokens, alone[0][j].Tokens) {
						t.Errorf("%s: %v, asked alone %v", what, done.Tokens, alone[0][j].Tokens)
					}
					count.hold(t, what, key, done, want, q.AnswerIDs)
				}
			}
		}
	}
	count.done(t, len(all), contexts)
}

// withLastAlone answers requests together, and the last, whose number it returns, once more by itself.
func withLastAlone(t *testing.T, r runners.Runner, requests []runners.Request) (out [][]runners.Completion, last int, alone [][]runners.Completion) {
	t.Helper()
	out, err := runners.Answer(t.Context(), r, requests...)
	if err != nil {
		t.Fatal(err)
	}
	last = len(requests) - 1
	if alone, err = runners.Answer(t.Context(), r, requests[last]); err != nil {
		t.Fatal(err)
	}
	return out, last, alone
}

// The later questions of a dialogue have the reference's tokens: those read behind the compressed prompt, whose turns the
// model's own template parts, and those answered. A question that is asked alone has the same answer as among others.
func TestDialogueReference(t *testing.T) {
	m, all, contexts, task := openSecond(t, "dialogue")
	engine := m.Runners()[0]
	var count tally
	before := 0 // questions of the contexts before
	for _, c := range all {
		var requests []runners.Request
		var keys [][]string
		var fed []int32
		for k, d := range c.Dialogue {
			s := task.Sample(before+d.Question, m.Reader())
			if s.Err != nil || s.Protocol != "dialogue" || len(s.IDs) != c.ContextTokens+len(c.Questions[0].QuestionIDs) || !slices.Equal(s.Question, fed) || len(s.IDs)+len(s.Question) != d.Position {
				t.Fatalf("%s: %v: %d tokens of the prompt, behind it %v, want %v, to position %d", s.ID, s.Err, len(s.IDs), s.Question, fed, d.Position)
			}
			keys = append(keys, slices.Sorted(maps.Keys(d.Answers)))
			variants, err := compress.ParseAll(strings.Join(keys[k], ";"))
			if err != nil {
				t.Fatal(err)
			}
			requests = append(requests, secondRequest(s, variants))
			fed = append(fed, d.Fed...)
		}
		before += len(c.Questions)
		out, last, alone := withLastAlone(t, engine, requests)
		for k, d := range c.Dialogue {
			for j, key := range keys[k] {
				what := fmt.Sprintf("%s, question %d, %s", c.ID, d.Question, key)
				count.hold(t, what, key, out[k][j], d.Answers[key], c.Questions[d.Question].AnswerIDs)
				if k == last && !slices.Equal(out[k][j].Tokens, alone[0][j].Tokens) {
					t.Errorf("%s: %v, asked alone %v", what, out[k][j].Tokens, alone[0][j].Tokens)
				}
			}
		}
	}
	count.done(t, len(all), contexts)
}
