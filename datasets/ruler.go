package datasets

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/snapbench/snapbench/datasets/ruler"
	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/metrics"
)

// rulerVersion is the version of RULER's tasks' prompts and rules.
//
// Changes: 1, the first.
const rulerVersion = 1

// rulerEditions are the editions by what their tasks' names begin with.
var rulerEditions = map[string]ruler.Edition{"ruler": ruler.Edition2026, "ruler-2024": ruler.Edition2024}

func init() {
	names, groups := []string{}, map[string][]string{}
	for _, prefix := range slices.Sorted(maps.Keys(rulerEditions)) {
		for _, task := range ruler.Tasks() {
			name := prefix + "." + task
			groups[prefix] = append(groups[prefix], name)
			if !ruler.Documents(task) {
				groups[prefix+"-synthetic"] = append(groups[prefix+"-synthetic"], name)
			}
		}
		names = append(names, groups[prefix]...)
	}
	Register(Definition{
		Family: "ruler", Help: "RULER's thirteen tasks of retrieval, tracing, counting and questions, by length",
		Names: names, Groups: groups, ByLength: []string{"ruler", "ruler-2024"}, Enough: rulerEnough,
		Origin: &Origin{
			Source: "NVIDIA/RULER, arXiv 2404.06654", Licence: "Apache-2.0; the words MIT; the haystack is in the public domain",
			Inside: "prompts of two editions and of kvpress, generators, haystack, scorers",
			Bring:  "for qa_1 and qa_2 SQuAD 2.0's dev-v2.0.json: --squad, and HotpotQA's hotpot_dev_distractor_v1.json: --hotpotqa (both CC BY-SA 4.0)",
		},
		Own:  func() any { return &RulerOptions{Samples: 50, Template: "own", Protocol: "ruler"} },
		Open: openRuler,
	})
}

// RulerOptions say which of RULER's prompts to make.
type RulerOptions struct {
	// Lengths are the budgets in tokens for prompt and answer together; default 4096.
	Lengths []int `option:"lengths" kind:"tokens" help:"lengths of prompt and answer together in tokens (default 4k)"`
	// Samples is the number of prompts per task and length: the first of the original's 500.
	Samples int `option:"samples" kind:"whole" least:"1" help:"prompts per task and length; the original has 500"`
	// Template is "own", the model's chat template; "base", none; or the name of one of RULER's.
	Template string `option:"template" kind:"text" help:"chat template: own, base (none), or one of RULER's by name, such as meta-llama3"`
	// Protocol is "ruler", or one of kvpress's two, which read the question apart.
	Protocol string `option:"protocol" kind:"text" help:"ruler, or as NVIDIA/kvpress asks: kvpress (the context alone is compressed), kvpress-query-aware"`
	// Haystack is a folder of *.txt files or RULER's PaulGrahamEssays.json; default the embedded
	// text.
	Haystack string `option:"haystack" kind:"text" help:"folder of *.txt files, or RULER's PaulGrahamEssays.json (default the embedded text)" json:"-"`
	// SQuAD and HotpotQA are the files of the two tasks with documents.
	SQuAD    string `option:"squad" kind:"text" help:"SQuAD 2.0's dev-v2.0.json, for qa_1" json:"-"`
	HotpotQA string `option:"hotpotqa" kind:"text" help:"HotpotQA's hotpot_dev_distractor_v1.json, for qa_2" json:"-"`
}

// rulerEnough is the average in points from which RULER's authors count a length as one that a
// model can use: Llama-2-7B-chat's at 4K.
const rulerEnough = 85.6

// rulerTask is one of RULER's tasks at one or more lengths, in order of length, then sample.
type rulerTask struct {
	name   string
	prefix string       // of the name: the edition's
	config ruler.Config // without length, template and count
	o      RulerOptions
	metric string
	maxNew int
	n      int
	digest string

	mu     sync.Mutex
	series map[rulerSeries]*ruler.Series
	behind func() int // see Behind
}

// rulerSeries is what the prompts of a task depend on, beside the task.
type rulerSeries struct {
	tokenizer Tokenizer
	template  ruler.Template
	length    int
}

func openRuler(name string, opts Options) (Task, error) {
	prefix, task, _ := strings.Cut(name, ".")
	t := &rulerTask{name: name, prefix: prefix, o: *opts.Own.(*RulerOptions), series: map[rulerSeries]*ruler.Series{}}
	t.config = ruler.Config{Edition: rulerEditions[prefix], Task: task}
	t.maxNew = capped(ruler.NewTokens(task), opts.MaxNew)
	err := t.o.complete()
	if err == nil {
		for _, n := range t.o.Lengths {
			c := t.config
			c.Length = n
			if _, e := ruler.Open(c); e != nil {
				err = e
			}
		}
	}
	if err == nil {
		t.metric = cmp.Or(opts.Metric, t.o.metric(task))
		_, err = metrics.Open(t.metric)
	}
	if err == nil {
		err = t.read()
	}
	if err != nil {
		return nil, &OptionError{fmt.Errorf("task %s: %w", name, err)}
	}
	t.n = limited(len(t.o.Lengths)*t.o.Samples, opts.Limit)
	t.behind = sync.OnceValue(t.aboutBehind)
	return t, nil
}

// complete fills in the defaults, and refuses options that make no prompts.
func (o *RulerOptions) complete() error {
	if len(o.Lengths) == 0 {
		o.Lengths = []int{4096}
	}
	if err := checkLengths(o.Lengths); err != nil {
		return err
	}
	if o.Samples < 1 || o.Samples > mostTrials {
		return fmt.Errorf("%d samples: want 1 to %d", o.Samples, mostTrials)
	}
	if o.Template != "own" {
		if _, ok := ruler.ChatTemplate(o.Template); !ok {
			return lookup.Unknown("template", o.Template, append([]string{"own"}, ruler.ChatTemplates()...)...)
		}
	}
	if !slices.Contains(rulerProtocols, o.Protocol) {
		return lookup.Unknown("protocol", o.Protocol, rulerProtocols...)
	}
	return nil
}

// metric is the scorer of a task.
func (o *RulerOptions) metric(task string) string {
	name := "ruler_all"
	if ruler.AnyAnswer(task) {
		name = "ruler_part"
	}
	if o.Protocol != "ruler" {
		name += "_kvpress"
	}
	return name
}

// read reads what the task's prompts are made of.
func (t *rulerTask) read() (err error) {
	of := []string{string(t.config.Edition)}
	switch {
	case ruler.Essays(t.config.Task):
		if t.config.Essay, err = rulerEssay(t.o.Haystack); err == nil {
			of = append(of, t.config.Essay.Text())
		}
	case ruler.Documents(t.config.Task):
		var text []byte
		if t.config.QA, text, err = t.o.documents(t.prefix, t.config.Task); err == nil {
			of = append(of, string(text))
			t.o.Samples = min(t.o.Samples, len(t.config.QA.Questions))
		}
	}
	t.digest = digestOf(slices.Values(of))
	return err
}

func (t *rulerTask) Name() string   { return t.name }
func (t *rulerTask) Version() int   { return rulerVersion }
func (t *rulerTask) Len() int       { return t.n }
func (t *rulerTask) Digest() string { return t.digest }
func (t *rulerTask) Size(i int) int { length, _ := t.cell(i); return length }

// MaxNew is the most new tokens of an answer.
func (t *rulerTask) MaxNew(int) int { return t.maxNew }

// Tokens is about the tokens of prompt i: a length is that of prompt and answer together.
func (t *rulerTask) Tokens(i int, _ Model) int {
	return max(1, t.Size(i)-ruler.NewTokens(t.config.Task)-t.Behind(i))
}

// Totals returns the most tokens that a prompt has together with its answer, by length.
func (t *rulerTask) Totals() []int { return t.o.Lengths }

// cell returns the length of sample i, and its number there.
func (t *rulerTask) cell(i int) (length, number int) {
	if i < 0 || i >= t.n {
		panic(fmt.Sprintf("datasets: sample %d of %d", i, t.n))
	}
	return t.o.Lengths[i/t.o.Samples], i % t.o.Samples
}

func (t *rulerTask) ID(i int) string {
	length, number := t.cell(i)
	return "length=" + strconv.Itoa(length) + ",sample=" + strconv.Itoa(number)
}

func (t *rulerTask) Sample(i int, m Model) Sample {
	length, number := t.cell(i)
	s := Sample{
		Task: t.name, TaskVersion: rulerVersion, ID: t.ID(i), Protocol: t.o.Protocol, Metric: t.metric,
		MaxNew: t.maxNew, End: EndGeneration, Length: length,
	}
	if err := t.build(&s, length, number, m); err != nil {
		s.fail(err)
	}
	return s
}

func (t *rulerTask) build(s *Sample, length, number int, m Model) error {
	if m.Tokenizer == nil {
		return errNoTokenizer
	}
	template, err := t.template(m)
	if err != nil {
		return err
	}
	series, err := t.open(rulerSeries{m.Tokenizer, template, length})
	if err != nil {
		return err
	}
	made, err := series.Sample(number)
	if err != nil {
		return err
	}
	s.Answers = made.Answers
	head := ""
	if t.o.Protocol == "ruler" {
		s.Prompt = made.Prompt
		s.IDs, err = m.encode(s.Prompt)
	} else {
		head, err = t.apart(s, made, m)
	}
	if err != nil {
		return err
	}
	for _, mark := range made.Marks {
		s.Marks = append(s.Marks, Mark{mark.Name, mark.From + len(head), mark.To + len(head)})
	}
	if n := t.config.Essay; n != nil && strings.Count(s.Prompt, s.Answers[0]) != 1 {
		return fmt.Errorf("the haystack holds the answer %q itself", s.Answers[0])
	}
	return s.finish(m)
}

// template is the chat template around the task's text. Under kvpress's protocols prompts are
// made without one, and it is put around afterwards.
func (t *rulerTask) template(m Model) (ruler.Template, error) {
	switch {
	case t.o.Protocol != "ruler" || t.o.Template == "own" && m.Chat == nil:
		return ruler.Template{}, nil
	case t.o.Template != "own":
		template, _ := ruler.ChatTemplate(t.o.Template)
		return template, nil
	}
	head, tail, err := m.around(contextMark, "")
	return ruler.Template{Head: head, Tail: tail}, err
}

// open returns the series of samples, which is made once for all that ask for it.
func (t *rulerTask) open(k rulerSeries) (*ruler.Series, error) {
	if !reflect.TypeOf(k.tokenizer).Comparable() {
		return nil, errors.New("the tokenizer cannot be told from others")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.series[k]; s != nil {
		return s, nil
	}
	c := t.config
	c.Length, c.Template = k.length, k.template
	c.Count = func(text string) (int, error) {
		ids, err := k.tokenizer.Encode(text, false)
		return len(ids), err
	}
	s, err := ruler.Open(c)
	t.series[k] = s
	return s, err
}
