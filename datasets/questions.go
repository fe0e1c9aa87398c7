package datasets

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/metrics"
)

// questionsVersion is the version of the task "questions".
//
// Changes: 1, the first.
const questionsVersion = 1

func init() {
	Register(Definition{
		Family: "questions", Help: "contexts with several questions each, from a file of one's own", Names: []string{"questions"},
		Own:  func() any { return &QuestionsOptions{Conventions: DefaultConventions()} },
		Open: openQuestions,
	})
}

// Convention says where a question stands when its context is compressed.
type Convention struct {
	Name  string
	About string // one line for lists
	// Named says that it is asked by only where it is named: it asks more of a file than the others do.
	Named bool
}

// conventions are in the order of the tables; a difference is against the first.
var conventions = []Convention{
	{Name: "inside", About: "the question ends the prompt, and is there when the prompt is compressed (SnapKV's own, arXiv 2404.14469)"},
	{Name: "context", About: "the context alone is compressed, and the question read through what is left (NVIDIA/kvpress; SCBench's scdq, arXiv 2412.10319)"},
	{Name: dialogue, About: "the first question ends the prompt that is compressed; the later ones and the reference answers are read through what is left, turn by turn", Named: true},
	{Name: before, About: "the question stands before the context, as the prompt's end does not (arXiv 2404.14469, section 4.2)", Named: true},
}

// The conventions that no other part of a sample tells apart.
const (
	dialogue = "dialogue"
	before   = "before"
)

// Conventions lists the conventions.
func Conventions() []Convention { return slices.Clone(conventions) }

// ConventionNames lists their names.
func ConventionNames() []string {
	names := make([]string, len(conventions))
	for i, c := range conventions {
		names[i] = c.Name
	}
	return names
}

// DefaultConventions lists the names of those by which questions are asked unless others are named.
func DefaultConventions() (names []string) {
	for _, c := range conventions {
		if !c.Named {
			names = append(names, c.Name)
		}
	}
	return names
}

// QuestionsOptions name the file of contexts, and how its questions are asked.
type QuestionsOptions struct {
	File string `option:"file" kind:"text" help:"the file of contexts and their questions, FILE.jsonl; -: standard input" json:"-"`
	// Conventions are names of Conventions, each of which asks every question once.
	Conventions []string `option:"convention" kind:"text" help:"where a question stands when its context is compressed: inside the prompt, behind the context alone, later ones in a dialogue behind the first, or before the context (default inside,context)"`
}

// questionsTask is a user's own contexts and their questions. Each question is a sample of its
// own under each convention, in the order of the file; the samples of one question share their
// ID, "CONTEXT/NUMBER" with numbers from 1, and differ in Protocol. See docs/questions.md for
// the fields of a line.
type questionsTask struct {
	rows    []questionsRow
	samples []questionsSample
	maxNew  int
}

type questionsRow struct {
	id, context string
	prompt      string    // with the marks, where the text is sent as it is
	messages    []Message // with the marks, where a chat template is applied
	line        int
	questions   []questionAsked
}

type questionAsked struct {
	text, begin string
	grading
}

// questionsSample says which question of which row is asked by which convention.
type questionsSample struct {
	row, question int
	convention    string
}

func openQuestions(_ string, o Options) (Task, error) {
	own := o.Own.(*QuestionsOptions)
	if own.File == "" {
		return nil, errors.New("task questions: which file? it needs one of contexts and questions, FILE.jsonl")
	}
	if len(own.Conventions) == 0 {
		return nil, &OptionError{errors.New("--convention: an empty list: want one value or more")}
	}
	for i, name := range own.Conventions {
		if !slices.Contains(ConventionNames(), name) {
			return nil, &OptionError{fmt.Errorf("--convention: %w", lookup.Unknown("convention", name, ConventionNames()...))}
		}
		if slices.Contains(own.Conventions[:i], name) {
			return nil, &OptionError{fmt.Errorf("--convention: %s is asked for twice", name)}
		}
	}
	if o.Metric != "" {
		if _, err := metrics.Open(o.Metric); err != nil {
			return nil, fmt.Errorf("task questions: %w", err)
		}
	}
	f, err := openFile(own.File)
	if err != nil {
		return nil, fmt.Errorf("task questions: %w", err)
	}
	defer f.Close()
	file := own.File
	if file == stdinName {
		file = "standard input"
	}
	t := &questionsTask{maxNew: o.MaxNew}
	var seen ids
	err = eachLine(file, f, func(line int, fields map[string]json.RawMessage) error {
		row, err := parseQuestions(fields, cmp.Or(o.Metric, "contains"))
		if err != nil {
			return err
		}
		row.id, row.line = cmp.Or(row.id, strconv.Itoa(line)), line
		if slices.Contains(own.Conventions, dialogue) {
			if err := row.conversable(); err != nil {
				return err
			}
		}
		for k := range row.questions {
			for _, c := range own.Conventions {
				t.samples = append(t.samples, questionsSample{len(t.rows), k, c})
			}
		}
		t.rows = append(t.rows, row)
		return seen.add(row.id, line)
	})
	if err != nil {
		return nil, err
	}
	if len(t.rows) == 0 {
		return nil, fmt.Errorf("%s: no contexts in it", file)
	}
	t.samples = t.samples[:limited(len(t.samples), o.Limit)]
	return t, nil
}

// The marks that stand for the two texts in a line's "prompt" or "messages".
const questionMark = "{question}"

// plainPlaces is where the texts stand if a line does not say it.
const plainPlaces = contextMark + "\n\n" + questionMark

// contextFields and questionFields are the fields that a line, and one of its questions, may have.
var (
	contextFields  = []string{"context", "id", "messages", "prompt", "questions"}
	questionFields = []string{"answers", "begin", "classes", "evidence", "max_new", "metric", "question"}
)

func parseQuestions(fields map[string]json.RawMessage, metric string) (row questionsRow, err error) {
	if err = onlyFields(fields, contextFields); err != nil {
		return row, err
	}
	if row.context, err = stringField(fields, "context"); err != nil {
		return row, err
	}
	if strings.TrimSpace(row.context) == "" {
		return row, errors.New(`field "context" is empty`)
	}
	if row.id, err = idField(fields); err != nil {
		return row, err
	}
	_, prompt := fields["prompt"]
	_, messages := fields["messages"]
	switch {
	case prompt && messages:
		return row, errors.New(`both "prompt" and "messages": want at most one of them`)
	case prompt:
		if row.prompt, err = stringField(fields, "prompt"); err == nil {
			_, err = cutPlaces(row.prompt)
		}
		if err != nil {
			return row, fmt.Errorf(`field "prompt": %w`, err)
		}
	case messages:
		if row.messages, err = parseMessages(fields["messages"]); err != nil {
			return row, err
		}
		var all []string
		for _, m := range row.messages {
			all = append(all, m.Content)
		}
		if _, err = cutPlaces(strings.Join(all, "\n")); err != nil {
			return row, fmt.Errorf(`field "messages": %w`, err)
		}
	}
	value, ok := fields["questions"]
	if !ok {
		return row, missing(fields, "questions")
	}
	var list []json.RawMessage
	if kindOf(value) != "a list" || json.Unmarshal(value, &list) != nil {
		return row, fmt.Errorf(`field "questions": want a list of {question, answers}, got %s`, kindOf(value))
	}
	if len(list) == 0 {
		return row, errors.New(`field "questions" is an empty list`)
	}
	for i, v := range list {
		q, err := parseQuestion(v, metric)
		if err == nil {
			err = checkEvidence(q.evidence, row.context)
		}
		if err != nil {
			return row, fmt.Errorf(`field "questions": question %d: %w`, i+1, err)
		}
		row.questions = append(row.questions, q)
	}
	return row, nil
}

func parseQuestion(value json.RawMessage, metric string) (q questionAsked, err error) {
	fields, err := object(value)
	if err != nil {
		return q, err
	}
	if err = onlyFields(fields, questionFields); err != nil {
		return q, err
	}
	if q.text, err = stringField(fields, "question"); err != nil {
		return q, err
	}
	if strings.TrimSpace(q.text) == "" {
		return q, errors.New(`field "question" is empty`)
	}
	if _, ok := fields["begin"]; ok {
		if q.begin, err = stringField(fields, "begin"); err != nil {
			return q, err
		}
	}
	q.grading, err = parseGrading(fields, metric)
	return q, err
}

func (t *questionsTask) Name() string    { return "questions" }
func (t *questionsTask) Version() int    { return questionsVersion }
func (t *questionsTask) Len() int        { return len(t.samples) }
func (t *questionsTask) ID(i int) string { return t.id(t.samples[i]) }

func (t *questionsTask) id(s questionsSample) string {
	return fmt.Sprintf("%s/%d", t.rows[s.row].id, s.question+1)
}

func (t *questionsTask) Digest() string {
	return digestOf(func(yield func(string) bool) {
		for _, r := range t.rows {
			if !yield(fmt.Sprintf("%q %q %q %q %d", r.id, r.context, r.prompt, r.messages, len(r.questions))) {
				return
			}
			for _, q := range r.questions {
				if !yield(fmt.Sprintf("%q %q %q %q %s %d", q.text, q.begin, q.answers, q.classes, q.metricText(), q.maxNew)) {
					return
				}
			}
		}
	})
}

// Size is about the same for all questions of a context, so that they stay together; those of the
// first convention come first, so that questions behind one compressed context are neighbours.
func (t *questionsTask) Size(i int) int {
	r := &t.rows[t.samples[i].row]
	n := len(r.context) + len(r.prompt)
	for _, m := range r.messages {
		n += len(m.Content)
	}
	longest := 0
	for _, q := range r.questions {
		longest = max(longest, len(q.text)+len(q.begin))
	}
	return (n+longest)/bytesPerToken + len(conventions) - slices.Index(ConventionNames(), t.samples[i].convention)
}

// MaxNew is the most new tokens of an answer.
func (t *questionsTask) MaxNew(i int) int {
	at := t.samples[i]
	return capped(t.rows[at.row].questions[at.question].maxNew, t.maxNew)
}

func (t *questionsTask) Sample(i int, m Model) Sample {
	at := t.samples[i]
	row := &t.rows[at.row]
	q := &row.questions[at.question]
	s := Sample{
		Task: t.Name(), TaskVersion: questionsVersion, ID: t.id(at), Protocol: at.convention, Answers: q.answers, Classes: q.classes,
		Metric: q.metric, MaxNew: t.MaxNew(i), End: EndGeneration,
		Draw: &at.row, // the same positions for all questions of a context, however many there are
	}
	if err := row.build(&s, at.question, m); err != nil {
		s.fail(fmt.Errorf("line %d, question %d: %w", row.line, at.question+1, err))
	}
	return s
}

// mark marks what question at rests on within bytes of the prompt, which are the context.
func (r *questionsRow) mark(s *Sample, at, from, to int) {
	s.markEvidence(r.questions[at].evidence, from, to)
	s.markAnswers(from, to)
}

// build makes the prompt of question at. The texts before and from the question on become tokens apart
// and are joined, so that all conventions have the same tokens at the same positions. In a dialogue what
// is compressed is the first question's prompt.
func (r *questionsRow) build(s *Sample, at int, m Model) error {
	if m.Tokenizer == nil {
		return errNoTokenizer
	}
	p, err := r.places(m)
	if err != nil {
		return err
	}
	q := &r.questions[at]
	if s.Protocol == dialogue {
		q = &r.questions[0]
	}
	context, question := p.head+r.context+p.between, q.text+p.tail+q.begin
	s.Prompt = context + question
	r.mark(s, at, len(p.head), len(p.head)+len(r.context))
	if q == &r.questions[at] { // a later turn's question is not in what is compressed
		s.mark(MarkQuestion, len(context), len(context)+len(q.text))
	}
	if s.IDs, err = m.encode(context); err != nil {
		return err
	}
	if s.Question, err = m.Tokenizer.Encode(question, false); err != nil {
		return err
	}
	if len(s.IDs) == 0 || len(s.Question) == 0 {
		return fmt.Errorf("the context has %d tokens and the question %d: want some of each", len(s.IDs), len(s.Question))
	}
	s.Length = len(s.IDs)
	if room := m.ContextLength - len(s.Question); m.ContextLength > 0 && room < 1 {
		return fmt.Errorf("the question has %d tokens, the model's context %d: no room is left for what it is about", len(s.Question), m.ContextLength)
	}
	if s.Protocol == before {
		if s.Prompt, err = p.turned(r.context, q); err != nil {
			return err
		}
		s.Question, s.Marks = nil, nil
		to := len(s.Prompt) - len(p.tail) - len(q.begin)
		r.mark(s, at, to-len(strings.TrimRightFunc(r.context, unicode.IsSpace)), to)
		s.mark(MarkQuestion, len(p.head), len(p.head)+len(q.text))
		if s.IDs, err = m.encode(s.Prompt); err != nil {
			return err
		}
	} else if s.Protocol != "context" {
		s.IDs, s.Question = slices.Concat(s.IDs, s.Question), nil
	}
	if s.Protocol == dialogue {
		if err := r.converse(s, at, m); err != nil {
			return err
		}
	}
	return s.finish(m)
}
