package datasets

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/metrics"
)

// longBenchV2Version is the version of the task longbench-v2.
//
// Changes: 1, the first.
const longBenchV2Version = 1

const longBenchV2Name = "longbench-v2"

var longBenchV2Copy = &Copy{
	Repo: "THUDM/LongBench-v2", Files: []string{"data.json"}, Archive: "data.json", Licence: "Apache-2.0",
	About: "503 questions with contexts of 8K to 2M words by third parties",
	Check: func(data string) (Sets, error) {
		files := func(string) ([]string, error) { return findCopies(data, "data", "data/*", longBenchV2Name) }
		return checkCopies([]string{longBenchV2Name}, files, func(string) (int, error) {
			rows, err := readLongBenchV2(data)
			return len(rows), err
		})
	},
}

func init() {
	Register(Definition{
		Family: longBenchV2Name, Help: "LongBench v2: one of four answers to hard questions about long documents", Names: []string{longBenchV2Name},
		Origin: &Origin{
			Source: "THUDM/LongBench, arXiv 2412.15204", Licence: "MIT; kvpress's texts Apache-2.0, lm-eval's MIT",
			Inside: "prompts of three protocols, two scorers", Copy: longBenchV2Copy,
		},
		Own:  func() any { return &LongBenchV2Options{Protocol: longBenchV2Name} },
		Open: openLongBenchV2,
	})
}

// LongBenchV2Options say where LongBench v2's rows are and how they become prompts.
type LongBenchV2Options struct {
	Data string `option:"data" kind:"text" help:"folder or file with the benchmark's rows (default: what datasets pull brought)" json:"-"`
	// Protocol is longbench-v2, kvpress or lm-eval.
	Protocol string `option:"protocol" kind:"text" help:"how a row becomes a prompt: longbench-v2, kvpress, lm-eval"`
	// MaxLength is the longest prompt in tokens; 0: the protocol's own number.
	MaxLength int `option:"max-length" kind:"tokens" help:"longest prompt in tokens, instead of the protocol's own number"`
}

//go:embed longbenchv2/prompts.json
var longBenchV2JSON []byte

// longBenchV2Texts are the prompts of the three protocols.
var longBenchV2Texts = sync.OnceValue(func() (t struct {
	Template string `json:"template"`
	MaxNew   int    `json:"max_new_tokens"`
	Limit    int    `json:"limit"`
	KVPress  struct {
		Context  string `json:"context"`
		Question string `json:"question"`
		Begun    string `json:"answer_prefix"`
		MaxNew   int    `json:"max_new_tokens"`
	} `json:"kvpress"`
	LMEval struct {
		Template string `json:"template"`
	} `json:"lm_eval"`
}) {
	if err := json.Unmarshal(longBenchV2JSON, &t); err != nil {
		panic("datasets: the embedded prompts of LongBench v2: " + err.Error())
	}
	return t
})

// longBenchV2Protocol is a published way to ask LongBench v2's questions.
type longBenchV2Protocol struct {
	name, metric string
	maxNew       func() int
	build        func(r *longBenchV2Row, s *Sample, m Model, limit, newAfter int) error
}

var longBenchV2Protocols = []longBenchV2Protocol{
	{longBenchV2Name, "longbench_v2", func() int { return longBenchV2Texts().MaxNew }, (*longBenchV2Row).original},
	{"kvpress", "longbench_v2_kvpress", func() int { return longBenchV2Texts().KVPress.MaxNew }, (*longBenchV2Row).kvpress},
	{"lm-eval", "exact", func() int { return 1 }, (*longBenchV2Row).lmEval},
}

// longBenchV2Row is a row in the benchmark's schema.
type longBenchV2Row struct {
	id, difficulty, length    string
	question, context, answer string
	choices                   [4]string
}

type longBenchV2Task struct {
	rows              []longBenchV2Row
	protocol          longBenchV2Protocol
	metric            string
	maxNew, maxLength int
}

func openLongBenchV2(name string, o Options) (Task, error) {
	own := o.Own.(*LongBenchV2Options)
	t := &longBenchV2Task{maxNew: o.MaxNew, maxLength: own.MaxLength}
	var names []string
	for _, p := range longBenchV2Protocols {
		if names = append(names, p.name); p.name == own.Protocol {
			t.protocol = p
		}
	}
	if t.protocol.name == "" {
		return nil, &OptionError{fmt.Errorf("task %s: %w", name, lookup.Unknown("protocol", own.Protocol, names...))}
	}
	t.metric = cmp.Or(o.Metric, t.protocol.metric)
	if _, err := metrics.Open(t.metric); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	if own.Data == "" {
		return nil, longBenchV2Copy.missing(longBenchV2Name, name)
	}
	var err error
	if t.rows, err = readLongBenchV2(own.Data); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	t.rows = t.rows[:limited(len(t.rows), o.Limit)]
	return t, nil
}

var longBenchV2Fields = []string{"_id", "difficulty", "length", "question", "choice_A", "choice_B", "choice_C", "choice_D", "answer", "context"}

func readLongBenchV2(data string) ([]longBenchV2Row, error) {
	files, err := findCopies(data, "data", "data/*", longBenchV2Name)
	if err != nil {
		return nil, err
	}
	var seen ids
	return readCopies(files, longBenchV2Fields, func(n int, fields map[string]json.RawMessage) (row longBenchV2Row, err error) {
		into := []*string{&row.id, &row.difficulty, &row.length, &row.question, &row.choices[0], &row.choices[1], &row.choices[2], &row.choices[3], &row.answer, &row.context}
		for i, name := range longBenchV2Fields {
			if *into[i], err = stringField(fields, name); err != nil {
				return row, err
			}
		}
		for _, c := range []struct {
			field, value string
			have         []string
		}{
			{"difficulty", row.difficulty, metrics.LongBenchV2Columns[1:3]}, {"length", row.length, metrics.LongBenchV2Columns[3:]},
			{"answer", row.answer, []string{"A", "B", "C", "D"}},
		} {
			if !slices.Contains(c.have, c.value) {
				return row, fmt.Errorf("field %q is %q, want one of %s", c.field, c.value, strings.Join(c.have, ", "))
			}
		}
		if row.id == "" || strings.TrimSpace(row.context) == "" {
			return row, fmt.Errorf("fields \"_id\" (%q) and \"context\" (%d bytes): want some of each", row.id, len(row.context))
		}
		return row, seen.add(row.id, n)
	})
}

func (t *longBenchV2Task) Name() string   { return longBenchV2Name }
func (t *longBenchV2Task) Version() int   { return longBenchV2Version }
func (t *longBenchV2Task) Len() int       { return len(t.rows) }
func (t *longBenchV2Task) Size(i int) int { return 1 + len(t.rows[i].context)/bytesPerToken }

// ID says the row's classes, too, so that tables can be made of a run's rows alone.
func (t *longBenchV2Task) ID(i int) string {
	r := &t.rows[i]
	return strings.Join([]string{r.difficulty, r.length, r.id}, "/")
}

func (t *longBenchV2Task) Digest() string {
	return digestOf(func(yield func(string) bool) {
		for i, r := range t.rows {
			if !yield(t.ID(i)) || !yield(r.context) || !yield(fmt.Sprintf("%q %q %s", r.question, r.choices, r.answer)) {
				return
			}
		}
	})
}

// MaxNew is the most new tokens of an answer.
func (t *longBenchV2Task) MaxNew(int) int { return capped(t.protocol.maxNew(), t.maxNew) }

func (t *longBenchV2Task) Sample(i int, m Model) Sample {
	row := &t.rows[i]
	maxNew := t.protocol.maxNew()
	s := Sample{
		Task: longBenchV2Name, TaskVersion: longBenchV2Version, ID: t.ID(i), Protocol: t.protocol.name, Answers: []string{row.answer},
		Metric: t.metric, MaxNew: t.MaxNew(i), End: EndGeneration,
	}
	err := errNoTokenizer
	if m.Tokenizer != nil {
		if err = t.protocol.build(row, &s, m, t.maxLength, maxNew); err == nil {
			err = s.finish(m)
		}
	}
	if err != nil {
		s.fail(err)
	}
	return s
}

// fill replaces the places of a template one after the other over the whole text, as the original does: a document
// that holds a later place has it replaced, too.
func (r *longBenchV2Row) fill(template string, of func(field, text string) string) string {
	for i, place := range []string{"$DOC$", "$Q$", "$C_A$", "$C_B$", "$C_C$", "$C_D$"} {
		text := append([]string{r.context, r.question}, r.choices[:]...)[i]
		template = strings.ReplaceAll(template, place, of(place, text))
	}
	return template
}

// original builds the prompts of the benchmark's own program: the middle of a long one is cut out before it becomes
// one message of a user. Where the model's context is shorter than the program's limit, that of the context holds.
func (r *longBenchV2Row) original(s *Sample, m Model, limit, newAfter int) error {
	t := longBenchV2Texts()
	text := r.fill(t.Template, func(_, text string) string { return strip(text) })
	ids, err := m.Tokenizer.Encode(text, true)
	if err != nil {
		return err
	}
	chat, free := wrap{own: true}, 0
	if limit == 0 {
		if limit = t.Limit; m.ContextLength > 0 {
			room, all, err := chat.room(m, newAfter)
			if err != nil {
				return err
			}
			if room < limit {
				limit, free = room, all
				s.note("cut to the model's context, where the original allows %d tokens", t.Limit)
			}
		}
	}
	finish := func(text string) error {
		if s.Prompt, err = chat.apply(m, text); err != nil {
			return err
		}
		s.IDs, err = m.encode(s.Prompt)
		return err
	}
	if len(ids) <= limit {
		return finish(text)
	}
	return cutMiddle(s, limit, free, finish, func(limit int) string {
		return m.Tokenizer.Decode(withoutMiddle(ids, limit), true)
	})
}

// withoutMiddle keeps limit ids: the first half, rounded down, and the last, rounded up.
func withoutMiddle(ids []int32, limit int) []int32 {
	if len(ids) <= limit {
		return ids
	}
	return slices.Concat(ids[:limit/2], ids[len(ids)-(limit-limit/2):])
}

// kvpress builds kvpress's: the context alone is compressed, and cut at its end; no field is stripped.
func (r *longBenchV2Row) kvpress(s *Sample, m Model, limit, newAfter int) error {
	t := longBenchV2Texts().KVPress
	question := strings.NewReplacer("{question}", r.question, "{A}", r.choices[0], "{B}", r.choices[1], "{C}", r.choices[2], "{D}", r.choices[3]).Replace(t.Question)
	return apart(s, m, strings.Replace(t.Context, "{context}", r.context, 1), question, t.Begun, limit, newAfter)
}

// lmEval builds lm-eval's, without a chat template; of a long one the beginning is dropped.
func (r *longBenchV2Row) lmEval(s *Sample, m Model, limit, _ int) (err error) {
	s.Prompt = strings.NewReplacer("$DOC$", r.context, "$Q$", strip(r.question), "$C_A$", r.choices[0], "$C_B$", r.choices[1],
		"$C_C$", r.choices[2], "$C_D$", r.choices[3]).Replace(longBenchV2Texts().LMEval.Template)
	if s.IDs, err = m.encode(s.Prompt); err != nil {
		return err
	}
	if limit == 0 {
		if limit = math.MaxInt; m.ContextLength > 0 {
			limit = m.ContextLength - 1
		}
	}
	if n := len(s.IDs) - limit; n > 0 {
		s.Truncated, s.IDs = true, s.IDs[n:]
		s.Prompt = m.Tokenizer.Decode(s.IDs, false)
	}
	return s.amongLetters(m)
}

// amongLetters has the answer be the likeliest of " A" to " D", which is what comparing their likelihoods comes to where
// each is one token.
func (s *Sample) amongLetters(m Model) error {
	const before = "Answer:"
	begun, err := m.Tokenizer.Encode(before, false)
	if err != nil {
		return err
	}
	for _, letter := range []string{" A", " B", " C", " D"} {
		ids, err := m.Tokenizer.Encode(before+letter, false)
		if err != nil {
			return err
		}
		if len(ids) != len(begun)+1 {
			return fmt.Errorf("the vocabulary has no one token for %q behind %q, and only single tokens are compared", letter, before)
		}
		s.Among = append(s.Among, ids[len(begun)])
	}
	return nil
}
