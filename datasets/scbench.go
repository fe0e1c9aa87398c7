package datasets

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/snapbench/snapbench/metrics"
)

// scbenchVersion is the version of SCBench's tasks.
//
// Changes: 1, the first.
const scbenchVersion = 1

// The originals' numbers: the longest text in tokens, what scdq leaves for the questions, and the most turns.
const (
	scbenchLimit     = 131_072
	scbenchQuestions = 1000
	scbenchTurns     = 5
)

var scbenchCopy = &Copy{
	Repo: "microsoft/SCBench", Licence: "MIT",
	Files: []string{"scbench_kv/*", "scbench_prefix_suffix/*", "scbench_vt/*", "scbench_mf/*", "data/scbench_kv*", "data/scbench_prefix_suffix*", "data/scbench_vt*", "data/scbench_mf*"},
	About: "100 contexts a task, each with up to 5 questions",
	Check: func(data string) (Sets, error) {
		return checkCopies(scbenchNames(), func(task string) ([]string, error) { return scbenchFiles(data, task) }, func(task string) (int, error) {
			rows, err := readSCBench(data, task)
			return len(rows), err
		})
	},
}

func init() {
	Register(Definition{
		Family: "scbench", Help: "SCBench: several questions about one context, behind each other or each by itself", Names: scbenchNames(),
		Groups: map[string][]string{"scbench": scbenchNames()},
		Origin: &Origin{Source: "microsoft/MInference, arXiv 2412.10319", Licence: "MIT", Inside: "templates of two modes, scorers", Copy: scbenchCopy},
		Own:    func() any { return &SCBenchOptions{Modes: slices.Clone(scbenchModes), Template: "own"} },
		Open:   openSCBench,
	})
}

// scbenchMetrics are the scorers of the tasks. Turns of kv and prefix_suffix are right where the answer is contained.
var scbenchMetrics = map[string]string{
	"scbench-kv": "contains", "scbench-prefix-suffix": "contains", "scbench-vt": "scbench_vt", "scbench-mf": "scbench_mf",
}

// scbenchNames are the tasks by name.
func scbenchNames() []string {
	return []string{"scbench-kv", "scbench-prefix-suffix", "scbench-vt", "scbench-mf"}
}

// scbenchOwn is the benchmark's own name for a task: "scbench_prefix_suffix".
func scbenchOwn(task string) string { return strings.ReplaceAll(task, "-", "_") }

// SCBenchOptions say where SCBench's rows are, and how their questions are asked.
type SCBenchOptions struct {
	Data string `option:"data" kind:"text" help:"folder or file with the benchmark's rows (default: what datasets pull brought)" json:"-"`
	// Modes are multi-turn and scdq, each of which asks every question once.
	Modes     []string `option:"mode" kind:"text" help:"multi-turn: questions behind each other, with the reference answers between them; scdq: each behind the context alone"`
	Template  string   `option:"template" kind:"text" help:"own: the model's chat template, where it has one; base: the bare text"`
	MaxLength int      `option:"max-length" kind:"tokens" help:"longest prompt in tokens, instead of the protocol's own number"`
}

var scbenchModes = []string{"multi-turn", "scdq"}

//go:embed scbench/prompts.json
var scbenchJSON []byte

// scbenchTexts are the templates, by the benchmark's own names of the tasks.
var scbenchTexts = sync.OnceValue(func() (t struct {
	MaxNew       map[string]int    `json:"max_new_tokens"`
	First        map[string]string `json:"first_turn"`
	Context      map[string]string `json:"scdq_context"`
	FollowUp     map[string]string `json:"follow_up"`
	FollowUpChat map[string]string `json:"follow_up_in_chat_template"`
}) {
	if err := json.Unmarshal(scbenchJSON, &t); err != nil {
		panic("datasets: the embedded templates of SCBench: " + err.Error())
	}
	return t
})

// scbenchTask has a sample for each turn of each row in each mode; those of one turn share their ID, "ROW/TURN" with
// numbers from 1, and differ in Protocol.
type scbenchTask struct {
	name    string
	o       SCBenchOptions
	rows    []scbenchRow
	samples []scbenchSample
	metric  string
	maxNew  int // of a turn
}

// scbenchSample says which turn of which row is asked in which mode.
type scbenchSample struct {
	row, turn int
	mode      string
}

func openSCBench(name string, o Options) (Task, error) {
	own := *o.Own.(*SCBenchOptions)
	if len(own.Modes) == 0 {
		return nil, &OptionError{fmt.Errorf("--mode: an empty list: want one value or more")}
	}
	for i, mode := range own.Modes {
		if !slices.Contains(scbenchModes, mode) || slices.Contains(own.Modes[:i], mode) {
			return nil, &OptionError{fmt.Errorf("task %s: mode %q: want each of %s at most once", name, mode, strings.Join(scbenchModes, ", "))}
		}
	}
	if err := checkTemplate(own.Template); err != nil {
		return nil, &OptionError{fmt.Errorf("task %s: %w", name, err)}
	}
	t := &scbenchTask{name: name, o: own, metric: cmp.Or(o.Metric, scbenchMetrics[name]), maxNew: capped(scbenchTexts().MaxNew[scbenchOwn(name)], o.MaxNew)}
	if _, err := metrics.Open(t.metric); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	if own.Data == "" {
		return nil, scbenchCopy.missing("scbench", name)
	}
	var err error
	if t.rows, err = readSCBench(own.Data, name); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	for i, row := range t.rows {
		for k := range row.turns {
			for _, mode := range own.Modes {
				t.samples = append(t.samples, scbenchSample{i, k, mode})
			}
		}
	}
	t.samples = t.samples[:limited(len(t.samples), o.Limit)]
	return t, nil
}

func (t *scbenchTask) Name() string { return t.name }
func (t *scbenchTask) Version() int { return scbenchVersion }
func (t *scbenchTask) Len() int     { return len(t.samples) }

func (t *scbenchTask) ID(i int) string {
	at := t.samples[i]
	return fmt.Sprintf("%s/%d", t.rows[at.row].id, at.turn+1)
}

// Size is about the same for all turns of a row, so that they stay together.
func (t *scbenchTask) Size(i int) int {
	return 1 + len(t.rows[t.samples[i].row].context)/bytesPerToken
}

func (t *scbenchTask) Digest() string {
	return digestOf(func(yield func(string) bool) {
		for _, r := range t.rows {
			if !yield(r.id) || !yield(r.context) || !yield(fmt.Sprintf("%q", r.turns)) {
				return
			}
		}
	})
}

// MaxNew is the most new tokens of an answer.
func (t *scbenchTask) MaxNew(int) int { return t.maxNew }

func (t *scbenchTask) Sample(i int, m Model) Sample {
	at := t.samples[i]
	row := &t.rows[at.row]
	s := Sample{
		Task: t.name, TaskVersion: scbenchVersion, ID: t.ID(i), Protocol: at.mode, Answers: row.turns[at.turn].answers,
		Metric: t.metric, MaxNew: t.maxNew, End: EndGeneration,
		Draw: &at.row, // the same positions for all turns of a context
	}
	err := errNoTokenizer
	if m.Tokenizer != nil {
		if err = t.build(&s, row, at, m); err == nil {
			err = s.finish(m)
		}
	}
	if err != nil {
		s.fail(err)
	}
	return s
}

// build reads the mode's first text, cut in the middle, and behind it what leads up to the turn's question. A
// policy may evict of the first text alone; what is read later is kept whole.
func (t *scbenchTask) build(s *Sample, row *scbenchRow, at scbenchSample, m Model) error {
	if t.o.Template == "base" {
		m.Chat = nil
	}
	first, later, err := row.texts(scbenchOwn(t.name), at.mode, m)
	if err != nil {
		return err
	}
	if s.IDs, err = m.Tokenizer.Encode(first, true); err != nil { // a BOS of the template is a second one, as in the original
		return err
	}
	asked, most := "", 0 // most tokens behind the first text, of any turn
	for k, text := range later {
		ids, err := m.Tokenizer.Encode(text, false)
		if err != nil {
			return err
		}
		if at.mode == "scdq" {
			most = max(most, len(ids))
		} else {
			most += len(ids)
		}
		if k == at.turn || k < at.turn && at.mode == "multi-turn" {
			s.Question, asked = append(s.Question, ids...), asked+text
		}
	}
	limit, err := t.limit(s, len(row.turns), most, m)
	if err != nil {
		return err
	}
	if ids := withoutHalves(s.IDs, limit); len(ids) < len(s.IDs) {
		s.Truncated, s.IDs = true, ids
		first = m.Tokenizer.Decode(ids, false)
	}
	s.Prompt = first + asked
	return nil
}

// limit is the first text's longest length in tokens: the benchmark's, or what the model's context leaves beside up
// to behind tokens that are read behind it, which is the same for all turns of a row.
func (t *scbenchTask) limit(s *Sample, turns, behind int, m Model) (int, error) {
	maxNew := scbenchTexts().MaxNew[scbenchOwn(t.name)]
	limit := cmp.Or(t.o.MaxLength, scbenchLimit) - maxNew*turns
	if s.Protocol == "scdq" {
		limit -= scbenchQuestions
	}
	if room := m.ContextLength - behind - maxNew; m.ContextLength > 0 && room < limit {
		if limit = room; len(s.IDs) > limit {
			s.note("cut to the model's context, where the original allows %d tokens in all", scbenchLimit)
		}
	}
	if limit < 2 {
		return 0, fmt.Errorf("no room is left for the context beside %d turns of %d new tokens each and %d tokens of questions", turns, maxNew, behind)
	}
	return limit, nil
}

// withoutHalves keeps the first and the last limit/2 ids, as SCBench does.
func withoutHalves(ids []int32, limit int) []int32 {
	if half := limit / 2; len(ids) > limit && half > 0 {
		return slices.Concat(ids[:half], ids[len(ids)-half:])
	}
	return ids
}
