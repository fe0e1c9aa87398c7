package datasets

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/metrics"
)

// mrcrVersion is the version of MRCR's tasks.
//
// Changes: 1, the first.
const mrcrVersion = 1

// mrcrNew is the most new tokens: the longest answers have about a thousand.
const mrcrNew = 1536

var mrcrCopy = &Copy{
	Repo: "openai/mrcr", Files: []string{"*needle/*.parquet", "*needle.parquet"}, Licence: "MIT",
	About: "800 conversations each of 2, 4 and 8 needles, 4K to 1M tokens, texts by gpt-4o; large, so --max-unpacked 8GiB",
	Check: func(data string) (Sets, error) {
		return checkCopies(mrcrNames(), func(task string) ([]string, error) { return mrcrFiles(data, task) }, func(task string) (int, error) {
			rows, err := readMRCR(data, task, 0)
			return len(rows), err
		})
	},
}

func init() {
	Register(Definition{
		Family: "mrcr", Help: "MRCR: repeat one of several alike answers of a long conversation", Names: mrcrNames(),
		Groups: map[string][]string{"mrcr": mrcrNames()},
		Origin: &Origin{Source: "openai/mrcr, after arXiv 2409.12640", Licence: "MIT", Inside: "scorer", Copy: mrcrCopy},
		Own:    func() any { return &MRCROptions{} },
		Open:   openMRCR,
	})
}

// mrcrNames are the tasks by name, one for each number of needles.
func mrcrNames() []string { return []string{"mrcr-2", "mrcr-4", "mrcr-8"} }

// MRCROptions say where MRCR's rows are, and which of them are asked.
type MRCROptions struct {
	Data string `option:"data" kind:"text" help:"folder or file with the benchmark's rows (default: what datasets pull brought)" json:"-"`
	// MaxChars keeps the conversations of at most so many characters; 0: all. The benchmark's own bins are tokens of another
	// vocabulary, o200k_base.
	MaxChars int `option:"max-chars" kind:"tokens" help:"only conversations of at most so many characters, 32k, 1m (default: all)"`
}

type mrcrTask struct {
	name   string
	rows   []promptRow
	maxNew int
}

func openMRCR(name string, o Options) (Task, error) {
	own := o.Own.(*MRCROptions)
	metric := cmp.Or(o.Metric, "mrcr")
	scorer, err := metrics.Open(metric)
	if err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	if own.Data == "" {
		return nil, mrcrCopy.missing("mrcr", name)
	}
	t := &mrcrTask{name: name, maxNew: o.MaxNew}
	if t.rows, err = readMRCR(own.Data, name, own.MaxChars); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	t.rows = t.rows[:limited(len(t.rows), o.Limit)]
	for i := range t.rows {
		t.rows[i].metric, t.rows[i].version = scorer.Name, scorer.Version
	}
	return t, nil
}

// mrcrFiles are the files of a task: one, or since the fix of December 2025 parts in a folder.
func mrcrFiles(data, task string) ([]string, error) {
	needles := strings.TrimPrefix(task, "mrcr-") + "needle"
	return findCopies(data, needles+"/*", needles)
}

// errNoMRCR says that a limit leaves nothing.
var errNoMRCR = errors.New("no conversation is so short")

// readMRCR reads a task's conversations of at most maxChars characters, 0 meaning all.
func readMRCR(data, task string, maxChars int) ([]promptRow, error) {
	files, err := mrcrFiles(data, task)
	if err != nil {
		return nil, err
	}
	rows, err := readCopies(files, []string{"prompt", "answer", "random_string_to_prepend", "n_needles"}, func(n int, fields map[string]json.RawMessage) (row promptRow, err error) {
		row.id, row.maxNew, row.variables = strconv.Itoa(n), mrcrNew, map[string]any{"enable_thinking": false}
		if value, ok := fields["n_needles"]; ok && "mrcr-"+string(value) != task { // where one file is named for all tasks
			return row, fmt.Errorf("field \"n_needles\" is %.40s, the task is %s", value, task)
		}
		prompt, err := stringField(fields, "prompt")
		if err != nil {
			return row, err
		}
		answer, err := stringField(fields, "answer")
		if err != nil {
			return row, err
		}
		begin, err := stringField(fields, "random_string_to_prepend")
		if err != nil {
			return row, err
		}
		if begin == "" || !strings.HasPrefix(answer, begin) {
			return row, fmt.Errorf(`field "answer" does not begin with "random_string_to_prepend", %q`, begin)
		}
		row.answers, row.classes = []string{answer}, []string{begin}
		if maxChars > 0 && len(prompt) > 4*maxChars { // no character has more bytes
			return row, nil
		}
		if row.messages, err = parseMessages(json.RawMessage(strings.TrimSpace(prompt))); err != nil {
			return row, fmt.Errorf(`field "prompt": a list of messages as JSON text: %w`, err)
		}
		if maxChars > 0 && characters(row.messages) > maxChars {
			row.messages = nil
		}
		return row, nil
	})
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r promptRow) bool { return r.messages == nil })
	if len(rows) == 0 {
		return nil, &OptionError{fmt.Errorf("--max-chars: %d: %w", maxChars, errNoMRCR)}
	}
	return rows, nil
}

// characters counts those of all messages.
func characters(messages []Message) (n int) {
	for _, m := range messages {
		n += len([]rune(m.Content))
	}
	return n
}

func (t *mrcrTask) Name() string    { return t.name }
func (t *mrcrTask) Version() int    { return mrcrVersion }
func (t *mrcrTask) Len() int        { return len(t.rows) }
func (t *mrcrTask) ID(i int) string { return t.rows[i].id }

func (t *mrcrTask) Size(i int) int { return 1 + characters(t.rows[i].messages)/bytesPerToken }

func (t *mrcrTask) Digest() string {
	return digestOf(func(yield func(string) bool) {
		for _, r := range t.rows {
			if !yield(r.id) || !yield(fmt.Sprintf("%q", r.messages)) || !yield(fmt.Sprintf("%q %q", r.answers, r.classes)) {
				return
			}
		}
	})
}

// MaxNew is the most new tokens of an answer.
func (t *mrcrTask) MaxNew(i int) int { return capped(t.rows[i].maxNew, t.maxNew) }

func (t *mrcrTask) Sample(i int, m Model) Sample {
	row := &t.rows[i]
	s := Sample{
		Task: t.name, TaskVersion: mrcrVersion, ID: row.id, Answers: row.answers, Classes: row.classes, Metric: row.metric,
		MaxNew: t.MaxNew(i), End: EndGeneration,
	}
	if err := row.build(&s, m); err != nil {
		s.fail(err)
	}
	return s
}
