package datasets

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed longbench/prompts.json
var longbenchJSON []byte

// longbenchTexts are LongBench's prompts and numbers, by set.
type longbenchTexts struct {
	Templates      map[string]string `json:"templates"`
	MaxNewTokens   map[string]int    `json:"max_new_tokens"`
	NoChatTemplate []string          `json:"no_chat_template"`
	E              []string          `json:"longbench_e"`
	MaxLength      map[string]int    `json:"max_length"` // by the benchmark's names for models
	KVPress        struct {
		Context        map[string]string `json:"context"`
		Question       map[string]string `json:"question"`
		AnswerPrefix   map[string]string `json:"answer_prefix"`
		StripFromInput map[string]string `json:"strip_from_input"`
		ExtraNewTokens int               `json:"extra_new_tokens"`
	} `json:"kvpress"`
}

// texts are the embedded prompts.
var texts = sync.OnceValue(func() *longbenchTexts {
	var t longbenchTexts
	if err := json.Unmarshal(longbenchJSON, &t); err != nil {
		panic("datasets: the embedded prompts of LongBench: " + err.Error())
	}
	return &t
})

// Protocol is a published way to ask LongBench's questions: how a row becomes
// a prompt, where it is cut, and when the answer ends. Scores of different
// protocols are not comparable.
type Protocol struct {
	Name  string
	About string // one line for lists
	// Policy and Budgets are what the protocol's authors ran, in the spelling of
	// variants; empty where they ran none.
	Policy  string
	Budgets []string

	minNew   func(set string) int
	extraNew int
	end      End
	newline  func(set string) bool // a newline token ends the answer
	build    func(s *Sample, r prompting) error
}

// protocols in the order of documentation.
var protocols = []Protocol{
	{
		Name:    "longbench",
		About:   "as the benchmark's own program: middle cut out, chat template after it, none on six sets",
		minNew:  onSamsum,
		end:     EndOfText,
		newline: isSamsum,
		build:   buildMiddle(longbenchTemplate, nil, longbenchLimit, false),
	},
	{
		Name:    "snapkv-repo",
		About:   "as FasterDecoding/SnapKV: the same, at least one new token, Mistral and Mixtral without template",
		Policy:  "snapkv(w=32,k=7,pool=max,gqa=query_head)",
		Budgets: []string{"full", "1024", "2048", "4096"},
		minNew:  onAll,
		end:     EndOfText,
		newline: isSamsum,
		build:   buildMiddle(snapkvTemplate, nil, longbenchLimit, false),
	},
	{
		Name:     "kvpress",
		About:    "as NVIDIA/kvpress: the context alone is compressed, the question read through the compressed cache",
		Policy:   "snapkv(w=64,k=5,pool=avg,gqa=kvpress)",
		Budgets:  []string{"full", "75%", "50%", "25%", "12.5%"},
		minNew:   func(string) int { return 0 },
		extraNew: texts().KVPress.ExtraNewTokens,
		end:      EndGeneration,
		newline:  func(string) bool { return false },
		build:    buildApart,
	},
	{
		Name:    "factory",
		About:   "as Zefan-Cai/KVCache-Factory: Llama-2's template before the cut, Llama-3's after it, others none",
		Policy:  "snapkv(w=8,k=7,pool=max,gqa=query_head)",
		Budgets: []string{"full", "128", "2048"},
		minNew:  onAll,
		end:     EndOfTextOrTurn,
		newline: isSamsum,
		build:   buildMiddle(factoryAfter, factoryBefore, factoryLimit, true),
	},
}

func isSamsum(set string) bool { return set == "samsum" }

func onSamsum(set string) int {
	if isSamsum(set) {
		return 1
	}
	return 0
}

func onAll(string) int { return 1 }

// ProtocolNames lists the protocols.
func ProtocolNames() []string {
	names := make([]string, len(protocols))
	for i, p := range protocols {
		names[i] = p.Name
	}
	return names
}

// OpenProtocol returns the protocol of that name.
func OpenProtocol(name string) (Protocol, error) {
	for _, p := range protocols {
		if p.Name == name {
			return p, nil
		}
	}
	return Protocol{}, fmt.Errorf("unknown protocol %q: have %s", name, strings.Join(ProtocolNames(), ", "))
}

// prompting is what a protocol makes a prompt from.
type prompting struct {
	model    Model
	set      string // without the _e of LongBench-E
	context  string
	input    string
	limit    int // tokens, 0: the protocol's own number
	newAfter int // new tokens that must fit behind the prompt
}

// fillIn replaces {context} and {input} in a template and interprets nothing
// else, in the template or in what it puts in.
func (r prompting) fillIn(template string) string {
	return strings.NewReplacer("{context}", r.context, "{input}", r.input).Replace(template)
}

// wrap is a chat template: the model's own, a fixed form, or none.
type wrap struct {
	form string // with {prompt}; empty: none
	own  bool   // the model's own template, where the original has none
}

// vicunaForm is FastChat's vicuna_v1.1.
const vicunaForm = "A chat between a curious user and an artificial intelligence assistant. " +
	"The assistant gives helpful, detailed, and polite answers to the user's questions. USER: {prompt} ASSISTANT:"

const llama3Form = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{prompt}<|eot_id|>" +
	"<|start_header_id|>assistant<|end_header_id|>\n\n"

func longbenchTemplate(f family, set string) wrap {
	switch {
	case slices.Contains(texts().NoChatTemplate, set):
		return wrap{}
	case f == llama2Chat:
		return wrap{form: "[INST]{prompt}[/INST]"}
	case f == vicuna || f == longchat:
		return wrap{form: vicunaForm}
	}
	return wrap{own: true}
}

func snapkvTemplate(f family, set string) wrap {
	w := longbenchTemplate(f, set)
	switch {
	case f == mistral || f == mixtral:
		return wrap{}
	case f == lwm && w.own:
		return wrap{form: "[INST]{prompt}[/INST]"}
	}
	return w
}

func factoryBefore(f family, _ string) wrap {
	if f == llama2Chat {
		return wrap{form: "[INST] {prompt} [/INST]"}
	}
	return wrap{}
}

func factoryAfter(f family, set string) wrap {
	if f == llama3Instruct && !slices.Contains(texts().NoChatTemplate, set) {
		return wrap{form: llama3Form}
	}
	return wrap{}
}

// apply puts a template around text.
func (w wrap) apply(m Model, text string) (string, error) {
	switch {
	case w.form != "":
		return strings.Replace(w.form, "{prompt}", text, 1), nil
	case w.own && m.Chat != nil:
		// A template sees the text's ends only, perhaps to trim them: rendering
		// it around a mark instead would keep white space that it drops.
		return m.user(text, nil)
	}
	return text, nil
}

// longbenchLimit is the benchmark's own limit for a model, 0 if it names none.
func longbenchLimit(m Model) int {
	name := plain(modelName(m.Name))
	found, limit := 0, 0
	for key, n := range texts().MaxLength {
		for _, alias := range append(modelAliases[key], key) {
			if alias = plain(alias); strings.HasPrefix(name, alias) && len(alias) > found {
				found, limit = len(alias), n
			}
		}
	}
	return limit
}

func factoryLimit(m Model) int {
	switch modelFamily(m.Name) {
	case llama2Chat, llama2:
		return 3950
	case llama3, llama3Instruct:
		return 7500
	case mistral:
		return 31500
	}
	return 0
}

// modelAliases are the names on the hub of the models in LongBench's table
// where they differ from its own.
var modelAliases = map[string][]string{
	"llama2-7b-chat-4k":    {"Llama-2-7b-chat"},
	"longchat-v1.5-7b-32k": {"longchat-7b-v1.5-32k"},
	"internlm-7b-8k":       {"internlm-chat-7b-8k"},
	"vicuna-v1.5-7b-16k":   {"vicuna-7b-v1.5-16k"},
}

// family is what the protocols tell models apart by.
type family int

const (
	otherFamily family = iota
	llama2
	llama2Chat
	llama3
	llama3Instruct
	mistral
	mixtral
	vicuna
	longchat
	lwm
)

// modelFamily reads a model's family off its name, as the originals do.
func modelFamily(name string) family {
	name = plain(modelName(name))
	has := func(part string) bool { return strings.Contains(name, part) }
	switch {
	case has("longchat"):
		return longchat
	case has("vicuna"):
		return vicuna
	case has("lwm"):
		return lwm
	case has("mixtral"):
		return mixtral
	case has("mistral"):
		return mistral
	case has("llama2") && has("chat"):
		return llama2Chat
	case has("llama2"):
		return llama2
	case has("llama3") && has("instruct"):
		return llama3Instruct
	case has("llama3"):
		return llama3
	}
	return otherFamily
}

// modelName is the part of a name or path that says which model it is.
func modelName(name string) string {
	name = strings.TrimRight(strings.ReplaceAll(name, "\\", "/"), "/")
	for _, part := range strings.Split(name, "/") { // a folder of the hub's cache
		if rest, ok := strings.CutPrefix(part, "models--"); ok {
			return rest[strings.LastIndex(rest, "--")+len("--"):]
		}
	}
	name, _, _ = strings.Cut(path.Base(name), "@") // @revision
	return name
}

// plain is a name in lower case without punctuation.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

// buildMiddle makes the prompts of LongBench and its followers: fill in the
// template, cut tokens out of the middle, put the chat template around.
func buildMiddle(after, before func(family, string) wrap, limitOf func(Model) int, onceBOS bool) func(*Sample, prompting) error {
	return func(s *Sample, r prompting) error {
		m := r.model
		encode := func(text string) ([]int32, error) {
			if onceBOS {
				return m.encode(text)
			}
			return m.Tokenizer.Encode(text, true)
		}
		f := modelFamily(m.Name)
		text := r.fillIn(texts().Templates[r.set])
		var err error
		if before != nil {
			if text, err = before(f, r.set).apply(m, text); err != nil {
				return err
			}
		}
		ids, err := encode(text)
		if err != nil {
			return err
		}
		chat := after(f, r.set)
		if chat.own && m.Chat != nil {
			s.note("chat template: the model's own, where the original has none for it")
		}
		finish := func(text string) error {
			if s.Prompt, err = chat.apply(m, text); err != nil {
				return err
			}
			s.IDs, err = encode(s.Prompt)
			return err
		}
		limit, free := cmp.Or(r.limit, limitOf(m)), 0
		if limit == 0 && m.ContextLength > 0 {
			free = m.ContextLength - r.newAfter // and the chat template must fit as well
			bare, err := chat.apply(m, "")
			if err != nil {
				return err
			}
			empty, err := m.Tokenizer.Encode(bare, false)
			if err != nil {
				return err
			}
			if limit = free - len(empty); limit < 2 {
				return fmt.Errorf("the model's context of %d tokens has no room for a prompt beside %d new tokens", m.ContextLength, r.newAfter)
			}
		}
		if limit == 0 || len(ids) <= limit {
			return finish(text)
		}
		// Joined halves tokenised again may have a few more tokens than the
		// limit. The originals' limits leave room for that; one that is the
		// context's own must be kept to.
		s.Truncated = true
		for range 8 {
			half := limit / 2
			if err := finish(m.Tokenizer.Decode(ids[:half], true) + m.Tokenizer.Decode(ids[len(ids)-half:], true)); err != nil {
				return err
			}
			over := len(s.IDs) - free
			if free == 0 || over <= 0 {
				return nil
			}
			if limit -= over + over%2; limit < 2 {
				break
			}
		}
		return fmt.Errorf("the prompt can't be cut to the %d tokens that the model's context of %d leaves", free, m.ContextLength)
	}
}

// buildApart makes kvpress's prompts: the context in IDs, cut at its end; the
// question and the answer's beginning in Question.
func buildApart(s *Sample, r prompting) error {
	m := r.model
	t := &texts().KVPress
	// Exactly a suffix, as the original: where a space follows it, it stays.
	r.input = strings.TrimSuffix(r.input, t.StripFromInput[r.set])
	context := r.fillIn(t.Context[r.set])
	question := r.fillIn(t.Question[r.set])
	if m.Chat != nil {
		text, err := m.user(contextMark, map[string]any{"enable_thinking": false})
		if err != nil {
			return err
		}
		head, tail, err := cutMark(text)
		if err != nil {
			return err
		}
		context, question = head+context, question+tail
	} else {
		if bos, ok := m.Tokenizer.BOS(); ok {
			text, ok := m.Tokenizer.Token(bos)
			if !ok {
				return fmt.Errorf("the vocabulary has no spelling for BOS, token %d", bos)
			}
			context = text + context
		}
		question += "\n"
	}
	question += t.AnswerPrefix[r.set]
	var err error
	if s.IDs, err = m.Tokenizer.Encode(context, false); err != nil {
		return err
	}
	if s.Question, err = m.Tokenizer.Encode(question, false); err != nil {
		return err
	}
	limit := cmp.Or(r.limit, longbenchLimit(m))
	if limit == 0 {
		if limit = math.MaxInt; m.ContextLength > 0 {
			limit = m.ContextLength - r.newAfter - len(s.Question)
		}
		if limit < 1 {
			return fmt.Errorf("the model's context of %d tokens has no room for a context beside a question of %d and %d new tokens",
				m.ContextLength, len(s.Question), r.newAfter)
		}
	}
	if len(s.IDs) > limit {
		s.Truncated = true
		s.IDs = s.IDs[:limit:limit]
		context = m.Tokenizer.Decode(s.IDs, false)
	}
	s.Prompt = context + question
	return nil
}
