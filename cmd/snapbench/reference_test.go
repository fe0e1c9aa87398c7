package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

// lbReference is an answer of the real model, by transformers in float32.
type lbReference struct {
	Protocol       string `json:"protocol"`
	Task           string `json:"task"`
	Row            int    `json:"row"`
	MaxLength      int    `json:"max_length"`
	PromptTokens   int    `json:"prompt_tokens"`
	ContextTokens  int    `json:"context_tokens"`
	QuestionTokens int    `json:"question_tokens"`
	PromptSHA256   string `json:"prompt_sha256"`
	Variants       map[string]struct {
		Tokens  []int32   `json:"tokens"`
		Margins []float64 `json:"margins"`
	} `json:"variants"`
}

// comparable is the number of the answer's first tokens that must be the same. Where the
// reference's best logit leads by less than the limit, another rounding may choose another
// token, and what follows cannot be compared.
func (r lbReference) comparable(variant string) int {
	limit := 0.01
	if variant == "full" {
		limit = 0.002
	}
	v := r.Variants[variant]
	for i, margin := range v.Margins {
		if margin < limit {
			return i
		}
	}
	return len(v.Tokens)
}

// On a real model the command has the reference's prompts, and its answers up to the first
// token that rounding may change. The longer prompts are only run with SNAPBENCH_LONG=1.
func TestLongBenchReference(t *testing.T) {
	model := sharedtest.SmolLM2(t)
	data := sharedtest.Path(t, "longbench", "data")
	b, err := os.ReadFile(sharedtest.Path(t, "longbench", "smollm2.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []lbReference
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	files, err := models.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	text, _, err := tokenizer.OpenGGUF(files.GGUF.Metadata())
	if err != nil {
		t.Fatal(err)
	}

	long := os.Getenv("SNAPBENCH_LONG") != ""
	short := map[string][]string{"longbench": {"2wikimqa", "multifieldqa_en"}, "kvpress": {"lcc"}}
	groups := map[string][]lbReference{} // one command each: protocol, limit, variants
	for _, r := range all {
		if r.Row != 0 {
			t.Fatalf("%s %s: row %d: the command takes the first", r.Protocol, r.Task, r.Row)
		}
		if !long && !slices.Contains(short[r.Protocol], r.Task) || testing.Short() && r.Task != "2wikimqa" {
			continue
		}
		var names []string
		for name := range r.Variants {
			names = append(names, name)
		}
		sort.Strings(names)
		key := fmt.Sprint(r.Protocol, "|", r.MaxLength, "|", strings.Join(names, ";"))
		groups[key] = append(groups[key], r)
	}
	answers, tokens, flips := 0, 0, 0
	for key, group := range groups {
		part := strings.Split(key, "|")
		tasks := make([]string, len(group))
		for i, r := range group {
			tasks[i] = r.Task
		}
		out := filepath.Join(t.TempDir(), "run")
		pass(t, "longbench", "--model", model, "--device", "cpu", "--data", data, "--limit", "1", "--tasks", strings.Join(tasks, ","),
			"--protocol", part[0], "--max-length", part[1], "--max-new", "64", "--variants", part[2], "--out", out, "--quiet")
		set, err := results.Read(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range group {
			for name, want := range r.Variants {
				i := slices.IndexFunc(set.Rows, func(row results.Row) bool { return row.Task == r.Task && row.Variant == name })
				if i < 0 {
					t.Errorf("%s %s: no row for %s", r.Protocol, r.Task, name)
					continue
				}
				row := set.Rows[i]
				what := fmt.Sprintf("%s %s %s", r.Protocol, r.Task, name)
				if row.Error != "" {
					t.Errorf("%s: %s", what, row.Error)
					continue
				}
				if r.PromptSHA256 != "" && row.PromptSHA256 != r.PromptSHA256 {
					t.Errorf("%s: the prompt's sha256 is %s, want %s", what, row.PromptSHA256, r.PromptSHA256)
				}
				length := r.PromptTokens
				if length == 0 {
					length = r.ContextTokens + r.QuestionTokens
				}
				if *row.PromptTokens != length {
					t.Errorf("%s: %d prompt tokens, want %d", what, *row.PromptTokens, length)
				}
				n := r.comparable(name)
				answers, tokens = answers+1, tokens+n
				if n == len(want.Tokens) {
					if whole := text.Decode(want.Tokens, true); row.Prediction != whole || *row.NewTokens != n {
						t.Errorf("%s: %d tokens %q, want %d tokens %q", what, *row.NewTokens, row.Prediction, n, whole)
					}
					continue
				}
				flips++
				begin := strings.TrimRight(text.Decode(want.Tokens[:n], true), "\uFFFD") // perhaps within a character
				if !strings.HasPrefix(row.Prediction, begin) || *row.NewTokens < n {
					t.Errorf("%s: %q, want %q and anything after it", what, row.Prediction, begin)
				}
			}
		}
	}
	t.Logf("%d answers compared, %d tokens; %d of the answers up to a step too close to tell (SNAPBENCH_LONG=1 runs all of %d prompts)",
		answers, tokens, flips, len(all))
	if answers == 0 {
		t.Error("nothing compared")
	}
}
