package datasets

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/metrics"
)

// babilongVersion is the version of BABILong's tasks.
//
// Changes: 1, the first.
const babilongVersion = 1

// babilongNew is the most new tokens.
const babilongNew = 20

var babilongCopy = &Copy{
	Repo: "RMT-team/babilong", Files: []string{"data/qa*/?k.json", "data/qa*/??k.json", "data/qa*/128k.json"}, Licence: "Apache-2.0",
	About: "100 rows of each task and length: bAbI's facts (BSD) in PG19's books (Apache-2.0), qa1-10 to 128k, qa11-20 at 0k; " +
		"RMT-team/babilong-1k-samples has 1,000, and --data reads it, too",
	Check: func(data string) (Sets, error) {
		return checkCopies(babilongNames(), func(task string) ([]string, error) {
			lengths, err := babilongThere(data, babilongTask(task))
			var files []string
			for _, length := range lengths {
				found, err := babilongFiles(data, babilongTask(task), length)
				if err != nil {
					return nil, err
				}
				files = append(files, found...)
			}
			return files, err
		}, func(task string) (int, error) {
			rows, err := readBABILong(data, babilongTask(task), nil)
			return len(rows), err
		})
	},
}

func init() {
	Register(Definition{
		Family: "babilong", Help: "BABILong: bAbI's facts, hidden in books", Names: babilongNames(),
		Groups: map[string][]string{"babilong": babilongNames()[:5], "babilong-10": babilongNames()[:10], "babilong-20": babilongNames()},
		Origin: &Origin{Source: "booydar/babilong, arXiv 2406.10149", Licence: "Apache-2.0", Inside: "prompts, scorer", Copy: babilongCopy},
		Own:    func() any { return &BABILongOptions{Parts: slices.Clone(babilongParts), Template: "own"} },
		Open:   openBABILong,
	})
}

// babilongNames are the tasks by name, qa1 to qa20.
func babilongNames() []string {
	names := make([]string, metrics.BABILongTasks)
	for i := range names {
		names[i] = "babilong-qa" + strconv.Itoa(i+1)
	}
	return names
}

// babilongTask is the benchmark's own name for a task: "qa1".
func babilongTask(name string) string { return strings.TrimPrefix(name, "babilong-") }

// BABILongOptions say where BABILong's rows are and how they become prompts.
type BABILongOptions struct {
	Data string `option:"data" kind:"text" help:"folder or file with the benchmark's rows (default: what datasets pull brought)" json:"-"`
	// Lengths are the benchmark's names for the lengths of its rows; none: all that are there.
	Lengths []string `option:"row-lengths" kind:"text" help:"lengths of the rows as the benchmark names them, 0k, 4k, 1M (default: all that are there)"`
	// Parts of the prompt besides context and question.
	Parts []string `option:"parts" kind:"text" help:"parts of the prompt: instruction, examples, post_prompt, or none of them: none"`
	// Template is own or base.
	Template string `option:"template" kind:"text" help:"own: the model's chat template, where it has one; base: the bare text"`
}

var babilongParts = []string{"instruction", "examples", "post_prompt"}

//go:embed babilong/prompts.json
var babilongJSON []byte

// babilongTexts are the parts of the prompts, by task.
var babilongTexts = sync.OnceValue(func() (t struct {
	Template string                       `json:"template"`
	Tasks    map[string]map[string]string `json:"tasks"`
}) {
	if err := json.Unmarshal(babilongJSON, &t); err != nil {
		panic("datasets: the embedded prompts of BABILong: " + err.Error())
	}
	return t
})

// babilongRow is a row in the benchmark's schema, of a length as the benchmark names it.
type babilongRow struct {
	input, question, target string
	length, id              string
	classes                 []string
}

type babilongSet struct {
	name   string
	o      BABILongOptions
	rows   []babilongRow
	metric string
	maxNew int
}

func openBABILong(name string, o Options) (Task, error) {
	own := *o.Own.(*BABILongOptions)
	if slices.Equal(own.Parts, []string{"none"}) {
		own.Parts = nil
	}
	for _, p := range own.Parts {
		if !slices.Contains(babilongParts, p) {
			return nil, &OptionError{fmt.Errorf("task %s: %w", name, lookup.Unknown("part of the prompt", p, append(slices.Clone(babilongParts), "none")...))}
		}
	}
	if err := checkTemplate(own.Template); err != nil {
		return nil, &OptionError{fmt.Errorf("task %s: %w", name, err)}
	}
	t := &babilongSet{name: name, o: own, metric: cmp.Or(o.Metric, "babilong"), maxNew: capped(babilongNew, o.MaxNew)}
	if _, err := metrics.Open(t.metric); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	if own.Data == "" {
		return nil, babilongCopy.missing("babilong", name)
	}
	var err error
	if t.rows, err = readBABILong(own.Data, babilongTask(name), own.Lengths); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	t.rows = t.rows[:limited(len(t.rows), o.Limit)]
	return t, nil
}

// checkTemplate refuses what is no use of a chat template.
func checkTemplate(template string) error {
	if template != "own" && template != "base" {
		return fmt.Errorf("--template: %q: want own or base", template)
	}
	return nil
}

func (t *babilongSet) Name() string    { return t.name }
func (t *babilongSet) Version() int    { return babilongVersion }
func (t *babilongSet) Len() int        { return len(t.rows) }
func (t *babilongSet) ID(i int) string { return t.rows[i].id }
func (t *babilongSet) Size(i int) int  { return 1 + len(t.rows[i].input)/bytesPerToken }

func (t *babilongSet) Digest() string {
	return digestOf(func(yield func(string) bool) {
		for _, r := range t.rows {
			if !yield(r.id) || !yield(r.input) || !yield(r.question) || !yield(r.target) {
				return
			}
		}
	})
}

// MaxNew is the most new tokens of an answer.
func (t *babilongSet) MaxNew(int) int { return t.maxNew }

func (t *babilongSet) Sample(i int, m Model) Sample {
	row := &t.rows[i]
	s := Sample{
		Task: t.name, TaskVersion: babilongVersion, ID: row.id, Protocol: t.run(m), Answers: []string{row.target}, Classes: row.classes,
		Metric: t.metric, MaxNew: t.maxNew, End: EndGeneration, Length: babilongTokens(row.length),
	}
	err := errNoTokenizer
	if m.Tokenizer != nil {
		if err = t.build(&s, row, m); err == nil {
			err = s.finish(m)
		}
	}
	if err != nil {
		s.fail(err)
	}
	return s
}

// templated says whether the model's chat template goes around the text.
func (t *babilongSet) templated(m Model) bool { return t.o.Template == "own" && m.Chat != nil }

// run is the benchmark's own name for how its prompts are made, by which its results are filed.
func (t *babilongSet) run(m Model) string {
	yes := func(is bool) string {
		if is {
			return "_yes"
		}
		return "_no"
	}
	var name []string
	for _, p := range babilongParts {
		name = append(name, p+yes(slices.Contains(t.o.Parts, p)))
	}
	return strings.Join(name, "_") + "_chat_template" + yes(t.templated(m))
}

// build fills the template. Parts that are left out leave their blank lines.
func (t *babilongSet) build(s *Sample, row *babilongRow, m Model) (err error) {
	parts := babilongTexts().Tasks[babilongTask(t.name)]
	fill := []string{"{context}", strip(row.input), "{question}", row.question}
	for _, p := range babilongParts {
		text := ""
		if slices.Contains(t.o.Parts, p) {
			text = parts[p]
		}
		fill = append(fill, "{"+p+"}", text)
	}
	s.Prompt = strip(strings.NewReplacer(fill...).Replace(babilongTexts().Template))
	if t.templated(m) {
		if s.Prompt, err = m.user(s.Prompt, nil); err != nil {
			return err
		}
	}
	s.IDs, err = m.encode(s.Prompt)
	return err
}
