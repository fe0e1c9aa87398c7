// Package instructions says whether a text follows an instruction that a program can check, as
// IFEval does (Zhou et al., 2023, arXiv 2311.07911). [Parse] reads an instruction,
// [Instruction.Follow] asks it of an answer.
//
// Of IFEval's checks these are the twenty that are pure: they ask neither a language detector,
// nor a trained tokenizer, nor a list of words. What they find is what the original's Python
// finds, oddities included.
package instructions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/metrics/internal/pystr"
)

// Instruction is one instruction with its parameters.
type Instruction struct {
	ID string // IFEval's name, as "punctuation:no_comma"

	check func(answer string) (bool, error)
}

// Name is the ID without its group, as "no_comma".
func (i Instruction) Name() string { return short(i.ID) }

func short(id string) string {
	_, name, _ := strings.Cut(id, ":")
	return name
}

// IDs lists the instructions that are known, sorted.
func IDs() []string { return slices.Sorted(maps.Keys(makers)) }

// unchecked are IFEval's other instructions, and what their checks ask.
var unchecked = map[string]string{
	"language:response_language":          "a language detector",
	"change_case:english_capital":         "a language detector",
	"change_case:english_lowercase":       "a language detector",
	"change_case:capital_word_frequency":  "a tokenizer of words",
	"length_constraints:number_sentences": "a trained tokenizer of sentences",
}

// ErrUnchecked is the error for an instruction of IFEval that is not among the twenty.
var ErrUnchecked = errors.New("instructions: not one that is checked here")

// longestText bounds an instruction's text in bytes.
const longestText = 64 << 10

// Parse reads an instruction as a text: {"instruction_id": ID, "kwargs": {…}}, with IFEval's
// names. A parameter that is null is one that is not given.
func Parse(text string) (Instruction, error) {
	if len(text) > longestText {
		return Instruction{}, fmt.Errorf("an instruction of %d bytes: at most %d", len(text), longestText)
	}
	var read struct {
		ID     *string                    `json:"instruction_id"`
		Kwargs map[string]json.RawMessage `json:"kwargs"`
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&read); err != nil {
		return Instruction{}, fmt.Errorf(`an instruction %.80q: want {"instruction_id": …, "kwargs": {…}}: %w`, text, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Instruction{}, fmt.Errorf("an instruction %.80q: text after the JSON object", text)
	}
	if read.ID == nil {
		return Instruction{}, fmt.Errorf(`an instruction %.80q: no "instruction_id"`, text)
	}
	return New(*read.ID, read.Kwargs)
}

// New makes an instruction of its parameters, each as JSON.
func New(id string, kwargs map[string]json.RawMessage) (Instruction, error) {
	maker, ok := makers[id]
	if !ok {
		if asks, known := unchecked[id]; known {
			return Instruction{}, fmt.Errorf("%w: %s asks %s", ErrUnchecked, id, asks)
		}
		return Instruction{}, lookup.Unknown("instruction", id, IDs()...)
	}
	p := parameters{given: map[string]json.RawMessage{}}
	for name, value := range kwargs {
		if !bytes.Equal(bytes.TrimSpace(value), []byte("null")) {
			p.given[name] = value
		}
	}
	check, err := maker(&p)
	if err == nil {
		err = p.rest()
	}
	if err != nil {
		return Instruction{}, fmt.Errorf("instruction %s: %w", id, err)
	}
	return Instruction{id, check}, nil
}

// Text is the instruction's text, which Parse reads.
func Text(id string, kwargs map[string]any) string {
	b, err := json.Marshal(struct {
		ID     string         `json:"instruction_id"`
		Kwargs map[string]any `json:"kwargs"`
	}{id, kwargs})
	if err != nil {
		panic("instructions: parameters that JSON cannot hold: " + err.Error())
	}
	return string(b)
}

// Follow says whether an answer follows the instruction: strictly, as it stands, and loosely,
// where any of eight forms of it does: the answer without its first line, its last, or both,
// and each of these with or without asterisks. A blank answer follows nothing. The error says
// that a pattern among the parameters takes too long.
func (i Instruction) Follow(answer string) (strict, loose bool, err error) {
	if strict, err = i.follows(answer); err != nil {
		return false, false, err
	}
	for _, form := range forms(answer) {
		if loose, err = i.follows(form); loose || err != nil {
			break
		}
	}
	return strict, loose, err
}

func (i Instruction) follows(answer string) (bool, error) {
	if pystr.Strip(answer) == "" {
		return false, nil
	}
	return i.check(answer)
}

// forms are the eight texts that are asked loosely, the answer itself first.
func forms(answer string) []string {
	lines := strings.Split(answer, "\n")
	part := func(lines []string) string { return pystr.Strip(strings.Join(lines, "\n")) }
	list := []string{answer, part(lines[1:]), part(lines[:len(lines)-1]), part(lines[1:max(1, len(lines)-1)])}
	for _, form := range list[:4] {
		list = append(list, strings.ReplaceAll(form, "*", ""))
	}
	return list
}
