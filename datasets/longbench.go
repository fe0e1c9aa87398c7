package datasets

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/metrics"
)

// longbenchVersion is the version of the LongBench tasks' prompts and rules.
//
// Changes: 1, the first.
const longbenchVersion = 1

func init() {
	Register(Definition{
		Family: "longbench", Help: "LongBench v1, prompted and graded as a published protocol does", Names: LongBenchSets(),
		Groups: longBenchGroups(),
		Origin: &Origin{
			Source: "THUDM/LongBench, arXiv 2308.14508", Licence: "MIT; kvpress's texts Apache-2.0", Inside: "prompts of four protocols, scorers",
			Copy: &Copy{
				Repo: "THUDM/LongBench", Files: []string{"data.zip"}, Archive: "data.zip", Licence: "MIT; the texts of each set its authors'",
				About: "21 sets of 150 to 500 rows, 13 of them by length, too", Check: List,
			},
		},
		Own:  func() any { return &LongBenchOptions{Protocol: "longbench"} },
		Open: openLongBench,
	})
}

// LongBenchOptions say where LongBench's rows are and how they become prompts.
type LongBenchOptions struct {
	// Data is a folder with SET.jsonl, SET.jsonl.gz or SET.parquet, or an archive of
	// such (.zip).
	Data string `option:"data" kind:"text" help:"folder with SET.jsonl, .jsonl.gz or .parquet, or the archive (default: what datasets pull longbench brought)" json:"-"`
	// Protocol names the rules for prompts.
	Protocol string `option:"protocol" kind:"text" help:"how a row becomes a prompt: longbench, snapkv-repo, kvpress, factory"`
	// MaxLength is the longest prompt in tokens; 0: the protocol's own number.
	MaxLength int `option:"max-length" kind:"tokens" help:"longest prompt in tokens, instead of the protocol's own number"`
	// DryText has prompts made up, of each set's published lengths: no data are read and nothing is scored.
	DryText bool `option:"dry-text" kind:"flag" help:"instead of the benchmark's rows, made-up text of each set's published lengths, with its new tokens: what a run costs, without data and without scores" json:",omitempty"`
	// CodeSim names the similarity that grades the two code sets.
	CodeSim string `option:"code-sim" kind:"text" help:"similarity of the two code sets: levenshtein (default), difflib"`
}

// longBenchGroups are the sets in English and code, those in Chinese, and
// LongBench-E's.
func longBenchGroups() map[string][]string {
	groups := map[string][]string{}
	for _, set := range metrics.LongBench {
		name := "longbench"
		if set.Chinese {
			name = "longbench-zh"
		}
		groups[name] = append(groups[name], set.Name)
		if set.E {
			groups["longbench-e"] = append(groups["longbench-e"], set.Name+"_e")
		}
	}
	return groups
}

// LongBenchSets lists the sets of LongBench v1 by task name: the 16 in English
// and code, the 5 in Chinese, and LongBench-E's 13, which end in _e.
func LongBenchSets() []string {
	var names, chinese, e []string
	for _, set := range metrics.LongBench {
		if set.Chinese {
			chinese = append(chinese, set.Name)
		} else {
			names = append(names, set.Name)
		}
		if set.E {
			e = append(e, set.Name+"_e")
		}
	}
	return slices.Concat(names, chinese, e)
}

// ExpandSets replaces all, zh and e among names of sets by the sets that they stand for.
func ExpandSets(asked []string) ([]string, error) {
	var list []string
	for _, a := range asked {
		if group, ok := map[string]string{"all": "longbench", "zh": "longbench-zh", "e": "longbench-e"}[a]; ok {
			a = group
		} else if !slices.Contains(LongBenchSets(), a) {
			return nil, lookup.Unknown("set", a, append([]string{"all", "zh", "e"}, LongBenchSets()...)...)
		}
		list = append(list, a)
	}
	return Expand(list)
}

// longbenchSet returns the metric and the category of a task's set.
func longbenchSet(name string) (metrics.LongBenchSet, error) {
	base := strings.TrimSuffix(name, "_e")
	for _, set := range metrics.LongBench {
		if set.Name == base {
			return set, nil
		}
	}
	return metrics.LongBenchSet{}, lookup.Unknown("set", name, LongBenchSets()...)
}

// longbenchRow is a row in the benchmark's schema.
type longbenchRow struct {
	input, context string
	answers        []string
	length         int
	dataset        string
	language       string
	classes        []string
	id             string // the row's number where _id is null
}

// longbenchTask is one set of LongBench under one protocol.
type longbenchTask struct {
	name      string
	set       metrics.LongBenchSet
	protocol  Protocol
	rows      []longbenchRow
	maxLength int
	maxNew    int
	metric    string
	classes   []string
}

func openLongBench(name string, o Options) (Task, error) {
	own := o.Own.(*LongBenchOptions)
	if own.MaxLength < 0 {
		return nil, &OptionError{fmt.Errorf("--max-length %d: want 2 or more", own.MaxLength)}
	}
	set, err := longbenchSet(name)
	if err != nil {
		return nil, err
	}
	t := &longbenchTask{name: name, set: set, maxLength: own.MaxLength, maxNew: o.MaxNew, metric: o.Metric}
	if t.metric == "" {
		scorer, _, err := set.Scorers(own.CodeSim)
		if err != nil {
			return nil, fmt.Errorf("task %s: %w", name, err)
		}
		t.metric = scorer.Name
	}
	if t.protocol, err = OpenProtocol(cmp.Or(own.Protocol, "longbench")); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	if _, err := metrics.Open(t.metric); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	if own.MaxLength == 1 {
		return nil, fmt.Errorf("task %s: maximum length %d: want at least 2 tokens, the prompt's first and last", name, own.MaxLength)
	}
	if own.DryText {
		if own.Data != "" || o.Metric != "" {
			return nil, &OptionError{fmt.Errorf("task %s: --dry-text takes no --data, and no metric: its text is made up", name)}
		}
		return openDry(t, o.Limit)
	}
	if own.Data == "" {
		return nil, fmt.Errorf("task %s: no data: want a folder with %s.jsonl, .jsonl.gz or .parquet, or the benchmark's archive", name, name)
	}
	if t.rows, err = readSet(own.Data, name); err != nil {
		return nil, err
	}
	t.rows = t.rows[:limited(len(t.rows), o.Limit)]
	// The original grades all predictions of a set by the class names of its
	// last row.
	t.classes = t.rows[len(t.rows)-1].classes
	return t, nil
}

func (t *longbenchTask) Name() string    { return t.name }
func (t *longbenchTask) Version() int    { return longbenchVersion }
func (t *longbenchTask) Len() int        { return len(t.rows) }
func (t *longbenchTask) ID(i int) string { return t.rows[i].id }

// Metric returns the scorer of all of its samples.
func (t *longbenchTask) Metric() string { return t.metric }

func (t *longbenchTask) Digest() string {
	return digestOf(func(yield func(string) bool) {
		for _, r := range t.rows {
			fields := []string{r.id, r.dataset, r.language, r.input, r.context, fmt.Sprintf("%d %q %q", r.length, r.answers, r.classes)}
			for _, f := range fields {
				if !yield(f) {
					return
				}
			}
		}
	})
}

func (t *longbenchTask) Size(i int) int {
	per := bytesPerToken
	if t.set.Chinese {
		per = 2 // three bytes a character, one or two characters a token
	}
	return (len(t.rows[i].context) + len(t.rows[i].input)) / per
}

// Tokens is about the tokens of prompt i for a model, of which the name and the context suffice.
func (t *longbenchTask) Tokens(i int, m Model) int { return t.cut(t.Size(i), m) }

// cut is about how many tokens the set's template makes of so many of a row, cut as the protocol cuts them.
func (t *longbenchTask) cut(row int, m Model) int {
	limit := t.maxLength
	if limit == 0 {
		limit = t.protocol.limit(m)
	}
	if limit == 0 && m.ContextLength > 0 {
		limit = m.ContextLength - t.allNew()
	}
	n := row + len(strings.NewReplacer("{context}", "", "{input}", "").Replace(texts().Templates[t.set.Name]))/bytesPerToken
	if limit > 0 {
		n = min(n, limit)
	}
	return n
}

// Behind is about how many tokens are read behind the compressed prompt: under kvpress's protocol the question.
func (t *longbenchTask) Behind(i int) int {
	if t.protocol.Name != "kvpress" {
		return 0
	}
	at := texts().KVPress
	return aboutTokens(prompting{input: t.rows[i].input}.fillIn(at.Question[t.set.Name])+at.AnswerPrefix[t.set.Name]) + 1 // and at least a line's end
}

func (t *longbenchTask) Sample(i int, m Model) Sample { return t.sample(&t.rows[i], m) }

// MaxNew is the most new tokens of an answer.
func (t *longbenchTask) MaxNew(int) int { return capped(t.allNew(), t.maxNew) }

// allNew are the new tokens of the protocol, which the prompt leaves room for.
func (t *longbenchTask) allNew() int { return texts().MaxNewTokens[t.set.Name] + t.protocol.extraNew }

func (t *longbenchTask) sample(row *longbenchRow, m Model) Sample {
	maxNew := t.allNew()
	s := Sample{
		Task: t.name, TaskVersion: longbenchVersion, ID: row.id, Protocol: t.protocol.Name,
		Answers: row.answers, Classes: t.classes, Metric: t.metric, FirstLine: t.set.FirstLine,
		MaxNew: t.MaxNew(0), MinNew: t.protocol.minNew(t.set.Name), End: t.protocol.end, Length: row.length,
	}
	err := errNoTokenizer
	if m.Tokenizer != nil {
		err = t.build(&s, row, m, maxNew)
	}
	if err != nil {
		s.fail(err)
	}
	return s
}

func (t *longbenchTask) build(s *Sample, row *longbenchRow, m Model, maxNew int) error {
	if t.protocol.newline(t.set.Name) {
		ids, err := m.Tokenizer.Encode("\n", false)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return errors.New("the tokenizer has no token for a newline, which ends the answers of this set")
		}
		s.StopIDs = ids[len(ids)-1:]
	}
	err := t.protocol.build(s, prompting{
		model: m, set: t.set.Name, context: row.context, input: row.input, limit: t.maxLength, newAfter: maxNew,
	})
	if err != nil {
		return err
	}
	t.mark(s, row)
	return s.finish(m)
}

// mark marks the instruction, the question, and the answers where they stand in the context.
func (t *longbenchTask) mark(s *Sample, row *longbenchRow) {
	template := texts().Templates[t.set.Name]
	if s.Question != nil {
		template = texts().KVPress.Context[t.set.Name]
	}
	before, _, _ := strings.Cut(template, contextMark)
	from, to := 0, len(s.Prompt)
	if s.markText(MarkInstruction, before, from, to) {
		from = s.Marks[len(s.Marks)-1].To
	}
	input := strings.TrimSpace(strings.TrimSuffix(row.input, texts().KVPress.StripFromInput[t.set.Name]))
	if at := strings.LastIndex(s.Prompt[from:], input); input != "" && at >= 0 && t.set.Category != metrics.Code {
		to = from + at
		s.mark(MarkQuestion, to, to+len(input))
	}
	s.markAnswers(from, to)
}

// parseRow checks a JSON row against the schema.
func parseRow(fields map[string]json.RawMessage) (row longbenchRow, err error) {
	for _, f := range []struct {
		name string
		into *string
	}{{"input", &row.input}, {"context", &row.context}, {"dataset", &row.dataset}, {"language", &row.language}} {
		if *f.into, err = stringField(fields, f.name); err != nil {
			return row, err
		}
	}
	if row.answers, err = stringsField(fields, "answers"); err != nil {
		return row, err
	}
	if row.length, err = intField(fields, "length"); err != nil {
		return row, err
	}
	if !isNull(fields["all_classes"]) {
		if row.classes, err = stringsField(fields, "all_classes"); err != nil {
			return row, err
		}
	}
	if !isNull(fields["_id"]) {
		if row.id, err = stringField(fields, "_id"); err != nil {
			return row, err
		}
		if row.id == "" {
			return row, errors.New(`field "_id" is empty`)
		}
	}
	return row, nil
}

func isNull(value json.RawMessage) bool { return string(value) == "null" }

// rowChecker checks what the types of a row do not, and gives ids to rows without one.
type rowChecker struct {
	name string // the task's
	set  metrics.LongBenchSet
	seen ids
}

func (c *rowChecker) check(row *longbenchRow, line int) error {
	switch {
	case row.dataset != c.name:
		return fmt.Errorf("field \"dataset\" is %q, want %q", row.dataset, c.name)
	case len(row.answers) == 0:
		return errors.New(`field "answers" is an empty list`)
	case c.set.Metric == "classification" && len(row.classes) == 0:
		return errors.New(`field "all_classes" names no classes, and the set is graded by them`)
	case row.context == "" && row.input == "":
		return errors.New(`fields "context" and "input" are both empty`)
	}
	if row.id == "" {
		row.id = strconv.Itoa(line)
	}
	return c.seen.add(row.id, line)
}
