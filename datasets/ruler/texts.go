package ruler

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

//go:embed texts.json
var textsJSON []byte

// texts is texts.json: the benchmark's words and numbers, apart from the code.
type texts struct {
	Families map[string]family   `json:"families"`
	Needle   string              `json:"needle"`
	Noise    string              `json:"noise"`
	Tasks    map[string]taskText `json:"tasks"`
	Chat     map[string]string   `json:"chat"`
}

// family is what the tasks of one generator share.
type family struct {
	Template   string `json:"template"`
	Prefix     string `json:"answer_prefix"`
	Prefix2024 string `json:"answer_prefix_2024"` // where that edition has another
	NewTokens  int    `json:"new_tokens"`
	Split      struct {
		Question string `json:"question"` // a pattern
		Answer   string `json:"answer"`
	} `json:"split"`
}

type taskText struct {
	Family   string `json:"family"`
	Haystack string `json:"haystack"` // noise, essay, needle
	Key      string `json:"key"`      // words, uuids
	Value    string `json:"value"`    // numbers, uuids
	Keys     int    `json:"keys"`
	Values   int    `json:"values"`
	Queries  int    `json:"queries"`
}

var data = sync.OnceValue(func() *texts {
	var t texts
	if err := json.Unmarshal(textsJSON, &t); err != nil {
		panic("ruler: the embedded texts: " + err.Error())
	}
	return &t
})

// Tasks lists the thirteen tasks in the order of the paper's tables.
func Tasks() []string {
	return []string{
		"niah_single_1", "niah_single_2", "niah_single_3", "niah_multikey_1", "niah_multikey_2", "niah_multikey_3",
		"niah_multivalue", "niah_multiquery", "vt", "cwe", "fwe", "qa_1", "qa_2",
	}
}

// NewTokens is the number of tokens that a task leaves for the answer.
func NewTokens(task string) int { return data().Families[data().Tasks[task].Family].NewTokens }

// AnyAnswer says that a task is graded by whether any of the answers is found, as those with
// questions about documents are, and not by the share of them.
func AnyAnswer(task string) bool { return Documents(task) }

// Documents says that a task asks about documents, which [QA] holds.
func Documents(task string) bool { return data().Tasks[task].Family == "qa" }

// Essays says that a task hides sentences in an [Essay].
func Essays(task string) bool { return data().Tasks[task].Haystack == "essay" }

// ChatTemplates lists RULER's own chat templates, sorted.
func ChatTemplates() []string {
	var names []string
	for name := range data().Chat {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// ChatTemplate returns RULER's chat template of a name, such as "meta-llama3".
func ChatTemplate(name string) (Template, bool) {
	head, tail, ok := strings.Cut(data().Chat[name], "{task_template}")
	return Template{Head: head, Tail: tail, Rewrite: true}, ok
}
