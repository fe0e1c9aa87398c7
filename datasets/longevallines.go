package datasets

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// linesVersion is the version of LongEval's lines.
//
// Changes: 1, the first.
const linesVersion = 1

func init() {
	Register(Definition{
		Family: "longeval", Help: "find the number in a line by the line's name: LongEval's lines, as the SnapKV paper used them", Names: []string{"longeval.lines"},
		Groups: map[string][]string{"longeval": {"longeval.lines"}},
		Origin: &Origin{Source: "DachengLi1/LongChat", Licence: "Apache-2.0", Inside: "prompt, lines made here, scorer"},
		Own:    func() any { return &LinesOptions{MadeOptions{Seed: 42}} },
		Open:   openLines,
	})
}

// LinesOptions say which records of lines to make.
type LinesOptions struct {
	MadeOptions
}

//go:embed lines/prompts.json
var linesJSON []byte

var linesTexts = sync.OnceValue(func() (t struct{ Header, Line, Footer string }) {
	if err := json.Unmarshal(linesJSON, &t); err != nil {
		panic("datasets: the embedded prompts of LongEval: " + err.Error())
	}
	return t
})

// registerLine is one line of a record.
type registerLine struct{ name, number string }

func openLines(name string, o Options) (Task, error) {
	own := o.Own.(*LinesOptions)
	t := &madeTask{name: name, seed: own.Seed, grid: own.cells(), recipe: recipe{
		version: linesVersion, texts: string(linesJSON) + strings.Join(slices.Concat(firstWords, secondWords), " "), perUnit: 20, least: 1,
		make: func(rng *random, _ cell, size int) (made, error) {
			list := make([]registerLine, size)
			for i := range list {
				list[i] = registerLine{rng.words(2)(), strconv.Itoa(1 + rng.intn(50_000))}
			}
			asked := rng.intn(size)
			// Names may repeat, but never the one that is asked for.
			for i, l := range list {
				for i != asked && l.name == list[asked].name {
					l.name = rng.words(2)()
				}
				list[i] = l
			}
			return linesPrompt(list, asked), nil
		},
	}}
	return openMade(t, cells{unit: "lines", sizes: []int{200, 300, 400, 500, 600, 680}, trials: 50}, o, "longeval_lines")
}

// linesPrompt is LongChat's (DachengLi1/LongChat), whose present generator has no space at the end.
func linesPrompt(list []registerLine, asked int) made {
	t := linesTexts()
	var b strings.Builder
	p := made{answers: []string{list[asked].number}, maxNew: 100}
	for i, l := range list {
		from := b.Len()
		b.WriteString(strings.NewReplacer("{index}", l.name, "{number}", l.number).Replace(t.Line))
		if i == asked {
			value := strings.LastIndex(b.String(), l.number)
			p.marks = []Mark{{"needle", from, b.Len() - 1}, {"value", value, value + len(l.number)}}
		}
	}
	p.context = b.String()
	p.question = strings.TrimSpace(strings.ReplaceAll(t.Footer, "{index}", list[asked].name))
	p.messages = []Message{{Role: "user", Content: t.Header + contextMark + strings.ReplaceAll(t.Footer, "{index}", list[asked].name)}}
	return p
}
