package datasets

import (
	"slices"

	"github.com/snapbench/snapbench/datasets/ruler"
)

// rulerProtocols are the ways to ask RULER's questions.
//
// NVIDIA/kvpress takes prompts that were made without a chat template apart: the context is
// what comes before the question, and is compressed alone; question and answer's beginning are
// read through the compressed cache. With query_aware the question is compressed with the
// context, as in the SnapKV paper.
var rulerProtocols = []string{"ruler", "kvpress", "kvpress-query-aware"}

// apart asks a sample as kvpress does. It returns the text that comes before the sample's own.
func (t *rulerTask) apart(s *Sample, made ruler.Sample, m Model) (head string, err error) {
	at, prefix := ruler.Split(t.config.Task, made.Prompt)
	context, question := made.Prompt[:at], made.Prompt[at:prefix]
	if t.o.Protocol == "kvpress-query-aware" {
		context, question = context+question, ""
	}
	head, tail, err := m.apart()
	if err != nil {
		return "", err
	}
	question += tail + made.Prompt[prefix:]
	s.Prompt = head + context + question
	return head, s.encodeApart(m, head+context, question)
}

// Behind is about how many tokens are read behind the compressed prompt: under kvpress's protocols the question, or what is behind it.
func (t *rulerTask) Behind(int) int {
	if t.o.Protocol == "ruler" {
		return 0
	}
	return t.behind()
}

// aboutBehind is Behind of one sample; the others' questions are about as long.
func (t *rulerTask) aboutBehind() int {
	c := t.config
	c.Length, c.Count = slices.Min(t.o.Lengths), func(text string) (int, error) { return len(text)/bytesPerToken + 1, nil }
	series, err := ruler.Open(c)
	if err != nil {
		return 0 // the samples will be errors
	}
	made, err := series.Sample(0)
	if err != nil {
		return 0
	}
	at, prefix := ruler.Split(t.config.Task, made.Prompt)
	if t.o.Protocol == "kvpress-query-aware" {
		at = prefix
	}
	return aboutTokens(made.Prompt[at:]) + 1 // and at least a line's end
}
