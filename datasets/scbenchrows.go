package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// scbenchRow is a context and the questions about it.
type scbenchRow struct {
	id, context string
	turns       []scbenchTurn
}

type scbenchTurn struct {
	input   string
	answers []string
	said    string // the answers as the next turn repeats them
}

// scbenchFiles are the files of a task.
func scbenchFiles(data, task string) ([]string, error) {
	own := scbenchOwn(task)
	for _, other := range scbenchNames() { // where one file is named for all tasks
		if base := filepath.Base(data); other != task && strings.HasPrefix(base, scbenchOwn(other)) && slices.Contains(copyFormats, filepath.Ext(base)) {
			return nil, fmt.Errorf("%s: the rows are %s's by its name, the task is %s", data, other, task)
		}
	}
	return findCopies(data, own+"/*", "data/"+own+"*", own, "data/"+own+"/*")
}

func readSCBench(data, task string) ([]scbenchRow, error) {
	files, err := scbenchFiles(data, task)
	if err != nil {
		return nil, err
	}
	var seen ids
	return readCopies(files, []string{"id", "context", "input", "multi_turns"}, func(n int, fields map[string]json.RawMessage) (scbenchRow, error) {
		row, err := parseSCBench(fields, n)
		if err == nil && task == "scbench-mf" {
			for i, turn := range row.turns {
				if _, err = turn.asks(); err == nil {
					_, err = strconv.ParseFloat(turn.said, 64)
				}
				if err != nil {
					return row, fmt.Errorf(`field "multi_turns": turn %d: %w`, i+1, err)
				}
			}
		}
		if err != nil {
			return row, err
		}
		return row, seen.add(row.id, n)
	})
}

// parseSCBench reads a row; its context stands in the field "context" or, where that is missing, "input". At
// most the first five turns are asked.
func parseSCBench(fields map[string]json.RawMessage, n int) (row scbenchRow, err error) {
	row.id = strconv.Itoa(n)
	if value, ok := fields["id"]; ok && !isNull(value) {
		if row.id, _, err = scbenchText(value); err != nil {
			return row, fmt.Errorf("field \"id\": %w", err)
		}
	}
	name := "context"
	if value, ok := fields[name]; !ok || isNull(value) {
		name = "input"
	}
	value, ok := fields[name]
	if !ok {
		return row, missing(fields, "context")
	}
	if row.context, _, err = scbenchText(value); err != nil {
		return row, fmt.Errorf("field %q: %w", name, err)
	}
	if strings.TrimSpace(row.context) == "" {
		return row, fmt.Errorf("field %q is empty", name)
	}
	var list []json.RawMessage
	if value, ok = fields["multi_turns"]; !ok {
		return row, missing(fields, "multi_turns")
	}
	if kindOf(value) != "a list" || json.Unmarshal(value, &list) != nil || len(list) == 0 {
		return row, fmt.Errorf(`field "multi_turns": want a list of {input, answer}, at least one, got %.40s`, value)
	}
	for i, v := range list[:min(len(list), scbenchTurns)] {
		turn, err := object(v)
		if err != nil {
			return row, fmt.Errorf(`field "multi_turns": turn %d: %w`, i+1, err)
		}
		var t scbenchTurn
		if t.input, err = stringField(turn, "input"); err == nil && strings.TrimSpace(t.input) == "" {
			err = errors.New(`field "input" is empty`)
		}
		if answer, ok := turn["answer"]; err == nil && !ok {
			err = missing(turn, "answer")
		} else if err == nil {
			t.said, t.answers, err = scbenchText(answer)
			for _, a := range t.answers {
				if a == "" { // every answer contains it
					err = errors.New(`field "answer" is empty`)
				}
			}
		}
		if err != nil {
			return row, fmt.Errorf(`field "multi_turns": turn %d: %w`, i+1, err)
		}
		row.turns = append(row.turns, t)
	}
	return row, nil
}

// scbenchText is a value as Python prints it, and its parts: a text or a number is one, of a list each is.
func scbenchText(value json.RawMessage) (text string, parts []string, err error) {
	switch kindOf(value) {
	case "a string":
		err = json.Unmarshal(value, &text)
		return text, []string{text}, err
	case "a number":
		return string(value), []string{string(value)}, nil
	case "a list":
		var list []json.RawMessage
		if err := json.Unmarshal(value, &list); err != nil {
			return "", nil, err
		}
		if len(list) == 0 {
			return "", nil, errors.New("want some elements, got an empty list")
		}
		shown := make([]string, len(list))
		for i, v := range list {
			text, inner, err := scbenchText(v)
			if err != nil || len(inner) != 1 || kindOf(v) == "a list" {
				return "", nil, fmt.Errorf("element %d: want a string or a number, got %s", i+1, kindOf(v))
			}
			if shown[i] = text; kindOf(v) == "a string" {
				shown[i] = pythonQuoted(text)
			}
			parts = append(parts, text)
		}
		return "[" + strings.Join(shown, ", ") + "]", parts, nil
	}
	return "", nil, fmt.Errorf("want a string, a number or a list of such, got %s", kindOf(value))
}

// pythonQuoted is a text of printable characters as Python's repr quotes it.
func pythonQuoted(text string) string {
	quote := `'`
	if strings.Contains(text, `'`) && !strings.Contains(text, `"`) {
		quote = `"`
	}
	return quote + strings.NewReplacer(`\`, `\\`, quote, `\`+quote, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(text) + quote
}

var scbenchAsked = regexp.MustCompile(`The .+ of`)

// asks is the question that mf puts before a turn: of "The largest number of the list is: ", "What is the largest number of
// the list?".
func (t scbenchTurn) asks() (string, error) {
	what := scbenchAsked.FindString(t.input)
	if what == "" {
		return "", fmt.Errorf(`field "input": %.60q does not say "The … of"`, t.input)
	}
	return "What is " + strings.ToLower(what) + " the list?", nil
}

// scbenchMark stands between scdq's context and its questions while a chat template is rendered.
const scbenchMark = "{scdq}"

// texts returns what a mode reads first, and for each turn what it reads then. In multi-turn the first question stands
// in the first text, and a later one behind the answer before it.
func (r *scbenchRow) texts(task, mode string, m Model) (first string, later []string, err error) {
	t := scbenchTexts()
	prefix := make([]string, len(r.turns)) // mf's alone
	if task == "scbench_mf" {
		for k, turn := range r.turns {
			if prefix[k], err = turn.asks(); err != nil {
				return "", nil, err
			}
		}
	}
	fill := func(template, prefix, answer, input string) string {
		return strings.NewReplacer("{context}", r.context, "{prefix}", prefix, "{pre_ans}", answer, "{input}", input).Replace(template)
	}
	if mode == "scdq" {
		return r.single(fill(t.Context[task], r.turns[0].input, "", ""), func(k int) string {
			return fill(t.FollowUpChat[task], prefix[k], "", r.turns[k].input)
		}, m)
	}
	first = fill(t.First[task], prefix[0], "", r.turns[0].input)
	later = make([]string, len(r.turns))
	if m.Chat == nil {
		for k := 1; k < len(r.turns); k++ {
			later[k] = fill(t.FollowUp[task], prefix[k], r.turns[k-1].said, r.turns[k].input)
		}
		return first, later, nil
	}
	messages := []Message{{"user", first}}
	if first, err = m.Chat(messages, nil); err != nil {
		return "", nil, fmt.Errorf("chat template: %w", err)
	}
	before := first
	for k := 1; k < len(r.turns); k++ {
		// A variable left over in the original gives every follow-up the last turn's prefix.
		messages = append(messages, Message{"assistant", r.turns[k-1].said},
			Message{"user", fill(t.FollowUpChat[task], prefix[len(prefix)-1], "", r.turns[k].input)})
		text, err := m.Chat(messages, nil)
		if err != nil {
			return "", nil, fmt.Errorf("chat template: %w", err)
		}
		var ok bool
		if later[k], ok = strings.CutPrefix(text, before); !ok {
			return "", nil, fmt.Errorf("chat template: turn %d changes what stands before it: ask with --template base", k+1)
		}
		before = text
	}
	return first, later, nil
}

// single returns scdq's texts: the context with what the chat template puts before it, and each question with the template's
// end.
func (r *scbenchRow) single(context string, question func(turn int) string, m Model) (first string, later []string, err error) {
	for k := range r.turns {
		tail := question(k)
		if m.Chat != nil {
			text, err := m.user(context+scbenchMark+tail, nil)
			if err != nil {
				return "", nil, err
			}
			var ok bool
			if first, tail, ok = strings.Cut(text, scbenchMark); !ok {
				return "", nil, errors.New("chat template: the message's text did not come out")
			}
		} else {
			first = context
		}
		later = append(later, tail)
	}
	return first, later, nil
}
