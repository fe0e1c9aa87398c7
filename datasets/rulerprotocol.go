package datasets

import "github.com/snapbench/snapbench/datasets/ruler"

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
