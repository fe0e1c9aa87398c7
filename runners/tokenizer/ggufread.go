package tokenizer

import (
	"fmt"
	"math"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// GGUFVocabulary is the tokenizer in a GGUF file's metadata. The comments name the keys without their prefix
// tokenizer.ggml. [ReadGGUF] fills it.
type GGUFVocabulary struct {
	Model  string    // model: gpt2 (byte-level pairs) or llama (SentencePiece's pairs, by score)
	Pre    string    // pre: how gpt2 splits text; llama does not use it
	Tokens []string  // tokens, by id
	Types  []int32   // token_type, by id: see the Type constants; if empty, all are normal
	Merges []string  // merges, "left right" in order; gpt2
	Scores []float32 // scores, by id: higher is merged first; llama

	// Ids of special tokens, nil if the file does not name them.
	BOS, EOS, EOT, UNK *int32
	// Whether Encode adds BOS and EOS and, for llama, puts a space in front. nil means the default of the model and pre.
	AddBOS, AddEOS, AddSpacePrefix *bool

	ChatTemplate string // tokenizer.chat_template
}

// The types of tokens in GGUF files.
const (
	TypeNormal      = 1
	TypeUnknown     = 2
	TypeControl     = 3
	TypeUserDefined = 4
	TypeUnused      = 5
	TypeByte        = 6
)

// GGUFMetadata gives [ReadGGUF] access to a GGUF file's key-value pairs. The getters return an error for an absent key or
// another type.
type GGUFMetadata interface {
	Has(key string) bool
	String(key string) (string, error)
	Bool(key string) (bool, error)
	Int(key string) (int64, error)
	Strings(key string) ([]string, error)
	Floats(key string) ([]float32, error)
	Ints(key string) ([]int64, error)
}

// ReadGGUF collects the vocabulary from a GGUF file's metadata.
func ReadGGUF(m GGUFMetadata) (GGUFVocabulary, error) {
	const prefix = "tokenizer.ggml."
	var v GGUFVocabulary
	var failed error
	note := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	text := func(into *string, key string) {
		if m.Has(key) {
			s, err := m.String(key)
			note(err)
			*into = s
		}
	}
	id := func(into **int32, key string) {
		if !m.Has(prefix + key) {
			return
		}
		n, err := m.Int(prefix + key)
		note(err)
		if err == nil && (n < 0 || n > math.MaxInt32) {
			note(fmt.Errorf("%s%s is %d: not a token id", prefix, key, n))
		}
		i := int32(n)
		*into = &i
	}
	flag := func(into **bool, key string) {
		if m.Has(prefix + key) {
			b, err := m.Bool(prefix + key)
			note(err)
			*into = &b
		}
	}
	var err error
	if v.Model, err = m.String(prefix + "model"); err != nil {
		return v, err
	}
	if v.Tokens, err = m.Strings(prefix + "tokens"); err != nil {
		return v, err
	}
	text(&v.Pre, prefix+"pre")
	text(&v.ChatTemplate, "tokenizer.chat_template")
	if m.Has(prefix + "merges") {
		v.Merges, err = m.Strings(prefix + "merges")
		note(err)
	}
	if m.Has(prefix + "scores") {
		v.Scores, err = m.Floats(prefix + "scores")
		note(err)
	}
	if m.Has(prefix + "token_type") {
		types, err := m.Ints(prefix + "token_type")
		note(err)
		for _, t := range types {
			if t < 0 || t > math.MaxInt32 {
				t = 0 // check refuses it later and names the token
			}
			v.Types = append(v.Types, int32(t))
		}
	}
	id(&v.BOS, "bos_token_id")
	id(&v.EOS, "eos_token_id")
	id(&v.EOT, "eot_token_id")
	id(&v.UNK, "unknown_token_id")
	flag(&v.AddBOS, "add_bos_token")
	flag(&v.AddEOS, "add_eos_token")
	flag(&v.AddSpacePrefix, "add_space_prefix")
	return v, failed
}

// ggufPre is the meaning of a value of "pre".
type ggufPre struct {
	steps        func() ([]splitter, error)
	normalizers  []normalizer
	ignoreMerges bool
	addBOS       bool
}

func scanSteps(scans ...func(string) int) func() ([]splitter, error) {
	return func() ([]splitter, error) {
		var steps []splitter
		for _, s := range scans {
			steps = append(steps, scanSplitter(s))
		}
		return steps, nil
	}
}

// exprSteps isolates what each expression matches, one after the other.
func exprSteps(exprs ...string) func() ([]splitter, error) {
	return func() ([]splitter, error) {
		var steps []splitter
		for _, expr := range exprs {
			p, err := compilePattern(expr)
			if err != nil {
				return nil, err
			}
			steps = append(steps, &delimiterSplitter{expr: p, how: isolated})
		}
		return steps, nil
	}
}

// defaultPre makes the steps that llama.cpp uses for files that do not say how text is split.
var defaultPre = exprSteps(
	`[\p{P}\$\+<=>\^~\|]+`,
	`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`,
	`\p{N}+`,
	`[0-9][0-9][0-9]`,
)

// o200kExpr splits text for o200k_base and its relatives (GPT-4o, gpt-oss, Phi-4-mini): as tiktoken
// defines it.
const o200kExpr = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
	`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
	`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// ggufPres are the known values of "pre" for the model gpt2.
var ggufPres = func() map[string]ggufPre {
	gpt2 := ggufPre{steps: scanSteps(scanGPT2)}
	digits := ggufPre{steps: scanSteps(scanDigit, scanGPT2)}
	llama3 := ggufPre{steps: scanSteps(scanners[llama3Expr]), ignoreMerges: true, addBOS: true}
	// Qwen's own tokenizer, with which it was trained, composes characters; llama.cpp does not.
	qwen2 := ggufPre{steps: scanSteps(scanners[qwen2Expr]), normalizers: []normalizer{unicodeForm(norm.NFC)}}
	return map[string]ggufPre{
		"default": {steps: defaultPre}, "": {steps: defaultPre},
		"gpt-2": gpt2, "phi-2": gpt2, "olmo": gpt2,
		"smollm": digits, "starcoder": digits, "refact": digits, "command-r": digits,
		"llama-bpe": llama3, "llama3": llama3, "llama-v3": llama3,
		"qwen2": qwen2, "deepseek-r1-qwen": qwen2,
		"gpt-4o": {steps: exprSteps(o200kExpr)},
	}
}()

// check returns an error if v cannot be a vocabulary.
func (v *GGUFVocabulary) check() error {
	n := len(v.Tokens)
	if n == 0 {
		return fmt.Errorf("no tokens")
	}
	if n > math.MaxInt32/2 {
		return fmt.Errorf("%d tokens: too many", n)
	}
	for i, s := range v.Tokens {
		if !utf8.ValidString(s) {
			return fmt.Errorf("token %d, %.40q, is not valid UTF-8", i, s)
		}
	}
	if len(v.Types) != 0 && len(v.Types) != n {
		return fmt.Errorf("%d token types for %d tokens", len(v.Types), n)
	}
	for i, t := range v.Types {
		if t < TypeNormal || t > TypeByte {
			return fmt.Errorf("token %d, %.40q, has the unknown type %d", i, v.Tokens[i], t)
		}
	}
	for _, r := range []struct {
		name string
		id   *int32
	}{{"bos", v.BOS}, {"eos", v.EOS}, {"eot", v.EOT}, {"unknown", v.UNK}} {
		if r.id != nil && (*r.id < 0 || int(*r.id) >= n) {
			return fmt.Errorf("%s_token_id is %d: out of range for %d tokens", r.name, *r.id, n)
		}
	}
	return nil
}

func (v *GGUFVocabulary) typeOf(id int32) int32 {
	if len(v.Types) == 0 {
		return TypeNormal
	}
	return v.Types[id]
}

// added lists the tokens that are found in a text before it is split. SentencePiece looks for user-defined ones in the text as
// it has normalised it, where spaces are U+2581; files of Gemma 3 write runs of spaces with spaces all the same. Where a space is
// put in front of a text, as in older files, user-defined tokens are found before that.
func (v *GGUFVocabulary) added(vocab map[string]int32) []addedToken {
	var added []addedToken
	for i, s := range v.Tokens {
		id := int32(i)
		typ := v.typeOf(id)
		if len(v.Types) == 0 && (v.BOS != nil && *v.BOS == id || v.EOS != nil && *v.EOS == id || v.EOT != nil && *v.EOT == id) {
			typ = TypeControl
		}
		switch typ {
		case TypeControl, TypeUnknown, TypeUserDefined:
			if s != "" && vocab[s] == id { // if two tokens have the same spelling, the last
				inside := typ == TypeUserDefined && v.Model == "llama" && v.AddSpacePrefix != nil && !*v.AddSpacePrefix
				added = append(added, addedToken{id: id, content: s, special: typ != TypeUserDefined, normalized: inside})
			}
		}
	}
	return added
}
