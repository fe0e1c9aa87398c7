package ruler

import (
	"regexp"
	"strings"
	"sync"
)

var splits sync.Map // pattern → *regexp.Regexp

// Split cuts a prompt as NVIDIA/kvpress does: the context ends where the question begins, and
// the question, with the space after it, ends where the answer's beginning does. A prompt
// without either is all context.
func Split(task, prompt string) (question, answer int) {
	text := data().Families[data().Tasks[task].Family].Split
	compiled, ok := splits.Load(text.Question)
	if !ok {
		compiled, _ = splits.LoadOrStore(text.Question, regexp.MustCompile(text.Question))
	}
	question = len(prompt)
	// The last one: a prompt may hold others, in worked examples.
	for _, at := range compiled.(*regexp.Regexp).FindAllStringIndex(prompt, -1) {
		question = at[0]
	}
	answer = len(prompt)
	if at := strings.Index(prompt[question:], text.Answer); at >= 0 {
		answer = question + at
	}
	return question, answer
}
