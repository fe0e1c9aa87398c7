package datasets

import (
	"fmt"
	"slices"
	"strings"
)

// needleWording is a published text of a needle test.
type needleWording struct {
	metric string // that grades it, unless another is asked for
}

// needleWordings are the wordings by name.
var needleWordings = map[string]needleWording{
	// RULER's (Hsieh et al., 2024, arXiv 2404.06654): random keys and values, the question
	// at the end, and the answer's beginning given.
	"ruler": {metric: "contains"},
	// The San Francisco sandwich of Kamradt's original test (2023), in the prompt that the
	// published grids of KV cache compression put around it. They are graded by ROUGE-1
	// recall.
	"kamradt": {metric: "rouge1_r"},
}

// The texts of RULER's retrieval and variable-tracking tasks (NVIDIA,
// Apache-2.0; see NOTICE). {type} is numbers, words or uuids.
const (
	rulerQuestion = "Some special magic {type} are hidden within the following text. Make sure to memorize it. " +
		"I will quiz you about the {type} afterwards.\n{context}\n" +
		"What are all the special magic {type} for {query} mentioned in the provided text?"
	rulerBegun  = " The special magic {type} for {query} mentioned in the provided text are"
	rulerNeedle = "One of the special magic {type} for {key} is: {value}."

	rulerChain = "Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n{context}\n" +
		"Question: Find all variables that are assigned the value {query} in the text above."
	rulerChainBegun = " Answer: According to the chain(s) of variable assignment in the text above, " +
		"{num_v} variables are assigned the value {query}, they are: "
)

// The texts of the sandwich test, as the SnapKV paper's needle test and its
// successors word them; Kamradt's LLMTest_NeedleInAHaystack (MIT; see NOTICE)
// has the needle and the question.
const (
	sandwichContent = "This is a very long story book: <book> {context} </book>.\n" +
		" Based on the content of the book, Question: What is the best thing to do in San Francisco?"
	sandwichBegun  = "\nAnswer:"
	sandwichNeedle = "The best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a sunny day."
	sandwichAnswer = "eat a sandwich and sit in Dolores Park on a sunny day"
)

// asOne rewrites one of RULER's texts for a single answer, as RULER does.
var asOne = strings.NewReplacer("Some", "A", "are all", "is", "are", "is")

// question is one needle prompt without its haystack.
type question struct {
	content string // the message, contextMark in it
	begun   string // the answer's beginning
	needles []string
	lines   bool // needles are on lines of their own
	answers []string
	asked   int // the first so many needles hold the answers; the others only look alike
}

// question draws keys and values and puts them into words.
func (t *needleTask) question(rng *random) (question, error) {
	if t.o.Wording == "kamradt" {
		return question{content: sandwichContent, begun: sandwichBegun, needles: []string{sandwichNeedle}, answers: []string{sandwichAnswer}, asked: 1}, nil
	}
	n := t.o.Needles
	if t.name == "variable" {
		value, err := t.draw(nil, rng.number(t.o.ValueLength))
		if err != nil {
			return question{}, err
		}
		q := question{lines: true, asked: n}
		for i := range n {
			name, err := t.draw(q.answers, rng.variable)
			if err != nil {
				return question{}, err
			}
			q.answers = append(q.answers, name)
			if i == 0 {
				q.needles = append(q.needles, fmt.Sprintf("VAR %s = %s", name, value))
			} else {
				q.needles = append(q.needles, fmt.Sprintf("VAR %s = VAR %s ", name, q.answers[i-1]))
			}
		}
		fill := strings.NewReplacer("{query}", value, "{num_v}", fmt.Sprint(n))
		q.content, q.begun = fill.Replace(rulerChain), fill.Replace(rulerChainBegun)
		return q, nil
	}

	var next func() string
	switch t.o.Value {
	case "numbers":
		next = rng.number(t.o.ValueLength)
	case "words":
		next = rng.words(t.o.ValueLength)
	case "uuids":
		next = rng.uuid
	}
	var q question
	var keys, values []string
	for i := range n {
		if i == 0 || t.name != "multivalue" {
			key, err := t.draw(append(slices.Clone(values), keys...), rng.words(2))
			if err != nil {
				return question{}, err
			}
			keys = append(keys, key)
		}
		value, err := t.draw(append(slices.Clone(values), keys...), next)
		if err != nil {
			return question{}, err
		}
		values = append(values, value)
		q.needles = append(q.needles, strings.NewReplacer("{type}", t.o.Value, "{key}", keys[len(keys)-1], "{value}", value).Replace(rulerNeedle))
	}
	q.answers, q.asked = values, n
	if t.name == "multikey" { // the others only look alike
		keys, q.answers, q.asked = keys[:1], values[:1], 1
	}
	query := keys[0]
	if last := len(keys) - 1; last > 0 {
		query = strings.Join(keys[:last], ", ") + ", and " + keys[last]
	}
	kind := t.o.Value
	q.content, q.begun = rulerQuestion, rulerBegun
	if len(q.answers) == 1 {
		kind = strings.TrimSuffix(kind, "s")
		q.content, q.begun = asOne.Replace(q.content), asOne.Replace(q.begun)
	}
	fill := strings.NewReplacer("{type}", kind, "{query}", query)
	q.content, q.begun = fill.Replace(q.content), fill.Replace(q.begun)
	return q, nil
}
