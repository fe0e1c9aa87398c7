// Package infinitebench makes the rows of ∞Bench's six tasks that need no one's texts
// (OpenBMB/InfiniteBench, data/construct_synthetic_dataset.py), and puts rows into the
// benchmark's prompts. A row follows from numbers that the caller draws.
package infinitebench

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

//go:embed prompts.json
var promptsJSON []byte

// Digest is what prompts are made of, for a data set's digest.
func Digest() string { return string(promptsJSON) }

// Tasks lists the tasks, in the benchmark's order.
func Tasks() []string {
	return []string{"passkey", "number_string", "kv_retrieval", "math_find", "math_calc", "code_run"}
}

// Row is a row in the benchmark's form.
type Row struct {
	Task    string
	Context string
	Input   string // the question
	Prefix  string // math_find's first line
	Func    string // code_run's function
	Call    string // and its call
	Answer  string // a number or a list as JSON has it, else the text
	// Needle and Value are where the passage that is asked for, and the answer in it, stand in
	// Context; empty where all of it is asked for.
	Needle, Value Span
}

// Span is a stretch of a text in bytes, half-open.
type Span struct{ From, To int }

type rowTexts struct {
	Needle, Head, Prefix, Input string
	Numbers                     []string
}

var texts = sync.OnceValue(func() (t struct {
	Templates      map[string]map[string]string // by model, then task
	SystemMathCalc string                       `json:"system_math_calc"`
	MaxNewTokens   map[string]int               `json:"max_new_tokens"`
	KVPress        struct {
		Context        map[string]string
		AnswerPrefix   map[string]string `json:"answer_prefix"`
		ExtraNewTokens int               `json:"extra_new_tokens"`
	}
	Noise string
	Rows  map[string]rowTexts
}) {
	if err := json.Unmarshal(promptsJSON, &t); err != nil {
		panic("infinitebench: the embedded prompts: " + err.Error())
	}
	return t
})

// Templates lists the models by whose names the benchmark has prompts.
func Templates() []string { return slices.Sorted(maps.Keys(texts().Templates)) }

// Prompt fills a row into the template of a model's name. Where the row's context stands is
// left as mark. Only gpt4's math_calc has a system message, and under it the expression alone: the
// original does not use its template there.
func (r Row) Prompt(model, mark string) (system, message string, err error) {
	template, ok := texts().Templates[model][r.Task]
	if !ok {
		return "", "", fmt.Errorf("no prompt of %s for %q: have %s", r.Task, model, strings.Join(Templates(), ", "))
	}
	if model == "gpt4" && r.Task == "math_calc" {
		return texts().SystemMathCalc, mark, nil
	}
	return "", r.fill(template, mark), nil
}

// Message is gpt4's template without a system message, which lm-evaluation-harness sends.
func (r Row) Message(mark string) string { return r.fill(texts().Templates["gpt4"][r.Task], mark) }

// Apart is the row as kvpress has it: the context, which holds mark for the row's own, the
// question, and the answer's beginning.
func (r Row) Apart(mark string) (context, question, begun string) {
	t := texts().KVPress
	return r.fill(t.Context[r.Task], mark), r.Input, t.AnswerPrefix[r.Task]
}

// fill replaces what stands in braces, once, as str.format does.
func (r Row) fill(template, mark string) string {
	return strings.NewReplacer("{context}", mark, "{input}", r.Input, "{prefix}", r.Prefix, "{func_call}", r.Call, "{func}", r.Func).Replace(template)
}

// MaxNew is the benchmark's number of new tokens, and how many more kvpress takes.
func MaxNew(task string) (tokens, more int) {
	return texts().MaxNewTokens[task], texts().KVPress.ExtraNewTokens
}
