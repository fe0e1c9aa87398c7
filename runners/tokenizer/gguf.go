package tokenizer

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// GGUFVocabulary is the tokenizer as a GGUF file's metadata has it, keys tokenizer.ggml.* (without this prefix below).
// [ReadGGUF] fills it.
type GGUFVocabulary struct {
	Model  string    // model: gpt2 (byte-level pairs) or llama (SentencePiece's pairs, by score)
	Pre    string    // pre: how text is split for gpt2; unused by llama
	Tokens []string  // tokens, by id
	Types  []int32   // token_type, by id: see the Type constants; empty: all normal
	Merges []string  // merges, "left right" in order; gpt2
	Scores []float32 // scores, by id: higher is merged first; llama

	// Tokens with a role, nil where the file names none.
	BOS, EOS, EOT, UNK *int32
	// What Encode adds and, for llama, whether a space is put in front; nil: what the model and pre usually do.
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

// GGUFMetadata is the access to a GGUF file's key-value pairs that [ReadGGUF] needs. The getters return an error for
// an absent key or another type.
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
				t = 0 // refused with its token's number later
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

// ggufPre is what a value of "pre" stands for.
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

// defaultPre are the expressions of llama.cpp for files that do not say how their text is split.
func defaultPre() ([]splitter, error) {
	var steps []splitter
	for _, expr := range []string{
		`[\p{P}\$\+<=>\^~\|]+`,
		`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)`,
		`\p{N}+`,
		`[0-9][0-9][0-9]`,
	} {
		p, err := compilePattern(expr)
		if err != nil {
			return nil, err
		}
		steps = append(steps, &delimiterSplitter{expr: p, how: isolated})
	}
	return steps, nil
}

// ggufPres are the known values of "pre" for the model gpt2.
var ggufPres = func() map[string]ggufPre {
	gpt2 := ggufPre{steps: scanSteps(scanGPT2)}
	digits := ggufPre{steps: scanSteps(scanDigit, scanGPT2)}
	llama3 := ggufPre{steps: scanSteps(scanners[llama3Expr]), ignoreMerges: true, addBOS: true}
	// llama.cpp does not compose characters for Qwen; the model's own tokenizer, which it was trained with, does.
	qwen2 := ggufPre{steps: scanSteps(scanners[qwen2Expr]), normalizers: []normalizer{unicodeForm(norm.NFC)}}
	return map[string]ggufPre{
		"default": {steps: defaultPre}, "": {steps: defaultPre},
		"gpt-2": gpt2, "phi-2": gpt2, "olmo": gpt2,
		"smollm": digits, "starcoder": digits, "refact": digits, "command-r": digits,
		"llama-bpe": llama3, "llama3": llama3, "llama-v3": llama3,
		"qwen2": qwen2, "deepseek-r1-qwen": qwen2,
	}
}()

// OpenGGUF makes the tokenizer and the chat template, nil where there is none, of a GGUF file.
func OpenGGUF(m GGUFMetadata) (*Native, *ChatTemplate, error) {
	v, err := ReadGGUF(m)
	if err != nil {
		return nil, nil, err
	}
	text, err := FromGGUF(v)
	if err != nil {
		return nil, nil, err
	}
	chat, err := v.Template()
	if err != nil && !errors.Is(err, ErrNoChatTemplate) {
		return nil, nil, err
	}
	return text, chat, nil
}

// FromGGUF makes the tokenizer of a GGUF file. A splitting that is not known by its name is an error: guessing would
// change the ids silently.
func FromGGUF(v GGUFVocabulary) (*Native, error) {
	t, err := fromGGUF(&v)
	if err != nil {
		return nil, fmt.Errorf("tokenizer in GGUF metadata: %w", err)
	}
	return t, nil
}

func fromGGUF(v *GGUFVocabulary) (*Native, error) {
	if err := v.check(); err != nil {
		return nil, err
	}
	vocab := make(map[string]int32, len(v.Tokens))
	for i, s := range v.Tokens {
		vocab[s] = int32(i)
	}
	added := v.added(vocab)
	t := &Native{}
	addBOS := false
	switch v.Model {
	case "gpt2":
		pre, ok := ggufPres[v.Pre]
		if !ok {
			return nil, fmt.Errorf("unknown pre %q: have %s", v.Pre, strings.Join(slices.DeleteFunc(
				slices.Sorted(maps.Keys(ggufPres)), func(s string) bool { return s == "" }), ", "))
		}
		steps, err := pre.steps()
		if err != nil {
			return nil, err
		}
		t.pre = preTokenizer{steps: steps, byteLevel: true}
		t.normalizers = pre.normalizers
		addBOS = pre.addBOS
		merges, err := cutMerges(v.Merges)
		if err != nil {
			return nil, err
		}
		if err := t.model.init(vocab, true, false, nil, false); err != nil {
			return nil, err
		}
		if err := t.model.addMerges(vocab, merges); err != nil {
			return nil, err
		}
		if pre.ignoreMerges {
			t.model.keepWhole(vocab)
		}
		t.decoder = []decodeStep{func(next sink) sink { return &byteLevelSink{next: next} }}
	case "llama":
		if v.Pre != "" && v.Pre != "default" {
			return nil, fmt.Errorf("unknown pre %q for model \"llama\": have default", v.Pre)
		}
		addBOS = true
		if err := t.model.initScores(v, vocab); err != nil {
			return nil, err
		}
		addSpace := v.AddSpacePrefix == nil || *v.AddSpacePrefix
		if addSpace {
			t.normalizers = append(t.normalizers, prepend("▁"))
		}
		t.normalizers = append(t.normalizers, replaceLiteral(" ", "▁"))
		var d decoderReader
		d.add(func(next sink) sink {
			return &mapSink{next, func(s string) string { return strings.ReplaceAll(s, "▁", " ") }}
		})
		d.add(func(next sink) sink { return &byteFallbackSink{next: next} })
		if addSpace {
			d.steps = append(d.steps, func(next sink) sink { return &stripStartSink{next: next, char: ' ', n: 1} })
		}
		t.decoder = d.steps
	default:
		return nil, fmt.Errorf("unknown model %q: have gpt2, llama", v.Model)
	}
	if err := t.setVocabulary(vocab, added); err != nil {
		return nil, err
	}
	for i, s := range v.Tokens { // a spelling that comes twice: both ids decode to it
		if !t.tokens[i].known {
			t.tokens[i] = token{text: s, known: true, special: v.typeOf(int32(i)) == TypeControl}
		}
	}
	if err := t.setAdded(added); err != nil {
		return nil, err
	}
	t.bos = v.BOS
	for _, id := range []*int32{v.EOS, v.EOT} {
		if id != nil && !slices.Contains(t.eos, *id) {
			t.eos = append(t.eos, *id)
		}
	}
	if v.AddBOS != nil {
		addBOS = *v.AddBOS
	}
	if addBOS {
		if v.BOS == nil {
			return nil, fmt.Errorf("the file asks for a BOS token in front and names none (bos_token_id)")
		}
		t.prefix = []int32{*v.BOS}
	}
	if v.AddEOS != nil && *v.AddEOS {
		if v.EOS == nil {
			return nil, fmt.Errorf("the file asks for an EOS token at the end and names none (eos_token_id)")
		}
		t.suffix = []int32{*v.EOS}
	}
	return t, nil
}

// check refuses what can't be a vocabulary.
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

// added lists the tokens that are found in a text before it is split.
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
			if s != "" && vocab[s] == id { // of a spelling that comes twice, the last
				added = append(added, addedToken{id: id, content: s, special: typ != TypeUserDefined})
			}
		}
	}
	return added
}

// initScores sets up SentencePiece's byte-pair model: two neighbouring symbols may be merged if the two together are a
// token, and the token of the highest score is made first. (Kudo and Richardson 2018, "SentencePiece".) Every way to
// cut a token in two becomes a merge, ranked by the token's score.
func (m *bpe) initScores(v *GGUFVocabulary, vocab map[string]int32) error {
	if len(v.Scores) != len(v.Tokens) {
		return fmt.Errorf("%d scores for %d tokens", len(v.Scores), len(v.Tokens))
	}
	for i, s := range v.Scores {
		if math.IsNaN(float64(s)) {
			return fmt.Errorf("token %d, %.40q, has the score NaN", i, v.Tokens[i])
		}
	}
	m.seed = maphash.MakeSeed()
	m.byteFallback, m.unk = true, -1
	if v.UNK != nil {
		m.unk = *v.UNK
	}
	m.chars = map[rune]int32{}
	for i := range m.ascii {
		m.ascii[i] = -1
	}
	for i := range m.bytes {
		m.bytes[i] = -1
	}
	m.firstExtra = int32(len(v.Tokens))
	m.inside = newNeighbours()

	var mergeable []int32
	symbols := map[string]int32{}
	for i, s := range v.Tokens {
		id := int32(i)
		switch v.typeOf(id) {
		case TypeByte:
			b, ok := byteToken(s)
			if !ok {
				return fmt.Errorf("token %d, %.40q, is marked as a byte but not spelled as one, like <0x0A>", i, s)
			}
			m.bytes[b] = id
		case TypeNormal, TypeUserDefined, TypeUnused:
			if vocab[s] != id {
				continue
			}
			if b, ok := byteToken(s); ok && len(v.Types) == 0 {
				m.bytes[b] = id
				continue
			}
			symbols[s] = id
			if r, size := utf8.DecodeRuneInString(s); size > 0 && size == len(s) {
				m.setChar(r, id)
			} else if size > 0 {
				mergeable = append(mergeable, id)
			}
			m.inside.note(s)
		}
	}
	if m.unk < 0 && slices.Contains(m.bytes[:], -1) {
		return fmt.Errorf("neither all 256 byte tokens nor an unknown token")
	}
	// part is the symbol that a part of a token is; a character need not be a token to be one while merging.
	part := func(s string) (int32, bool) {
		if id, ok := symbols[s]; ok {
			return id, true
		}
		r, size := utf8.DecodeRuneInString(s)
		if size != len(s) {
			return 0, false
		}
		id := m.firstExtra + int32(len(m.extra))
		m.extra = append(m.extra, s)
		symbols[s] = id
		m.setChar(r, id)
		return id, true
	}
	slices.SortStableFunc(mergeable, func(a, b int32) int { return cmp.Compare(v.Scores[b], v.Scores[a]) })
	m.merges = newPairTable(2 * len(mergeable))
	rank := int32(-1)
	for i, id := range mergeable {
		if i == 0 || v.Scores[id] != v.Scores[mergeable[i-1]] {
			rank++ // equal scores are merged from the left, whatever their ids
		}
		s := v.Tokens[id]
		for cut := range s {
			if cut == 0 {
				continue
			}
			left, ok := part(s[:cut])
			if !ok {
				continue
			}
			if right, ok := part(s[cut:]); ok {
				m.merges.set(left, right, merge{rank, id})
			}
		}
	}
	return nil
}
