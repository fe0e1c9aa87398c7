package datasets

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/datasets/infinitebench"
	"github.com/snapbench/snapbench/inputs/lookup"
)

// infinitebenchVersion is the version of ∞Bench's prompts and rules.
//
// Changes: 1, the first.
const infinitebenchVersion = 1

func init() {
	var names []string
	for _, task := range infinitebench.Tasks() {
		names = append(names, "infinitebench."+task)
	}
	Register(Definition{
		Family: "infinitebench", Help: "∞Bench's six tasks that need no one's texts: keys in noise, pairs, numbers, sums, functions", Names: names,
		Groups: map[string][]string{"infinitebench": names},
		Origin: &Origin{
			Source: "OpenBMB/InfiniteBench, arXiv 2402.13718", Licence: "MIT; lm-eval's texts MIT, kvpress's Apache-2.0",
			Inside: "prompts, rows made here as its builders make them, scorers",
		},
		Own: func() any {
			return &InfiniteBenchOptions{PlacedOptions: PlacedOptions{MadeOptions: MadeOptions{Seed: 42}}, Protocol: "gpt4"}
		},
		Open: openInfiniteBench,
	})
}

// InfiniteBenchOptions say which rows to make.
type InfiniteBenchOptions struct {
	PlacedOptions
	// Protocol is the model whose prompt is used, or the program.
	Protocol string `option:"protocol" kind:"text" help:"whose prompt: gpt4, yarn-mistral, claude2, kimi, lm-eval, kvpress"`
}

// infinitebenchTask is what differs between the tasks.
type infinitebenchTask struct {
	metric    string
	published cells
	perUnit   int // about how many tokens a piece has
	least     int // fewest pieces
	row       func(rng *random, c cell, size int) (infinitebench.Row, []Mark, error)
}

// infinitebenchTasks are the tasks by name; their grids are those of the published rows.
var infinitebenchTasks = map[string]infinitebenchTask{
	"passkey": {
		metric: "infinitebench_passkey", perUnit: 24, least: 1,
		published: cells{unit: "noise", sizes: []int{5220}, depths: evenly(59, 5220.0/90), trials: 10},
		row: func(rng *random, c cell, size int) (infinitebench.Row, []Mark, error) {
			before := c.among(size + 1)
			return hiddenRow("passkey", infinitebench.PassKey(rng.intn), before, size-before)
		},
	},
	"number_string": {
		metric: "infinitebench_passkey", perUnit: 24, least: 1,
		published: cells{unit: "noise", sizes: []int{5220}, depths: evenly(59, 5220.0/90), trials: 10},
		row: func(rng *random, c cell, size int) (infinitebench.Row, []Mark, error) {
			before := c.among(size + 1)
			return hiddenRow("number_string", infinitebench.NumberString(rng.intn), before, size-before)
		},
	},
	"kv_retrieval": {
		metric: "infinitebench_kv", perUnit: 50, least: 1,
		published: cells{unit: "pairs", sizes: []int{2500}, depths: evenly(500, 500), trials: 1},
		row: func(rng *random, c cell, size int) (infinitebench.Row, []Mark, error) {
			row := infinitebench.KV(rng.pairs(size), c.among(size))
			return row, marksOf(row), nil
		},
	},
	"math_find": {
		metric: "infinitebench_find", perUnit: 2, least: 100, // enough for three different numbers, in all but one of 10^90 lists
		published: cells{unit: "numbers", sizes: []int{60_000}, trials: 350},
		row: func(rng *random, c cell, size int) (infinitebench.Row, []Mark, error) {
			question := c.trial % infinitebench.Questions
			row, err := infinitebench.Find(question, infinitebench.Numbers(question, size, rng.intn))
			return row, nil, err
		},
	},
	"math_calc": {
		metric: "infinitebench_calc", perUnit: 3, least: 2,
		published: cells{unit: "terms", sizes: []int{30_000}, trials: 50},
		row: func(rng *random, c cell, size int) (infinitebench.Row, []Mark, error) {
			return infinitebench.Calc(infinitebench.Terms(size, rng.intn)), nil, nil
		},
	},
	"code_run": {
		metric: "infinitebench_run", perUnit: 24, least: 10,
		published: cells{unit: "functions", sizes: []int{550}, trials: 400},
		row: func(rng *random, c cell, size int) (infinitebench.Row, []Mark, error) {
			list, call, x := infinitebench.Functions(size, 2*(c.trial%5)+2, rng.intn)
			row, chain, err := infinitebench.Run(list, call, x)
			var marks []Mark
			for _, at := range chain {
				marks = append(marks, Mark{"needle", at.From, at.To})
			}
			return row, marks, err
		},
	},
}

// evenly are the depths of the first n of so many equal parts.
func evenly(n int, parts float64) []float64 {
	list := make([]float64, n)
	for i := range list {
		list[i] = 100 * float64(i) / parts
	}
	return list
}

func hiddenRow(task, key string, before, after int) (infinitebench.Row, []Mark, error) {
	row := infinitebench.Hidden(task, key, before, after)
	return row, marksOf(row), nil
}

func marksOf(row infinitebench.Row) []Mark {
	return []Mark{{"needle", row.Needle.From, row.Needle.To}, {"value", row.Value.From, row.Value.To}}
}

// pairs draws n pairs of UUIDs.
func (r *random) pairs(n int) [][2]string {
	list := make([][2]string, n)
	for i := range list {
		list[i] = [2]string{r.uuid(), r.uuid()}
	}
	return list
}

func openInfiniteBench(name string, o Options) (Task, error) {
	own := o.Own.(*InfiniteBenchOptions)
	_, task, _ := strings.Cut(name, ".")
	def := infinitebenchTasks[task]
	protocol := cmp.Or(own.Protocol, "gpt4")
	if protocols := append(infinitebench.Templates(), "lm-eval", "kvpress"); !slices.Contains(protocols, protocol) {
		return nil, &OptionError{fmt.Errorf("task %s: %w", name, lookup.Unknown("protocol", protocol, protocols...))}
	}
	metric := def.metric
	if metric == "infinitebench_find" && protocol == "lm-eval" {
		metric = "infinitebench_find_lm_eval"
	}
	t := &madeTask{
		name: name, protocol: protocol, seed: own.Seed, grid: own.cells(),
		recipe: recipe{
			version: infinitebenchVersion, texts: infinitebench.Digest(), perUnit: def.perUnit, least: def.least,
			make: func(rng *random, c cell, size int) (made, error) {
				row, marks, err := def.row(rng, c, size)
				if err != nil {
					return made{}, err
				}
				return ask(row, protocol, marks)
			},
		},
	}
	return openMade(t, def.published, o, metric)
}

// ask puts a row into a protocol's prompt. The benchmark's numbers of new tokens are those of models that go on with the prompt's text;
// a chat model says a sentence first, and the original did not limit it.
func ask(row infinitebench.Row, protocol string, marks []Mark) (made, error) {
	p := made{context: row.Context, answers: []string{row.Answer}, marks: marks, question: row.Input}
	if row.Task == "code_run" {
		p.question = row.Call
	}
	tokens, more := infinitebench.MaxNew(row.Task)
	if row.Task == "math_calc" { // a value and its comma take two tokens to four
		tokens = min(tokens, 4*(strings.Count(row.Answer, ",")+1)+32)
	}
	if p.maxNew = tokens; row.Task != "math_calc" && (protocol == "gpt4" || protocol == "claude2" || protocol == "kimi") {
		p.maxNew, p.spare = 0, 32
	}
	switch protocol {
	case "kvpress":
		context, question, begun := row.Apart(contextMark)
		p.messages, p.apart, p.begun, p.maxNew = []Message{{Role: "user", Content: context}}, question, begun, tokens+more
	case "lm-eval":
		p.messages, p.stops = []Message{{Role: "user", Content: row.Message(contextMark)}}, []string{"\n"}
	default:
		system, message, err := row.Prompt(protocol, contextMark)
		if err != nil {
			return p, err
		}
		if system != "" {
			p.messages = []Message{{Role: "system", Content: system}}
		}
		p.messages, p.raw = append(p.messages, Message{Role: "user", Content: message}), protocol == "yarn-mistral"
	}
	return p, nil
}
