package datasets

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/metrics/instructions"
)

// sysIFEvalVersion is the version of the task sys-ifeval's prompts and rules.
//
// Changes: 1, the first.
const sysIFEvalVersion = 1

func init() {
	Register(Definition{
		Family: "sys-ifeval", Help: "IFEval's instructions in the system text, which alone is compressed, from your copy of sys_ifeval.jsonl",
		Names: []string{"sys-ifeval"},
		Origin: &Origin{
			Source: "normster/SystemCheck, arXiv 2502.12197", Licence: "MIT", Inside: "the twenty checkers",
			Bring: "sys_ifeval.jsonl of normster/SystemCheck (MIT): --sys-ifeval-file",
		},
		Own:  func() any { return &SysIFEvalOptions{} },
		Open: openSysIFEval,
	})
}

// SysIFEvalOptions name the file of rows.
type SysIFEvalOptions struct {
	File string `option:"sys-ifeval-file" kind:"text" help:"SystemCheck's sys_ifeval.jsonl, for the task sys-ifeval" json:"-"`
}

// sysIFEvalTask is a user's copy of sys_ifeval: requests of IFEval whose instructions were moved into
// the system text (Mu et al., 2025, arXiv 2502.12197), asked as "The Pitfalls of KV Cache
// Compression" does.
type sysIFEvalTask struct {
	rows   []sysIFEvalRow
	metric string
	maxNew int
}

type sysIFEvalRow struct {
	id, system, user string
	answers          []string // the instructions that are checked here
	unchecked        []string // IDs of the others
}

func openSysIFEval(name string, o Options) (Task, error) {
	own := o.Own.(*SysIFEvalOptions)
	if own.File == "" {
		return nil, errors.New("task sys-ifeval: which file? it needs --sys-ifeval-file sys_ifeval.jsonl, which is in the repository " +
			"normster/SystemCheck on GitHub (MIT), folder evals/ifeval/inputs")
	}
	t := &sysIFEvalTask{metric: cmp.Or(o.Metric, "instructions"), maxNew: o.MaxNew}
	if _, err := metrics.Open(t.metric); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	f, err := openFile(own.File)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	defer f.Close()
	var seen ids
	read := 0
	err = eachLine(own.File, f, func(line int, fields map[string]json.RawMessage) error {
		read++
		row, err := parseSysIFEval(fields)
		if err != nil {
			return err
		}
		if len(row.answers) > 0 {
			t.rows = append(t.rows, row)
		}
		return seen.add(row.id, line)
	})
	switch {
	case err != nil:
		return nil, err
	case read == 0:
		return nil, fmt.Errorf("%s: no rows in it", own.File)
	case len(t.rows) == 0:
		return nil, fmt.Errorf("%s: none of its %d rows has an instruction that is checked here", own.File, read)
	}
	t.rows = t.rows[:limited(len(t.rows), o.Limit)]
	return t, nil
}

func parseSysIFEval(fields map[string]json.RawMessage) (row sysIFEvalRow, err error) {
	key, ok := fields["key"]
	if !ok {
		return row, missing(fields, "key")
	}
	if row.id = strings.Trim(string(key), `"`); row.id == "" || kindOf(key) != "a number" && kindOf(key) != "a string" {
		return row, fmt.Errorf(`field "key": want a number or a string, got %s`, kindOf(key))
	}
	messages, err := parseMessages(fields["messages"])
	if err != nil {
		return row, err
	}
	if len(messages) != 2 || messages[0].Role != "system" || messages[1].Role != "user" {
		return row, errors.New(`field "messages": want two, the system's and the user's`)
	}
	if row.system, row.user = messages[0].Content, messages[1].Content; strings.TrimSpace(row.system) == "" {
		return row, errors.New(`field "messages": the system's text is empty`)
	}
	list, err := stringsField(fields, "instruction_id_list")
	if err != nil {
		return row, err
	}
	var kwargs []map[string]json.RawMessage
	if value, ok := fields["kwargs"]; !ok {
		return row, missing(fields, "kwargs")
	} else if err := json.Unmarshal(value, &kwargs); err != nil || len(kwargs) != len(list) {
		return row, fmt.Errorf(`field "kwargs": want a list of %d objects, one for each instruction`, len(list))
	}
	for i, id := range list {
		given := map[string]any{}
		for name, value := range kwargs[i] {
			if !isNull(value) {
				given[name] = value
			}
		}
		text := instructions.Text(id, given)
		_, err := instructions.Parse(text)
		switch {
		case errors.Is(err, instructions.ErrUnchecked):
			row.unchecked = append(row.unchecked, id)
		case err != nil:
			return row, fmt.Errorf("instruction %d: %w", i+1, err)
		default:
			row.answers = append(row.answers, text)
		}
	}
	return row, nil
}

func (t *sysIFEvalTask) Name() string    { return "sys-ifeval" }
func (t *sysIFEvalTask) Version() int    { return sysIFEvalVersion }
func (t *sysIFEvalTask) Len() int        { return len(t.rows) }
func (t *sysIFEvalTask) ID(i int) string { return t.rows[i].id }

// Metric returns the scorer of all of its samples.
func (t *sysIFEvalTask) Metric() string { return t.metric }

func (t *sysIFEvalTask) Digest() string {
	return digestOf(func(yield func(string) bool) {
		for _, r := range t.rows {
			if !yield(fmt.Sprintf("%q %q %q %q %q", r.id, r.system, r.user, r.answers, r.unchecked)) {
				return
			}
		}
	})
}

func (t *sysIFEvalTask) Size(i int) int {
	return 1 + (len(instructionWords().Guidelines)+len(t.rows[i].system)+len(t.rows[i].user))/bytesPerToken
}

// sysIFEvalNew is how many tokens an answer may have, as in the paper.
const sysIFEvalNew = 1280

// MaxNew is the most new tokens of an answer.
func (t *sysIFEvalTask) MaxNew(int) int { return capped(sysIFEvalNew, t.maxNew) }

func (t *sysIFEvalTask) Sample(i int, m Model) Sample {
	row := &t.rows[i]
	s := Sample{
		Task: t.Name(), TaskVersion: sysIFEvalVersion, ID: row.id, Protocol: "pitfalls", Metric: t.metric, End: EndGeneration,
		MaxNew: t.MaxNew(i), Answers: row.answers,
	}
	if len(row.unchecked) > 0 {
		s.note("not checked: %s", strings.Join(row.unchecked, ", "))
	}
	err := s.systemPart(m, instructionWords().Guidelines+row.system, row.user)
	if err == nil {
		err = s.markLast("instruction", strings.TrimSpace(row.system))
	}
	if err == nil {
		err = s.finish(m)
	}
	if err != nil {
		s.fail(err)
		s.Marks = nil
	}
	return s
}
