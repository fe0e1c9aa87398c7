package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
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
		Question    string  `json:"question"` // with what follows it in the prompt
		Answer      string  `json:"answer"`
		QuestionIDs []int32 `json:"question_ids"`
		AnswerIDs   []int32 `json:"answer_ids"`
		Answers     map[string]struct {
			Tokens  []int32   `json:"tokens"`
			Margins []float64 `json:"margins"`
			Got     int       `json:"got"`
		} `json:"answers"`
	} `json:"questions"`
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
	var all []secondReference
	sharedtest.JSON(t, sharedtest.Path(t, "observe", "second.json"), &all)
	m, err := local.Open(t.Context(), local.Options{Model: sharedtest.SmolLM2(t), Device: "cpu", DType: "float32", Tokenizer: "native"}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	contexts := len(all)
	if os.Getenv("SNAPBENCH_LONG") == "" {
		all = all[:1]
	}
	task, err := datasets.Open("questions", datasets.Options{Own: &datasets.QuestionsOptions{File: secondFile(t, all), Conventions: datasets.ConventionNames()}, MaxNew: 12})
	if err != nil {
		t.Fatal(err)
	}
	engine := m.Runners()[0]
	request := func(s datasets.Sample, variants []compress.Variant) runners.Request {
		return runners.Request{Prompt: s.IDs, Question: s.Question, Variants: runners.VariantsOf(variants), MaxNew: s.MaxNew}
	}
	answers, whole, tokens, cut := 0, 0, 0, 0
	number := 0
	for _, c := range all {
		byConvention := map[string][]runners.Request{}
		keys := map[string][]string{} // of the variants, by convention
		for k, q := range c.Questions {
			for range datasets.ConventionNames() {
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
				byConvention[s.Protocol] = append(byConvention[s.Protocol], request(s, variants))
			}
		}
		for _, convention := range datasets.ConventionNames() {
			requests := byConvention[convention]
			out, err := runners.Answer(t.Context(), engine, requests...)
			if err != nil {
				t.Fatal(err)
			}
			last := len(requests) - 1
			alone, err := runners.Answer(t.Context(), engine, requests[last:]...)
			if err != nil {
				t.Fatal(err)
			}
			for k, q := range c.Questions {
				for j, key := range keys[convention] {
					done, want := out[k][j], q.Answers[key]
					what := c.ID + " " + q.Answer + ", " + convention + ", " + key
					if done.Err != nil {
						t.Errorf("%s: %v", what, done.Err)
						continue
					}
					if k == last && !slices.Equal(done.Tokens, alone[0][j].Tokens) {
						t.Errorf("%s: %v, asked alone %v", what, done.Tokens, alone[0][j].Tokens)
					}
					limit := 0.01
					if key == "full" {
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
					for got < len(q.AnswerIDs) && got < len(done.Tokens) && done.Tokens[got] == q.AnswerIDs[got] {
						got++
					}
					if got != want.Got && n > min(got, want.Got) {
						t.Errorf("%s: %d tokens of the answer, want %d", what, got, want.Got)
					}
					answers, tokens = answers+1, tokens+n
					if n == len(want.Tokens) {
						whole++
					} else {
						cut += len(want.Tokens) - n
					}
				}
			}
		}
	}
	t.Logf("%d answers compared, %d tokens; %d of the answers to the end, %d tokens behind a step too close to tell (%d of %d contexts; SNAPBENCH_LONG=1 takes all)",
		answers, tokens, whole, cut, len(all), contexts)
	if answers == 0 {
		t.Error("nothing compared")
	}
}
