package datasets

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/metrics"
)

// promptsVersion is the version of the task "prompts".
//
// Changes: 1, the first.
const promptsVersion = 1

// promptsNew is the most new tokens where a line names no number.
const promptsNew = 128

func init() {
	Register(Definition{
		Family: "prompts", Help: "a file of prompts and answers of one's own", Names: []string{"prompts"},
		Own:  func() any { return &PromptsOptions{} },
		Open: openPrompts,
	})
}

// PromptsOptions name the file of prompts.
type PromptsOptions struct {
	File string `option:"file" kind:"text" help:"the file of prompts and answers, FILE.jsonl; -: standard input" json:"-"`
}

// promptsTask is a user's own prompts and answers: a JSONL file, each line an
// object with
//
//	prompt    a text, sent as it is, or
//	messages  a list of {role, content}, put through the model's chat template;
//	answers   optional, a list of strings, at least one, none empty; without them no
//	          score is asked, unless the metric needs none;
//	id        optional, a string; else the line's number;
//	metric    optional, a registered scorer, before Options.Metric;
//	classes   optional, the names a classification may choose from;
//	max_new   optional, the most new tokens, else 128;
//	evidence  optional, a list of passages of the text that the answer rests on, each of
//	          which stands in it once.
type promptsTask struct {
	rows   []promptRow
	maxNew int
}

type promptRow struct {
	id       string
	prompt   string
	messages []Message
	// variables are further values for the model's chat template.
	variables map[string]any
	grading
}

func openPrompts(name string, o Options) (Task, error) {
	file := o.Own.(*PromptsOptions).File
	if file == "" {
		return nil, errors.New("task prompts: which file? it needs one of prompts and answers, FILE.jsonl")
	}
	if o.Metric != "" {
		if _, err := metrics.Open(o.Metric); err != nil {
			return nil, fmt.Errorf("task prompts: %w", err)
		}
	}
	f, err := openFile(file)
	if err != nil {
		return nil, fmt.Errorf("task prompts: %w", err)
	}
	defer f.Close()
	if file == stdinName {
		file = "standard input"
	}
	t := &promptsTask{maxNew: o.MaxNew}
	var seen ids
	err = eachLine(file, f, func(line int, fields map[string]json.RawMessage) error {
		row, err := parsePrompt(fields, cmp.Or(o.Metric, "contains"))
		if err != nil {
			return err
		}
		row.id = cmp.Or(row.id, strconv.Itoa(line))
		t.rows = append(t.rows, row)
		return seen.add(row.id, line)
	})
	if err != nil {
		return nil, err
	}
	if len(t.rows) == 0 {
		return nil, fmt.Errorf("%s: no prompts in it", file)
	}
	t.rows = t.rows[:limited(len(t.rows), o.Limit)]
	return t, nil
}

// stdinName names standard input in the place of a file.
const stdinName = "-"

// stdin is the process's own; a variable for tests.
var stdin io.Reader = os.Stdin

func openFile(file string) (io.ReadCloser, error) {
	if file == stdinName {
		return io.NopCloser(stdin), nil
	}
	return inputs.Open(file)
}

// promptFields are the fields that a line may have.
var promptFields = []string{"answers", "classes", "evidence", "id", "max_new", "messages", "metric", "prompt"}

func parsePrompt(fields map[string]json.RawMessage, metric string) (promptRow, error) {
	var row promptRow
	if err := onlyFields(fields, promptFields); err != nil { // such as "metrics" for "metric"
		return row, err
	}
	_, prompt := fields["prompt"]
	_, messages := fields["messages"]
	var err error
	switch {
	case prompt && messages:
		return row, errors.New(`both "prompt" and "messages": want one of them`)
	case prompt:
		if row.prompt, err = stringField(fields, "prompt"); err != nil {
			return row, err
		}
		if row.prompt == "" {
			return row, errors.New(`field "prompt" is empty`)
		}
	case messages:
		if row.messages, err = parseMessages(fields["messages"]); err != nil {
			return row, err
		}
	default:
		return row, errors.New(`neither "prompt" nor "messages"`)
	}
	if row.grading, err = parseGrading(fields, metric); err != nil {
		return row, err
	}
	texts := []string{row.prompt}
	for _, m := range row.messages {
		texts = append(texts, m.Content)
	}
	if err = checkEvidence(row.evidence, texts...); err != nil {
		return row, err
	}
	row.id, err = idField(fields)
	return row, err
}

func parseMessages(value json.RawMessage) ([]Message, error) {
	var list []json.RawMessage
	if kindOf(value) != "a list" || json.Unmarshal(value, &list) != nil {
		return nil, fmt.Errorf(`field "messages": want a list of {role, content}, got %s`, kindOf(value))
	}
	if len(list) == 0 {
		return nil, errors.New(`field "messages" is an empty list`)
	}
	messages := make([]Message, len(list))
	for i, v := range list {
		fields, err := object(v)
		if err == nil {
			if messages[i].Role, err = stringField(fields, "role"); err == nil {
				messages[i].Content, err = stringField(fields, "content")
			}
		}
		if err == nil && len(fields) > 2 {
			err = errors.New("want role and content and nothing else")
		}
		if err != nil {
			return nil, fmt.Errorf(`field "messages": message %d: %w`, i+1, err)
		}
	}
	return messages, nil
}

func (t *promptsTask) Name() string    { return "prompts" }
func (t *promptsTask) Version() int    { return promptsVersion }
func (t *promptsTask) Len() int        { return len(t.rows) }
func (t *promptsTask) ID(i int) string { return t.rows[i].id }

func (t *promptsTask) Digest() string {
	return digestOf(func(yield func(string) bool) {
		for _, r := range t.rows {
			fields := []string{r.id, r.prompt, fmt.Sprintf("%q", r.messages), fmt.Sprintf("%q %q %s %d", r.answers, r.classes, r.metricText(), r.maxNew)}
			for _, f := range fields {
				if !yield(f) {
					return
				}
			}
		}
	})
}

func (t *promptsTask) Size(i int) int {
	n := len(t.rows[i].prompt)
	for _, m := range t.rows[i].messages {
		n += len(m.Content)
	}
	return n / bytesPerToken
}

// MaxNew is the most new tokens of an answer.
func (t *promptsTask) MaxNew(i int) int { return capped(t.rows[i].maxNew, t.maxNew) }

// bytesPerToken is about what common vocabularies reach on English prose. It serves to order
// samples by size.
const bytesPerToken = 4

// aboutTokens is about how many tokens a short text has: one for each digit, as most vocabularies of today write numbers.
func aboutTokens(text string) int {
	digits := 0
	for _, c := range text {
		if '0' <= c && c <= '9' {
			digits++
		}
	}
	return digits + (len(text)-digits+bytesPerToken-1)/bytesPerToken
}

func (t *promptsTask) Sample(i int, m Model) Sample {
	row := t.rows[i]
	s := Sample{
		Task: t.Name(), TaskVersion: promptsVersion, ID: row.id, Answers: row.answers, Classes: row.classes,
		Metric: row.metric, MaxNew: t.MaxNew(i), End: EndGeneration,
	}
	if err := row.build(&s, m); err != nil {
		s.fail(err)
	}
	return s
}

func (row *promptRow) build(s *Sample, m Model) (err error) {
	if m.Tokenizer == nil && !m.Text {
		return errNoTokenizer
	}
	s.Prompt = row.prompt
	rendered := true
	if row.messages != nil {
		if m.Messages {
			s.Messages = row.messages
		}
		switch {
		case m.Chat != nil:
			if s.Prompt, err = m.Chat(row.messages, row.variables); err != nil {
				return fmt.Errorf("chat template: %w", err)
			}
		case m.Messages:
			text, err := json.Marshal(row.messages)
			if err != nil {
				return err
			}
			s.Prompt, rendered = string(text), false
		default:
			return errors.New(`the model has no chat template for "messages": use "prompt"`)
		}
	}
	if m.Tokenizer == nil || !rendered {
		return s.finish(m)
	}
	if s.IDs, err = m.encode(s.Prompt); err != nil {
		return err
	}
	s.markEvidence(row.evidence, 0, len(s.Prompt))
	s.markAnswers(0, len(s.Prompt))
	return s.finish(m)
}
