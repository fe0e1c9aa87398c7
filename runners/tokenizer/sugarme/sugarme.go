// Package sugarme is an optional tokenizer backend that uses github.com/sugarme/tokenizer. It is for tokenizer.json files
// that the native encoder does not read: WordPiece and Unigram models. Importing it registers it as "sugarme"; [Open]
// reads a directory.
//
// It is slower and less exact than the native encoder: it has no look-ahead in expressions and no byte fallback, takes
// time quadratic in the length of a word, differs from the reference in ties between merges, and its Metaspace treats
// line ends as spaces. So it is used only if it is asked for by name, and refuses a vocabulary that fails a round trip.
package sugarme

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	sugar "github.com/sugarme/tokenizer"
	"github.com/sugarme/tokenizer/pretrained"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

func init() {
	tokenizer.Register("sugarme", func(dir string) (tokenizer.Tokenizer, error) { return Open(dir) })
}

// Tokenizer is the backend's tokenizer. It runs one call at a time, because the library does not promise to be safe for
// concurrent use.
type Tokenizer struct {
	mu   sync.Mutex
	lib  *sugar.Tokenizer
	size int
	bos  *int32
	eos  []int32

	// Added tokens are found by this package, because the library loses some if several kinds alternate.
	added          *regexp.Regexp // nil: none
	addedIDs       map[string]int32
	prefix, suffix []int32 // added by the post-processor before and after a text
	mark           string  // the decoder's mark for a space; the library does not drop it at the start of a text as it should
}

var _ tokenizer.Tokenizer = (*Tokenizer)(nil)

// Open reads the tokenizer of a Hugging Face directory.
func Open(dir string) (*Tokenizer, error) {
	path := filepath.Join(dir, "tokenizer.json")
	t := &Tokenizer{}
	if err := t.load(path); err != nil {
		return nil, fmt.Errorf("%s: sugarme: %w", path, err)
	}
	var err error
	if t.bos, t.eos, err = tokenizer.ReadEnds(dir, t.TokenID); err != nil {
		return nil, err
	}
	if err := t.roundTrips(); err != nil {
		return nil, fmt.Errorf("%s: sugarme cannot encode and decode text with this vocabulary: %w", path, err)
	}
	return t, nil
}

// recovered turns a panic of the library into an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the library panics: %v", r)
	}
}

func (t *Tokenizer) load(path string) (err error) {
	defer recovered(&err)
	if err := inputs.Check(path); err != nil {
		return err
	}
	if t.lib, err = pretrained.FromFile(path); err != nil {
		return err
	}
	// These are settings of the program that wrote the file, not of the model.
	t.lib.WithTruncation(nil)
	t.lib.WithPadding(nil)
	for _, id := range t.lib.GetVocab(true) {
		t.size = max(t.size, id+1)
	}
	if t.size == 0 {
		return errors.New("no tokens")
	}
	if err := t.readAdded(path); err != nil {
		return err
	}
	return t.readTemplate()
}

// readAdded reads the fields of the file that the library drops.
func (t *Tokenizer) readAdded(path string) error {
	data, err := inputs.ReadFile(path)
	if err != nil {
		return err
	}
	var f struct {
		AddedTokens []struct {
			ID         int32  `json:"id"`
			Content    string `json:"content"`
			SingleWord bool   `json:"single_word"`
			LStrip     bool   `json:"lstrip"`
			RStrip     bool   `json:"rstrip"`
		} `json:"added_tokens"`
		Decoder struct {
			Type          string `json:"type"`
			Replacement   string `json:"replacement"`
			PrependScheme string `json:"prepend_scheme"`
		} `json:"decoder"`
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	if f.Decoder.Type == "Metaspace" && f.Decoder.PrependScheme != "never" {
		t.mark = f.Decoder.Replacement
	}
	t.addedIDs = map[string]int32{}
	var alternatives []string
	for _, a := range f.AddedTokens {
		if a.SingleWord || a.LStrip || a.RStrip {
			return fmt.Errorf("the added token %q asks for single_word, lstrip or rstrip, which this backend does not know", a.Content)
		}
		if id, ok := t.lib.TokenToId(a.Content); !ok || int32(id) != a.ID {
			return fmt.Errorf("the library gives the added token %q the id %d, the file %d", a.Content, id, a.ID)
		}
		t.addedIDs[a.Content] = a.ID
		alternatives = append(alternatives, regexp.QuoteMeta(a.Content))
	}
	if len(alternatives) > 0 {
		if t.added, err = regexp.Compile(strings.Join(alternatives, "|")); err != nil {
			return err
		}
		t.added.Longest()
	}
	return nil
}

// readTemplate encodes a text of one letter to find the tokens that the post-processor adds.
func (t *Tokenizer) readTemplate() error {
	const text = "a"
	plain, err := t.lib.EncodeSingle(text, false)
	if err != nil {
		return err
	}
	framed, err := t.lib.EncodeSingle(text, true)
	if err != nil {
		return err
	}
	for at := 0; at+len(plain.Ids) <= len(framed.Ids); at++ {
		if end := at + len(plain.Ids); slices.Equal(framed.Ids[at:end], plain.Ids) {
			t.prefix, t.suffix = narrow(nil, framed.Ids[:at]), narrow(nil, framed.Ids[end:])
			return nil
		}
	}
	return fmt.Errorf("the post-processor turns %v into %v, which is more than a prefix and a suffix", plain.Ids, framed.Ids)
}

func narrow(dst []int32, ids []int) []int32 {
	for _, id := range ids {
		dst = append(dst, int32(id))
	}
	return dst
}

// probes are texts that a vocabulary for English should encode and decode without a change.
var probes = []string{
	"The quick brown fox jumps over the lazy dog.",
	"one\ntwo\n\nthree\tfour",
	"It's 12345, isn't it? (yes)",
}

// roundTrips checks that probes survive encoding and decoding, except for case and white space, which models may ignore.
func (t *Tokenizer) roundTrips() error {
	squeeze := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return unicode.ToLower(r)
		}, s)
	}
	for _, p := range probes {
		ids, err := t.Encode(p, false)
		if err != nil {
			return err
		}
		got, err := t.decode(ids, false)
		if err != nil {
			return err
		}
		if squeeze(got) != squeeze(p) {
			return fmt.Errorf("%q came back as %q", p, got)
		}
	}
	return nil
}

// Encode implements [tokenizer.Tokenizer].
func (t *Tokenizer) Encode(text string, addSpecial bool) (ids []int32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer func() {
		if err != nil {
			err = fmt.Errorf("sugarme: %w", err)
		}
	}()
	defer recovered(&err)
	text = strings.ToValidUTF8(text, "\uFFFD")
	if addSpecial {
		ids = append(ids, t.prefix...)
	}
	for text != "" {
		next := []int{len(text), len(text)}
		if t.added != nil {
			if found := t.added.FindStringIndex(text); found != nil {
				next = found
			}
		}
		if before := text[:next[0]]; before != "" {
			e, err := t.lib.EncodeSingle(before, false)
			if err != nil {
				return nil, err
			}
			ids = narrow(ids, e.Ids)
		}
		if token := text[next[0]:next[1]]; token != "" {
			ids = append(ids, t.addedIDs[token])
		}
		text = text[next[1]:]
	}
	if addSpecial {
		ids = append(ids, t.suffix...)
	}
	return ids, nil
}

// Decode implements [tokenizer.Tokenizer]. If the library panics, the text is empty.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	text, err := t.decode(ids, skipSpecial)
	if err != nil {
		return ""
	}
	return text
}

func (t *Tokenizer) decode(ids []int32, skipSpecial bool) (text string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer recovered(&err)
	known := make([]int, 0, len(ids))
	for _, id := range ids {
		if _, ok := t.lib.IdToToken(int(id)); ok {
			known = append(known, int(id))
		}
	}
	text = t.lib.Decode(known, skipSpecial)
	if t.mark != "" && len(known) > 0 {
		if first, _ := t.lib.IdToToken(known[0]); strings.HasPrefix(first, t.mark) {
			text = strings.TrimPrefix(text, " ")
		}
	}
	return text, nil
}

// VocabSize implements [tokenizer.Tokenizer].
func (t *Tokenizer) VocabSize() int { return t.size }

// TokenID implements [tokenizer.Tokenizer].
func (t *Tokenizer) TokenID(token string) (int32, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id, ok := t.lib.TokenToId(token)
	return int32(id), ok
}

// Token implements [tokenizer.Tokenizer].
func (t *Tokenizer) Token(id int32) (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lib.IdToToken(int(id))
}

// BOS implements [tokenizer.Tokenizer].
func (t *Tokenizer) BOS() (int32, bool) {
	if t.bos == nil {
		return 0, false
	}
	return *t.bos, true
}

// EOS implements [tokenizer.Tokenizer].
func (t *Tokenizer) EOS() []int32 { return slices.Clone(t.eos) }
