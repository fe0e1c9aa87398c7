package instructions

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// graded are the reference answers: what the original's strict and loose tests said.
type graded struct {
	Pure  []string
	Cases []struct {
		ID            string                     `json:"instruction_id"`
		Kwargs        map[string]json.RawMessage `json:"kwargs"`
		Response      string
		Strict, Loose any // a bool, or the name of an exception, which is no
	}
	Combined []struct {
		IDs           []string                     `json:"instruction_ids"`
		Kwargs        []map[string]json.RawMessage `json:"kwargs"`
		Response      string
		Strict, Loose []any
	}
}

func TestGraded(t *testing.T) {
	var file graded
	path := sharedtest.Path(t, "tasks", "ifeval.json")
	sharedtest.JSON(t, path, &file)
	for _, id := range file.Pure {
		if _, ok := makers[id]; !ok {
			t.Errorf("%s is not checked", id)
		}
	}
	single, beyond, raised := 0, 0, 0
	compare := func(id string, kwargs map[string]json.RawMessage, answer string, wantStrict, wantLoose any) {
		t.Helper()
		i, err := New(id, kwargs)
		if errors.Is(err, ErrUnchecked) {
			beyond++
			return
		}
		if err != nil {
			t.Errorf("%s %s: %v", id, kwargs, err)
			return
		}
		if _, ok := wantStrict.(string); ok {
			raised++
		}
		strict, loose, err := i.Follow(answer)
		if err != nil || strict != (wantStrict == true) || wantLoose != nil && loose != (wantLoose == true) {
			t.Errorf("%s %s of %q: %t, %t, %v, want %v, %v", id, kwargs, answer, strict, loose, err, wantStrict, wantLoose)
		}
		single++
	}
	for _, c := range file.Cases {
		compare(c.ID, c.Kwargs, c.Response, c.Strict, c.Loose)
	}
	alone := single
	for _, c := range file.Combined {
		for k, id := range c.IDs {
			compare(id, c.Kwargs[k], c.Response, c.Strict[k], c.Loose[k])
		}
	}
	t.Logf("%s: %d answers to single instructions (%d raised an exception), %d in %d answers to several; %d of instructions that are not checked here",
		path, alone, raised, single-alone, len(file.Combined), beyond)
	if single == 0 {
		t.Error("nothing was compared")
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		``:  `want {"instruction_id"`,
		`{`: `want {"instruction_id"`,
		`{"instruction_id": "punctuation:no_comma"} x`: "text after the JSON object",
		`{"kwargs": {}}`:                                                                                     `no "instruction_id"`,
		`{"instruction_id": "no_comma"}`:                                                                     `unknown instruction "no_comma": did you mean punctuation:no_comma? have combination:repeat_prompt, `,
		`{"instruction_id": "punctuation:no_comma", "more": 1}`:                                              `unknown field "more"`,
		`{"instruction_id": "punctuation:no_comma", "kwargs": {"n": 1}}`:                                     `unknown parameter "n": it has none`,
		`{"instruction_id": "language:response_language", "kwargs": {"language": "kn"}}`:                     "asks a language detector",
		`{"instruction_id": "detectable_format:number_bullet_lists"}`:                                        `"num_bullets" is missing`,
		`{"instruction_id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": null}}`:       `"num_bullets" is missing`,
		`{"instruction_id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": "2"}}`:        `"num_bullets" is "2": want a number`,
		`{"instruction_id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": 2.5}}`:        `is 2.5: want a whole number`,
		`{"instruction_id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": -1}}`:         `is -1: want a whole number`,
		`{"instruction_id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": 1e300}}`:      `want a whole number`,
		`{"instruction_id": "detectable_format:number_bullet_lists", "kwargs": {"num_bullets": 2, "n": 3}}`:  `unknown parameter "n": have num_bullets`,
		`{"instruction_id": "keywords:existence", "kwargs": {"keywords": []}}`:                               `want texts, and none of them empty`,
		`{"instruction_id": "keywords:existence", "kwargs": {"keywords": "a"}}`:                              `want a list of texts`,
		`{"instruction_id": "keywords:existence", "kwargs": {"keywords": ["a("]}}`:                           `"keywords" is a regular expression of Python: pattern "a(": missing )`,
		`{"instruction_id": "keywords:forbidden_words", "kwargs": {"forbidden_words": ["(?=a)"]}}`:           `the extension (?=a…`,
		`{"instruction_id": "length_constraints:number_words", "kwargs": {"relation": "=", "num_words": 1}}`: `"relation" is "=": have "at least", "less than"`,
		`{"instruction_id": "startend:end_checker", "kwargs": {"end_phrase": " "}}`:                          `"end_phrase" is blank`,
		`"` + strings.Repeat("x", longestText) + `"`:                                                         "at most 65536",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: %v, want %q", text, err, want)
		}
	}
	i, err := Parse(Text("detectable_format:number_bullet_lists", map[string]any{"num_bullets": 2, "other": nil}))
	if err != nil || i.ID != "detectable_format:number_bullet_lists" || i.Name() != "number_bullet_lists" {
		t.Fatalf("%+v, %v", i, err)
	}
	if strict, loose, err := i.Follow("Sure:\n- a\n- b"); !strict || !loose || err != nil {
		t.Errorf("%t, %t, %v", strict, loose, err)
	}
}

// What the loose reading forgives, and what it does not.
func TestLoose(t *testing.T) {
	comma, err := New("punctuation:no_comma", nil)
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string][2]bool{
		"":                      {false, false},
		" \n\x1c":               {false, false},
		"none":                  {true, true},
		"Sure, here:\nnone":     {false, true},
		"none\nDone, friend":    {false, true},
		"A, b\nnone\nC, d":      {false, true},
		"none\na, b\nnone":      {false, false},
		"Sure, here":            {false, false}, // without its only line nothing is left
		"*\n,":                  {false, true},
		"A, b\n***\nC, d\nE, f": {false, false},
	} {
		strict, loose, err := comma.Follow(answer)
		if err != nil || strict != want[0] || loose != want[1] {
			t.Errorf("%q: %t, %t, %v, want %v", answer, strict, loose, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"instruction_id": "keywords:existence", "kwargs": {"keywords": ["a.*b", "[^c]"]}}`, "axb\n* d")
	f.Add(`{"instruction_id": "detectable_format:json_format", "kwargs": {}}`, "```json\n{\"a\": NaN}\n```")
	f.Add(`{"instruction_id": "length_constraints:nth_paragraph_first_word", "kwargs": {"num_paragraphs": 1, "nth_paragraph": 1, "first_word": "Σ"}}`, "'\"Σ, x\n\n ")
	for _, id := range IDs() {
		f.Add(`{"instruction_id": "`+id+`", "kwargs": {"num_sections": 2, "section_spliter": "S", "postscript_marker": "P.S."}}`, "S 1 \nS 2\n\nP.S. ***")
	}
	f.Fuzz(func(t *testing.T, text, answer string) {
		i, err := Parse(text)
		if err != nil || len(text) > 300 || len(answer) > 100 {
			return
		}
		strict, loose, err := i.Follow(answer)
		if err == nil && strict && !loose {
			t.Errorf("%s of %q: followed as it stands, and not loosely", text, answer)
		}
	})
}
