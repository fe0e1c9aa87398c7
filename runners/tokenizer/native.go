package tokenizer

import (
	"fmt"
	"sync"
)

// Native is a byte-pair encoder with the pipeline of a tokenizer.json: added tokens, normalizer, pre-tokenizer, merges,
// post-processing template, decoder. It is safe for concurrent use. Encoding takes time proportional to the length of
// the text, except for long words that cannot be cut, which take n log n.
type Native struct {
	ids    map[string]int32
	tokens []token // by id

	rawAdded        *addedSet // found in the original text
	normalizedAdded *addedSet // found in the normalised text
	normalizers     []normalizer
	pre             preTokenizer
	model           bpe
	prefix, suffix  []int32 // added by the template before and after a text
	decoder         []decodeStep

	bos *int32
	eos []int32

	mu   sync.Mutex
	idle []*encoder
}

type token struct {
	text    string
	known   bool // false for ids that are not used
	special bool
}

var _ Tokenizer = (*Native)(nil)

// Encode implements [Tokenizer].
func (t *Native) Encode(text string, addSpecial bool) ([]int32, error) {
	text = validUTF8(text)
	e := t.acquire()
	defer t.release(e)
	out := make([]int32, 0, len(text)/3+8)
	if addSpecial {
		out = append(out, t.prefix...)
	}
	token := func(id int32) { out = append(out, id) }
	err := t.rawAdded.cut(text, func(raw string, rawStart int) error {
		s, err := t.normalize(raw)
		if err != nil {
			return err
		}
		return t.normalizedAdded.cut(s, func(s string, start int) (err error) {
			out, err = t.pieces(e, out, s, 0, rawStart == 0 && start == 0)
			return err
		}, token)
	}, token)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	if addSpecial {
		out = append(out, t.suffix...)
	}
	return out, nil
}

func (t *Native) normalize(s string) (string, error) {
	for _, n := range t.normalizers {
		var err error
		if s, err = n(s); err != nil {
			return "", fmt.Errorf("normalizer: %w", err)
		}
	}
	return s, nil
}

// pieces applies the pre-tokenizer's steps from step on to s, and then the model.
func (t *Native) pieces(e *encoder, out []int32, s string, step int, atStart bool) ([]int32, error) {
	if step == len(t.pre.steps) {
		return t.model.piece(e, out, s), nil
	}
	pieces, err := t.pre.steps[step].split(e.pieces[step][:0], s, atStart)
	if err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	for i, p := range pieces {
		if out, err = t.pieces(e, out, p, step+1, atStart && i == 0); err != nil {
			return nil, err
		}
	}
	clear(pieces) // so that an idle encoder does not keep the text in memory
	e.pieces[step] = pieces
	return out, nil
}

func (t *Native) acquire() *encoder {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.idle); n > 0 {
		e := t.idle[n-1]
		t.idle = t.idle[:n-1]
		return e
	}
	return newEncoder(len(t.pre.steps), len(t.tokens))
}

func (t *Native) release(e *encoder) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle = append(t.idle, e)
}

// Decode implements [Tokenizer].
func (t *Native) Decode(ids []int32, skipSpecial bool) string {
	d := newDecoding(t.decoder)
	for _, id := range ids {
		t.decodeInto(d, id, skipSpecial)
	}
	d.end()
	return d.text.String()
}

func (t *Native) decodeInto(d *decoding, id int32, skipSpecial bool) {
	if id < 0 || int(id) >= len(t.tokens) {
		return
	}
	if tok := &t.tokens[id]; tok.known && !(skipSpecial && tok.special) {
		d.sinks[0].token(tok.text)
	}
}

// VocabSize implements [Tokenizer].
func (t *Native) VocabSize() int { return len(t.tokens) }

// TokenID implements [Tokenizer].
func (t *Native) TokenID(token string) (int32, bool) {
	id, ok := t.ids[token]
	return id, ok
}

// Token implements [Tokenizer].
func (t *Native) Token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(t.tokens) {
		return "", false
	}
	return t.tokens[id].text, t.tokens[id].known
}

// BOS implements [Tokenizer].
func (t *Native) BOS() (int32, bool) {
	if t.bos == nil {
		return 0, false
	}
	return *t.bos, true
}

// EOS implements [Tokenizer].
func (t *Native) EOS() []int32 { return append([]int32(nil), t.eos...) }

// setVocabulary sets the tokens by id. Ids must be distinct and not much larger than the number of tokens.
func (t *Native) setVocabulary(vocab map[string]int32, added []addedToken) error {
	limit := 8*(len(vocab)+len(added)) + 1<<16
	size := 0
	check := func(id int32, token string) error {
		if id < 0 || int(id) >= limit {
			return fmt.Errorf("token %.40q has id %d: out of range for %d tokens", token, id, len(vocab)+len(added))
		}
		size = max(size, int(id)+1)
		return nil
	}
	for s, id := range vocab {
		if err := check(id, s); err != nil {
			return err
		}
	}
	for _, a := range added {
		if err := check(a.id, a.content); err != nil {
			return err
		}
	}
	t.ids = vocab
	t.tokens = make([]token, size)
	for s, id := range vocab {
		if old := t.tokens[id]; old.known {
			return fmt.Errorf("tokens %.40q and %.40q both have id %d", min(old.text, s), max(old.text, s), id)
		}
		t.tokens[id] = token{text: s, known: true}
	}
	for _, a := range added {
		if id, ok := vocab[a.content]; ok && id != a.id {
			return fmt.Errorf("token %.40q has id %d in the vocabulary and id %d among the added tokens", a.content, id, a.id)
		}
		vocab[a.content] = a.id
		old := &t.tokens[a.id]
		*old = token{text: a.content, known: true, special: a.special || old.special && old.text == a.content}
	}
	return nil
}

// setAdded prepares the search for added tokens. The normalizers must be set before. Tokens that are found in normalised
// text also decode to their normalised text.
func (t *Native) setAdded(added []addedToken) error {
	if err := checkAdded(added); err != nil {
		return err
	}
	var raw, normalized []addedToken
	for _, a := range added {
		if a.normalized {
			normalized = append(normalized, a)
		} else {
			raw = append(raw, a)
		}
	}
	t.rawAdded = newAddedSet(raw)
	for i, a := range normalized {
		s, err := t.normalize(a.content)
		if err != nil {
			return err
		}
		normalized[i].content = s
		t.tokens[a.id].text = s
	}
	if err := checkAdded(normalized); err != nil { // a normalizer may make them longer
		return err
	}
	t.normalizedAdded = newAddedSet(normalized)
	return nil
}
