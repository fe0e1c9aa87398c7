package datasets

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// ruler2Version is the version of RULER v2's basic tasks.
//
// Changes: 1, the first.
const ruler2Version = 1

func init() {
	names := []string{"ruler2.mk_niah_basic", "ruler2.mv_niah_basic"}
	Register(Definition{
		Family: "ruler2", Help: "RULER v2's two basic tasks: one value of a key, or all four, among thousands that look alike", Names: names,
		Groups: map[string][]string{"ruler2": names},
		Origin: &Origin{Source: "NVIDIA-NeMo/Skills", Licence: "Apache-2.0", Inside: "prompts, needles made here, scorers of all twelve tasks"},
		Own:    func() any { return &Ruler2Options{MadeOptions: MadeOptions{Seed: 42}} },
		Open:   openRuler2,
	})
}

// Ruler2Options say which haystacks of sentences to make.
type Ruler2Options struct {
	MadeOptions // by default a length of 4096
	// NewTokens is the most new tokens; default twice the answer's and 64. RULER v2 lets models think for 16384.
	NewTokens int `option:"new-tokens" kind:"whole" least:"1" help:"most new tokens, as for a model that thinks: RULER v2 has 16384 (default twice the answer's and 64)" json:",omitempty"`
}

//go:embed ruler2/prompts.json
var ruler2JSON []byte

var ruler2Texts = sync.OnceValue(func() (t struct {
	Single   string `json:"niah_single"`
	Multiple string `json:"niah_multiple"`
	Needle   string
}) {
	if err := json.Unmarshal(ruler2JSON, &t); err != nil {
		panic("datasets: the embedded prompts of RULER v2: " + err.Error())
	}
	return t
})

func openRuler2(name string, o Options) (Task, error) {
	own := *o.Own.(*Ruler2Options)
	values := 1
	if name == "ruler2.mv_niah_basic" {
		values = 4
	}
	t := &madeTask{name: name, seed: own.Seed, grid: own.cells(), recipe: recipe{
		version: ruler2Version, texts: string(ruler2JSON) + strings.Join(slices.Concat(firstWords, secondWords), " "), perUnit: 24, least: 2 * values,
		make: func(rng *random, _ cell, size int) (made, error) {
			lines, query := rng.ruler2Lines(size, values)
			p := ruler2Prompt(lines, query, values)
			p.maxNew, p.spare = own.NewTokens, 64
			return p, nil
		},
	}}
	return openMade(t, cells{unit: "lines", lengths: []int{4096}, trials: 100}, o, "ruler2_all")
}

// ruler2Lines draws so many lines in random order: one key with its values, which is in no other line, and a haystack of as many
// other keys as it takes if each has as many values. As in the original the haystack's last keys lack one where they do not come out even.
func (r *random) ruler2Lines(n, values int) (lines []registerLine, query string) {
	name, number := r.words(2), r.number(10)
	query = name()
	for range values {
		lines = append(lines, registerLine{query, number()})
	}
	keys := make([]string, (n-1)/values)
	for i := range keys {
		for keys[i] = query; keys[i] == query; {
			keys[i] = name()
		}
	}
	for i := range n - values {
		lines = append(lines, registerLine{keys[i%len(keys)], number()})
	}
	for i := range lines {
		k := i + r.intn(n-i)
		lines[i], lines[k] = lines[k], lines[i]
	}
	return lines, query
}

// ruler2Prompt is NeMo-Skills', prepare_niah: one user message whose last words begin the answer.
func ruler2Prompt(lines []registerLine, query string, values int) made {
	t := ruler2Texts()
	template, kind := t.Multiple, "numbers"
	if values == 1 {
		template, kind = t.Single, "number"
	}
	head, rest, _ := strings.Cut(strings.ReplaceAll(t.Needle, "{type_needle_v}", "numbers"), "{key}")
	middle, tail, _ := strings.Cut(rest, "{value}")
	var p made
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		from := b.Len()
		b.WriteString(head + l.name + middle + l.number + tail)
		if l.name == query {
			p.answers = append(p.answers, l.number)
			to := b.Len() - len(tail)
			p.marks = append(p.marks, Mark{"needle", from, b.Len()}, Mark{"value", to - len(l.number), to})
		}
	}
	p.context = b.String()
	content := strings.NewReplacer("{type_needle_v}", kind, "{query}", query, "{context}", contextMark).Replace(template)
	_, question, _ := strings.Cut(content, contextMark+"\n")
	p.question = question
	p.messages = []Message{{Role: "user", Content: content}}
	return p
}
