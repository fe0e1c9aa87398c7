package datasets

import (
	"slices"
	"strings"

	"github.com/snapbench/snapbench/metrics/instructions"
)

// instruction is one that was drawn.
type instruction struct {
	id     string // IFEval's
	kwargs map[string]any
	text   string // as it stands in the prompt
}

// name is the ID without its group.
func (i instruction) name() string { return instructionName(i.id) }

func instructionName(id string) string {
	_, name, _ := strings.Cut(id, ":")
	return name
}

// answer is the instruction as the metric instructions reads it.
func (i instruction) answer() string { return instructions.Text(i.id, i.kwargs) }

// instructionKinds draw the parameters of each of the instructions, such that a few sentences can
// follow it. request is what the user will ask. Their order decides prompts.
var instructionKinds = []struct {
	id   string
	draw func(rng *random, request string) map[string]any
}{
	{"detectable_format:number_bullet_lists", func(rng *random, _ string) map[string]any {
		return map[string]any{"num_bullets": 2 + rng.intn(4)}
	}},
	{"detectable_format:number_highlighted_sections", func(rng *random, _ string) map[string]any {
		return map[string]any{"num_highlights": 1 + rng.intn(3)}
	}},
	{"detectable_format:multiple_sections", func(rng *random, _ string) map[string]any {
		return map[string]any{"section_spliter": pick(rng, []string{"SECTION", "Section", "PARAGRAPH", "Part"}), "num_sections": 2 + rng.intn(2)}
	}},
	{"detectable_format:constrained_response", nothingDrawn},
	{"detectable_format:json_format", nothingDrawn},
	{"detectable_format:title", nothingDrawn},
	{"length_constraints:number_paragraphs", func(rng *random, _ string) map[string]any {
		return map[string]any{"num_paragraphs": 2 + rng.intn(2)}
	}},
	{"length_constraints:nth_paragraph_first_word", func(rng *random, _ string) map[string]any {
		n := 2 + rng.intn(2)
		return map[string]any{"num_paragraphs": n, "nth_paragraph": 1 + rng.intn(n), "first_word": pick(rng, firstParagraph)}
	}},
	{"length_constraints:number_words", func(rng *random, _ string) map[string]any {
		if rng.intn(2) == 0 {
			return map[string]any{"relation": "at least", "num_words": 60 + 10*rng.intn(7)}
		}
		return map[string]any{"relation": "less than", "num_words": 40 + 10*rng.intn(7)}
	}},
	{"keywords:existence", func(rng *random, _ string) map[string]any {
		first := rng.intn(len(wantedWords))
		second := (first + 1 + rng.intn(len(wantedWords)-1)) % len(wantedWords)
		return map[string]any{"keywords": []string{wantedWords[first], wantedWords[second]}}
	}},
	{"keywords:forbidden_words", func(rng *random, _ string) map[string]any {
		first := rng.intn(len(forbiddenWords))
		second := (first + 1 + rng.intn(len(forbiddenWords)-1)) % len(forbiddenWords)
		return map[string]any{"forbidden_words": []string{forbiddenWords[first], forbiddenWords[second]}}
	}},
	{"keywords:frequency", func(rng *random, _ string) map[string]any {
		return map[string]any{"keyword": pick(rng, countedWords), "relation": "at least", "frequency": 2 + rng.intn(2)}
	}},
	{"keywords:letter_frequency", func(rng *random, _ string) map[string]any {
		if rng.intn(2) == 0 {
			return map[string]any{"letter": pick(rng, []string{"!", "k", "v", "j", "z"}), "let_relation": "at least", "let_frequency": 3 + rng.intn(4)}
		}
		return map[string]any{"letter": pick(rng, strings.Split("bcfgpwy", "")), "let_relation": "less than", "let_frequency": 6 + rng.intn(4)}
	}},
	{"detectable_content:number_placeholders", func(rng *random, _ string) map[string]any {
		return map[string]any{"num_placeholders": 1 + rng.intn(3)}
	}},
	{"detectable_content:postscript", func(rng *random, _ string) map[string]any {
		return map[string]any{"postscript_marker": pick(rng, []string{"P.S.", "P.P.S"})}
	}},
	{"combination:two_responses", nothingDrawn},
	{"combination:repeat_prompt", func(_ *random, request string) map[string]any {
		return map[string]any{"prompt_to_repeat": request}
	}},
	{"startend:end_checker", func(rng *random, _ string) map[string]any {
		return map[string]any{"end_phrase": pick(rng, endPhrases)}
	}},
	{"startend:quotation", nothingDrawn},
	{"punctuation:no_comma", nothingDrawn},
}

func nothingDrawn(*random, string) map[string]any { return map[string]any{} }

func pick(rng *random, list []string) string { return list[rng.intn(len(list))] }

// instructionConflicts are the instructions that no answer, or only a strange one, follows
// together: by name, each pair once.
var instructionConflicts = map[string]string{
	"json_format": "number_bullet_lists number_highlighted_sections multiple_sections number_paragraphs nth_paragraph_first_word " +
		"postscript constrained_response title two_responses repeat_prompt end_checker quotation no_comma",
	"constrained_response": "number_bullet_lists number_highlighted_sections multiple_sections number_paragraphs " +
		"nth_paragraph_first_word number_words existence frequency letter_frequency number_placeholders postscript title " +
		"two_responses repeat_prompt end_checker",
	"number_paragraphs":        "multiple_sections nth_paragraph_first_word two_responses",
	"nth_paragraph_first_word": "multiple_sections two_responses number_bullet_lists title postscript repeat_prompt",
	"two_responses":            "number_bullet_lists multiple_sections postscript repeat_prompt",
	"repeat_prompt":            "quotation letter_frequency",
	"end_checker":              "postscript",
}

// conflict says whether two instructions are not given together, as none is with itself.
func conflict(a, b string) bool {
	a, b = instructionName(a), instructionName(b)
	return a == b || slices.Contains(strings.Fields(instructionConflicts[a]), b) || slices.Contains(strings.Fields(instructionConflicts[b]), a)
}

// drawInstructions draws n instructions that go together, the first of them given by its number, and a
// request. Those that speak of a request are left out where there is none to speak of.
func drawInstructions(rng *random, n, first int, requested bool) (list []instruction, request string) {
	var ids []int
	fits := func(k int) bool {
		id := instructionKinds[k].id
		if !requested && (id == "combination:repeat_prompt" || id == "detectable_format:constrained_response") {
			return false
		}
		return !slices.ContainsFunc(ids, func(i int) bool { return conflict(instructionKinds[i].id, id) })
	}
	for len(ids) < n {
		var open []int
		for k := range instructionKinds {
			if fits(k) {
				open = append(open, k)
			}
		}
		k := open[rng.intn(len(open))] // three always go together: a test says so
		if first = first % len(instructionKinds); len(ids) == 0 && fits(first) {
			k = first
		}
		ids = append(ids, k)
	}
	request = pick(rng, plainRequests)
	if slices.ContainsFunc(ids, func(k int) bool { return instructionKinds[k].id == "detectable_format:constrained_response" }) {
		request = pick(rng, askingRequests)
	}
	for _, k := range ids {
		kind := instructionKinds[k]
		kwargs := kind.draw(rng, request)
		list = append(list, instruction{kind.id, kwargs, describe(kind.id, kwargs)})
	}
	return list, request
}
