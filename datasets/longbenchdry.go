package datasets

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/snapbench/snapbench/metrics"
)

//go:embed longbench/lengths.json
var longbenchLengthsJSON []byte

// setLengths are the published lengths of a set's rows.
type setLengths struct {
	// Measured says how lengths become tokens: so many real rows, the sum of their lengths, and of the tokens that the
	// tokenizer of Llama 3.1 makes of them.
	Measured struct{ Rows, Length, Tokens int }
	Lengths  []int // of all rows, ascending, in words; of the Chinese sets in characters
}

// longbenchLengths returns the recorded lengths by set.
var longbenchLengths = sync.OnceValue(func() map[string]setLengths {
	var file struct{ Sets map[string]setLengths }
	if err := json.Unmarshal(longbenchLengthsJSON, &file); err != nil {
		panic("datasets: the embedded lengths of LongBench: " + err.Error())
	}
	return file.Sets
})

// tokens returns the lengths of n prompts, in tokens, that are distributed as the set's: prompt i has the quantile
// (i + ½) / n, so that a few have the distribution of all, and as many as there are rows have each row's length.
func (l setLengths) tokens(n int) []int {
	out := make([]int, n)
	for i := range out {
		at := int((float64(i) + 0.5) / float64(n) * float64(len(l.Lengths)))
		out[i] = max(1, int(math.Round(float64(l.Lengths[at])*float64(l.Measured.Tokens)/float64(l.Measured.Length))))
	}
	return out
}

// dryTask is a set of LongBench with made-up text in place of its rows: as many prompts, of the published lengths, with
// the set's new tokens. It says what a run costs, and scores nothing.
type dryTask struct {
	*longbenchTask
	tokens []int // of each context
}

// openDry opens the set that t is of. limit is the number of prompts, 0 for as many as the set has; it has no more, as where its rows
// are read.
func openDry(t *longbenchTask, limit int) (Task, error) {
	lengths, ok := longbenchLengths()[t.name]
	if !ok {
		return nil, fmt.Errorf("task %s: its lengths are not recorded: --dry-text has %s", t.name, strings.Join(dryNames(), ", "))
	}
	d := &dryTask{t, lengths.tokens(limited(len(lengths.Lengths), limit))}
	t.metric = metrics.None
	t.rows = make([]longbenchRow, len(d.tokens))
	for i := range t.rows {
		at := int((float64(i) + 0.5) / float64(len(t.rows)) * float64(len(lengths.Lengths)))
		t.rows[i] = longbenchRow{dataset: t.name, length: lengths.Lengths[at], id: fmt.Sprintf("made-%0*d", len(fmt.Sprint(len(t.rows)-1)), i)}
	}
	return d, nil
}

// dryNames are the sets whose lengths are recorded, in the benchmark's order.
func dryNames() (names []string) {
	for _, name := range LongBenchSets() {
		if _, ok := longbenchLengths()[name]; ok {
			names = append(names, name)
		}
	}
	return names
}

func (t *dryTask) Digest() string {
	return digestOf(func(yield func(string) bool) {
		hay, err := austen()
		if err != nil {
			panic("datasets: the embedded text: " + err.Error())
		}
		_ = yield("made-up text") && yield(fmt.Sprint(t.tokens)) && yield(hay.text)
	})
}

// Size is the context's tokens: the set's template adds some hundred at most.
func (t *dryTask) Size(i int) int { return t.tokens[i] }

// Tokens is about the tokens of prompt i for a model, of which the name and the context suffice.
func (t *dryTask) Tokens(i int, m Model) int { return t.cut(t.tokens[i], m) }

func (t *dryTask) Sample(i int, m Model) Sample {
	row := t.rows[i]
	if m.Tokenizer != nil {
		var err error
		if row.context, err = madeText(m.Tokenizer, i, t.tokens[i]); err != nil {
			s := Sample{Task: t.name, ID: row.id}
			s.fail(err)
			return s
		}
	}
	s := t.sample(&row, m)
	s.note("made-up text of a published length")
	return s
}

// madeText returns prose of so many tokens. Which stretch of the embedded novels it is depends on the number, so that no
// two prompts of a set share a beginning.
func madeText(tokenizer Tokenizer, number, tokens int) (string, error) {
	hay, err := austen()
	if err != nil {
		return "", err
	}
	const stride, perToken = 7919, 3 // sentences apart; the least bytes of a token of prose that are taken to do
	from := number * stride % len(hay.ends)
	for more := 1; ; more *= 2 {
		to := from
		for size := 0; size < more*perToken*tokens+64; to++ {
			size += len(hay.sentence(to))
		}
		ids, err := tokenizer.Encode(hay.sentences(from, to), false)
		if err != nil {
			return "", err
		}
		if len(ids) >= tokens {
			return tokenizer.Decode(slices.Clip(ids[:tokens]), true), nil
		}
		if more > 64 {
			return "", fmt.Errorf("the tokenizer makes %d tokens of %d bytes of prose: %d are wanted", len(ids), len(hay.sentences(from, to)), tokens)
		}
	}
}
