package metrics

import (
	"regexp"
	"strings"

	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// The graders of GraphWalks (openai/graphwalks): that of the data set's card, that of
// lm-evaluation-harness, and lm-evaluation-harness's reading with the F1 of Anthropic's system
// card of Opus 4.6, which gives a right empty answer its point. They differ by what they read
// out of a text, and by what two lists without a common node score.
func init() {
	for _, g := range []struct {
		name, about, definition string
		example                 Example
		read                    func(prediction string) []string
		score                   func(prediction, truth map[string]bool) float64
	}{
		{
			"graphwalks_fixed_flexible_f1", "F1 over the nodes of the last line with a final answer; two empty lists agree (GraphWalks)",
			"The last line that has \"Final Answer: [a, b]\" gives the prediction's nodes: the text between the first bracket and " +
				"the last, cut at commas, without white space and quotes around each. The score is the harmonic mean of precision " +
				"and recall over both sets of nodes, and 1 where both are empty. " + graphwalksAnswers,
			Example{"I walked.\nFinal Answer: [a, c]", Reference{Answers: []string{"Final Answer: [a, b]"}}, 0.5},
			walksFlexible, walksFixed,
		},
		{
			"graphwalks_fixed_f1", "the same over the nodes of the very last line",
			"As graphwalks_fixed_flexible_f1, but only the last line is read; newlines after it do not count. " + graphwalksAnswers,
			Example{"Final Answer: []", Reference{Answers: []string{"Final Answer: []"}}, 1},
			walksLast, walksFixed,
		},
		{
			"graphwalks_lm_eval_f1", "lm-evaluation-harness's grader of GraphWalks: the very last line, and empty lists never agree",
			"As graphwalks_fixed_f1, but two lists without a common node score 0 even where both are empty. " + graphwalksAnswers,
			Example{"Final Answer: [a, c]", Reference{Answers: []string{"Final Answer: [a, b]"}}, 0.5},
			walksLast, walksF1,
		},
		{
			"graphwalks_lm_eval_flexible_f1", "its grader that reads the last line with a final answer",
			"As graphwalks_fixed_flexible_f1, but two lists without a common node score 0 even where both are empty. " + graphwalksAnswers,
			Example{"Final Answer: [a, c]\nThat is all.", Reference{Answers: []string{"Final Answer: [a, b]"}}, 0.5},
			walksFlexible, walksF1,
		},
		{
			"graphwalks_card_f1", "the grader printed on the data set's card, which gives 1 where nothing is right",
			"As it is printed: the last line, even an empty one, must have \"Final Answer: [a, b]\"; brackets are taken from the ends of " +
				"the whole match, so that the first node keeps the label and is never right; lists without a common node score 1. " +
				graphwalksAnswers,
			Example{"Final Answer: [x, a, b]", Reference{Answers: []string{"Final Answer: [a, b]"}}, 0.8},
			walksCard, walksCardF1,
		},
	} {
		Register(Scorer{
			Name: g.name, Version: 1, About: g.about, Definition: g.definition, Example: g.example,
			Score: func(prediction string, ref Reference) (float64, error) {
				if len(ref.Answers) == 0 {
					return 0, ErrNoAnswers
				}
				return g.score(setOf(g.read(prediction)), walksTruth(ref.Answers)), nil
			},
		})
	}
}

// graphwalksAnswers says how a reference gives nodes. An empty list of answers means that there
// are none to compare with, so the empty set of nodes is written as an answer of its own.
const graphwalksAnswers = "An answer that reads \"Final Answer: [a, b]\" stands for its nodes, any other for one node."

// walksTruth returns the nodes that answers stand for.
func walksTruth(answers []string) map[string]bool {
	nodes := map[string]bool{}
	for _, a := range answers {
		list := []string{a}
		if found, ok := walksList(a); ok {
			list = found
		}
		for _, n := range list {
			nodes[n] = true
		}
	}
	return nodes
}

var (
	walksAnswer     = regexp.MustCompile(`Final Answer:[` + pystr.SpaceClass + `]*\[(.*)\]`)
	walksCardAnswer = regexp.MustCompile(`Final Answer: ?\[.*\]`)
)

// walksList returns the nodes of a line with a final answer.
func walksList(line string) (nodes []string, ok bool) {
	m := walksAnswer.FindStringSubmatch(line)
	if m == nil {
		return nil, false
	}
	for n := range strings.SplitSeq(m[1], ",") {
		if n = pystr.Strip(n); n != "" {
			nodes = append(nodes, strings.Trim(n, `'"`))
		}
	}
	return nodes, true
}

// walksLast reads the last line, newlines after it aside.
func walksLast(prediction string) []string {
	text := strings.TrimRight(prediction, "\n")
	nodes, _ := walksList(text[strings.LastIndexByte(text, '\n')+1:])
	return nodes
}

// walksFlexible reads the last line that has a final answer.
func walksFlexible(prediction string) []string {
	lines := strings.Split(prediction, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if nodes, ok := walksList(lines[i]); ok {
			return nodes
		}
	}
	return nil
}

// walksCard reads what comes after the last newline, as the card does.
func walksCard(prediction string) []string {
	match := walksCardAnswer.FindString(prediction[strings.LastIndexByte(prediction, '\n')+1:])
	if match == "" {
		return nil
	}
	nodes := strings.Split(strings.Trim(match, "[]"), ",")
	for i, n := range nodes {
		nodes[i] = pystr.Strip(n)
	}
	return nodes
}

// walksF1 is the harmonic mean of precision and recall, 0 without a common node.
func walksF1(prediction, truth map[string]bool) float64 {
	common := 0
	for n := range prediction {
		if truth[n] {
			common++
		}
	}
	if common == 0 {
		return 0
	}
	recall, precision := float64(common)/float64(len(truth)), float64(common)/float64(len(prediction))
	return 2 * (recall * precision) / (recall + precision)
}

// walksFixed is walksF1, and 1 for two empty sets.
func walksFixed(prediction, truth map[string]bool) float64 {
	if len(prediction) == 0 && len(truth) == 0 {
		return 1
	}
	return walksF1(prediction, truth)
}

// walksCardF1 is walksF1, and 1 for any two sets without a common node.
func walksCardF1(prediction, truth map[string]bool) float64 {
	if f1 := walksF1(prediction, truth); f1 > 0 {
		return f1
	}
	return 1
}

func setOf(list []string) map[string]bool {
	set := make(map[string]bool, len(list))
	for _, s := range list {
		set[s] = true
	}
	return set
}
