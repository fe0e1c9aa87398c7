package datasets

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

// jsonkvVersion is the version of the key-value tasks' prompts and rules.
//
// Changes: 1, the first.
const jsonkvVersion = 1

func init() {
	names := []string{"lost-in-the-middle", "lost-in-the-middle.query-first", "helmet.json-kv"}
	Register(Definition{
		Family: "json-kv", Help: "find the value of a key in a JSON object of UUIDs, as lost-in-the-middle and HELMET ask for it", Names: names,
		Groups: map[string][]string{"json-kv": names},
		Origin: &Origin{
			Source: "nelson-liu/lost-in-the-middle, arXiv 2307.03172, and princeton-nlp/HELMET, arXiv 2410.02694", Licence: "MIT",
			Inside: "prompts, pairs made here, scorers",
		},
		Own:  func() any { return &JSONKVOptions{PlacedOptions{MadeOptions: MadeOptions{Seed: 42}}} },
		Open: openJSONKV,
	})
}

// JSONKVOptions say which objects to make.
type JSONKVOptions struct {
	PlacedOptions
}

//go:embed jsonkv/prompts.json
var jsonkvJSON []byte

var jsonkvTexts = sync.OnceValue(func() (t struct {
	Lost struct {
		KV         string `json:"kv"`
		QueryFirst string `json:"kv_query_first"`
	} `json:"lost_in_the_middle"`
	HELMET struct {
		User   string
		System string // the answer's beginning
		Demo   string
		Join   string `json:"demo_join"`
		Shots  int
		MaxNew int `json:"max_new_tokens"`
	}
}) {
	if err := json.Unmarshal(jsonkvJSON, &t); err != nil {
		panic("datasets: the embedded prompts of key-value pairs: " + err.Error())
	}
	return t
})

func openJSONKV(name string, o Options) (Task, error) {
	own := o.Own.(*JSONKVOptions)
	published, metric, least := cells{unit: "pairs", sizes: []int{75, 140, 300}, depths: DepthGrid(5), trials: 20}, "lost_in_the_middle", 1
	if name == "helmet.json-kv" {
		published, metric = cells{unit: "pairs", sizes: []int{50, 105, 220, 440, 900, 1800}, depths: DepthGrid(6), trials: 17}, "helmet_json_kv"
		least += jsonkvTexts().HELMET.Shots
	}
	t := &madeTask{name: name, seed: own.Seed, grid: own.cells(), recipe: recipe{
		version: jsonkvVersion, texts: string(jsonkvJSON), perUnit: 50, least: least,
		make: func(rng *random, c cell, size int) (made, error) {
			pairs, asked := rng.pairs(size), c.among(size)
			if name != "helmet.json-kv" {
				return lostPrompt(pairs, asked, strings.HasSuffix(name, "query-first")), nil
			}
			var demos []int
			for len(demos) < min(jsonkvTexts().HELMET.Shots, size-1) { // two different others
				i := rng.intn(size)
				if i != asked && (len(demos) == 0 || i != demos[0]) {
					demos = append(demos, i)
				}
			}
			return helmetPrompt(pairs, asked, demos), nil
		},
	}}
	return openMade(t, published, o, metric)
}

// jsonObject writes pairs as the benchmarks do, one a line.
func jsonObject(pairs [][2]string, asked int) (text string, marks []Mark) {
	var b strings.Builder
	b.WriteString("{")
	for i, p := range pairs {
		if i > 0 {
			b.WriteString(",\n ")
		}
		from := b.Len()
		b.WriteString(`"` + p[0] + `": "` + p[1] + `"`)
		if to := b.Len(); i == asked {
			marks = []Mark{{"needle", from, to}, {"value", to - 1 - len(p[1]), to - 1}}
		}
	}
	return b.String() + "}", marks
}

// lostPrompt is lost-in-the-middle's (Liu et al., 2023), get_kv_retrieval_prompt.
func lostPrompt(pairs [][2]string, asked int, first bool) made {
	template := jsonkvTexts().Lost.KV
	if first {
		template = jsonkvTexts().Lost.QueryFirst
	}
	key := pairs[asked][0]
	p := made{answers: []string{pairs[asked][1]}, question: `Key: "` + key + `"`, maxNew: 100}
	p.context, p.marks = jsonObject(pairs, asked)
	p.messages = []Message{{Role: "user", Content: strings.NewReplacer("{formatted_kv_records}", contextMark, "{key}", key).Replace(template)}}
	return p
}

// helmetPrompt is HELMET's, load_json_kv: the context before the question about it, other pairs as examples, and no
// chat template.
func helmetPrompt(pairs [][2]string, asked int, demos []int) made {
	t := jsonkvTexts().HELMET
	var shots strings.Builder
	for _, d := range demos {
		shots.WriteString(strings.NewReplacer("{key}", pairs[d][0], "{value}", " "+pairs[d][1]).Replace(t.Demo) + t.Join)
	}
	key := pairs[asked][0]
	p := made{raw: true, begun: "\n" + t.System, answers: []string{pairs[asked][1]}, question: "Key: " + key, maxNew: t.MaxNew}
	p.context, p.marks = jsonObject(pairs, asked)
	p.messages = []Message{{Role: "user", Content: strings.NewReplacer("{context}", "JSON data:\n"+contextMark, "{demos}", shots.String(), "{question}", key).Replace(t.User)}}
	return p
}
