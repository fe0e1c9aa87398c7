package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"strings"
	"unicode/utf8"

	"github.com/snapbench/snapbench/inputs"
)

// file is a tokenizer.json. Its truncation and padding are not read: they are settings of the program that wrote the
// file, not of the model.
type file struct {
	AddedTokens   []fileToken     `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         *fileModel      `json:"model"`
}

type fileToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized *bool  `json:"normalized"`
	Special    bool   `json:"special"`
}

// token is what is searched for.
func (a fileToken) token() addedToken {
	return addedToken{id: a.ID, content: a.Content, special: a.Special,
		normalized: a.Normalized == nil && !a.Special || a.Normalized != nil && *a.Normalized,
		lstrip:     a.LStrip, rstrip: a.RStrip, singleWord: a.SingleWord}
}

type fileModel struct {
	Type         string          `json:"type"`
	Vocab        json.RawMessage `json:"vocab"`
	Merges       json.RawMessage `json:"merges"`
	UnkToken     *string         `json:"unk_token"`
	FuseUnk      bool            `json:"fuse_unk"`
	ByteFallback bool            `json:"byte_fallback"`
	IgnoreMerges bool            `json:"ignore_merges"`
	Dropout      *float64        `json:"dropout"`
	Prefix       *string         `json:"continuing_subword_prefix"`
	Suffix       *string         `json:"end_of_word_suffix"`
}

// ReadJSON reads a tokenizer.json. Errors name the file and the part that is broken or not supported.
func ReadJSON(path string) (*Native, error) { return readJSON(path, nil) }

// readJSON is ReadJSON with tokens that other files add.
func readJSON(path string, more *ownTokens) (*Native, error) {
	data, err := inputs.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := fromJSON(data, more)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// FromJSON reads the contents of a tokenizer.json.
func FromJSON(data []byte) (*Native, error) { return fromJSON(data, nil) }

func fromJSON(data []byte, more *ownTokens) (*Native, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, jsonError(err)
	}
	if f.Model == nil {
		return nil, errors.New("no model")
	}
	m := f.Model
	switch {
	case m.Type != "BPE" && m.Type != "": // early files of BPE models have no type
		return nil, unsupported("model", fmt.Sprintf("%q", m.Type))
	case m.Dropout != nil && *m.Dropout != 0:
		return nil, unsupported("model", "dropout")
	case m.Prefix != nil && *m.Prefix != "":
		return nil, unsupported("model", "continuing_subword_prefix")
	case m.Suffix != nil && *m.Suffix != "":
		return nil, unsupported("model", "end_of_word_suffix")
	}
	vocab := map[string]int32{}
	if err := json.Unmarshal(m.Vocab, &vocab); err != nil {
		return nil, fmt.Errorf("model vocab: %w", jsonError(err))
	}
	if len(vocab) == 0 {
		return nil, errors.New("model vocab: no tokens")
	}
	merges, err := readMerges(m.Merges)
	if err != nil {
		return nil, err
	}

	t := &Native{}
	if err := t.pre.read(f.PreTokenizer, 0); err != nil {
		return nil, err
	}
	n := normalizerReader{growth: 1}
	if err := n.read(f.Normalizer, 0); err != nil {
		return nil, err
	}
	t.normalizers = n.steps
	if err := t.model.init(vocab, t.pre.byteLevel, m.ByteFallback, m.UnkToken, m.FuseUnk); err != nil {
		return nil, err
	}
	if err := t.model.addMerges(vocab, merges); err != nil {
		return nil, err
	}
	if m.IgnoreMerges {
		t.model.keepWhole(vocab)
	}

	if err := more.join(&f, vocab); err != nil {
		return nil, err
	}
	var added []addedToken
	for i, a := range f.AddedTokens {
		if a.Content == "" {
			return nil, fmt.Errorf("added_tokens: number %d is empty", i)
		}
		added = append(added, a.token())
	}
	if err := t.setVocabulary(vocab, added); err != nil {
		return nil, err
	}
	if err := t.setAdded(added); err != nil {
		return nil, fmt.Errorf("added_tokens: %w", err)
	}
	if err := t.readPostProcessor(f.PostProcessor, 0); err != nil {
		return nil, err
	}
	if isNull(f.Decoder) {
		t.decoder = []decodeStep{func(next sink) sink { return &spacedSink{next: next} }}
		return t, nil
	}
	d := decoderReader{growth: 1}
	if err := d.read(f.Decoder, 0); err != nil {
		return nil, err
	}
	t.decoder = d.steps
	return t, nil
}

// jsonError adds the byte offset to an error of encoding/json that has one.
func jsonError(err error) error {
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	case errors.As(err, &typ):
		return fmt.Errorf("byte %d: %w", typ.Offset, err)
	}
	return err
}

// readMerges reads merges in either form: "a b" or ["a", "b"].
func readMerges(raw json.RawMessage) ([][2]string, error) {
	if isNull(raw) {
		return nil, nil
	}
	var pairs [][]string
	if err := json.Unmarshal(raw, &pairs); err == nil {
		merges := make([][2]string, len(pairs))
		for i, p := range pairs {
			if len(p) != 2 {
				return nil, fmt.Errorf("model merges: number %d has %d parts, not 2", i, len(p))
			}
			merges[i] = [2]string{p[0], p[1]}
		}
		return merges, nil
	}
	var lines []string
	if err := json.Unmarshal(raw, &lines); err != nil {
		return nil, fmt.Errorf("model merges: %w", jsonError(err))
	}
	return cutMerges(lines)
}

// cutMerges reads merges written as "a b".
func cutMerges(lines []string) ([][2]string, error) {
	merges := make([][2]string, len(lines))
	for i, line := range lines {
		left, right, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(right, " ") {
			return nil, fmt.Errorf("model merges: number %d, %.40q, is not two tokens with a space between", i, line)
		}
		merges[i] = [2]string{left, right}
	}
	return merges, nil
}

// init sets up everything except the merges.
func (m *bpe) init(vocab map[string]int32, byteLevel, byteFallback bool, unk *string, fuseUnk bool) error {
	m.byteSymbols, m.byteFallback, m.fuseUnk, m.unk = byteLevel, byteFallback, fuseUnk, -1
	m.seed = maphash.MakeSeed()
	if unk != nil && *unk != "" {
		id, ok := vocab[*unk]
		if !ok {
			return fmt.Errorf("model unk_token %.40q is not in the vocabulary", *unk)
		}
		m.unk = id
	}
	m.chars = map[rune]int32{}
	for i := range m.ascii {
		m.ascii[i] = -1
	}
	for s, id := range vocab {
		if r, size := utf8.DecodeRuneInString(s); size > 0 && size == len(s) {
			m.setChar(r, id)
		}
	}
	all := true
	for b := range m.bytes {
		spelling := fmt.Sprintf("<0x%02X>", b)
		if byteLevel {
			spelling = string(byteToChar[b])
		}
		id, ok := vocab[spelling]
		if !ok {
			id = -1
			all = false
		}
		m.bytes[b] = id
	}
	m.lacksBytes = byteLevel && !all
	if m.lacksBytes && m.unk >= 0 {
		return unsupported("model", "byte level with an unk_token and without all 256 bytes")
	}
	// With fuse_unk a run of unknown characters is one token, so a word with unknown characters must not be cut.
	if byteLevel || m.unk < 0 || !fuseUnk || byteFallback && all {
		m.inside = newNeighbours()
		var raw []byte
		for s := range vocab {
			if byteLevel {
				raw = unbyteLevel(raw[:0], s)
				m.inside.note(string(raw))
			} else {
				m.inside.note(s)
			}
		}
	}
	return nil
}

func (m *bpe) setChar(r rune, id int32) {
	if r < 128 {
		m.ascii[r] = id
	} else {
		m.chars[r] = id
	}
}

// addMerges ranks the merges by their order. A pair that is listed twice has the later rank.
func (m *bpe) addMerges(vocab map[string]int32, merges [][2]string) error {
	m.merges = newPairTable(len(merges))
	for rank, p := range merges {
		var ids [3]int32
		for i, s := range []string{p[0], p[1], p[0] + p[1]} {
			id, ok := vocab[s]
			if !ok {
				return fmt.Errorf("model merges: number %d, %.40q and %.40q, needs the token %.40q, which is not in the vocabulary", rank, p[0], p[1], s)
			}
			ids[i] = id
		}
		m.merges.set(ids[0], ids[1], merge{int32(rank), ids[2]})
	}
	return nil
}

// keepWhole makes every word that is a token become that token, without merging.
func (m *bpe) keepWhole(vocab map[string]int32) {
	m.whole = make(map[string]int32, len(vocab))
	var buf []byte
	for s, id := range vocab {
		if m.byteSymbols {
			if buf = unbyteLevel(buf[:0], s); utf8.RuneCountInString(s) != len(buf) {
				continue // the token has characters outside the byte level, and no word has these
			}
			s = string(buf)
		}
		m.whole[s] = id
	}
}

// readPostProcessor reads the tokens that are added before and after a single text.
func (t *Native) readPostProcessor(raw json.RawMessage, depth int) error {
	const part = "post_processor"
	if isNull(raw) {
		return nil
	}
	c, err := readComponent(part, raw, depth)
	if err != nil {
		return err
	}
	switch c.Type {
	case "Sequence":
		for _, r := range c.Processors {
			if err := t.readPostProcessor(r, depth+1); err != nil {
				return err
			}
		}
		return nil
	case "ByteLevel": // changes offsets, not ids
		return nil
	case "TemplateProcessing":
		return t.readTemplate(part, raw)
	}
	return unsupported(part, fmt.Sprintf("%q", c.Type))
}

func (t *Native) readTemplate(part string, raw json.RawMessage) error {
	var c struct {
		Single []struct {
			SpecialToken *struct {
				ID string `json:"id"`
			} `json:"SpecialToken"`
			Sequence *struct {
				ID string `json:"id"`
			} `json:"Sequence"`
		} `json:"single"`
		SpecialTokens map[string]struct {
			IDs []int32 `json:"ids"`
		} `json:"special_tokens"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("%s TemplateProcessing: %w", part, err)
	}
	var prefix, suffix []int32
	sequences := 0
	for i, s := range c.Single {
		switch {
		case s.Sequence != nil && s.Sequence.ID == "A":
			sequences++
		case s.SpecialToken != nil:
			special, ok := c.SpecialTokens[s.SpecialToken.ID]
			if !ok {
				return fmt.Errorf("%s TemplateProcessing: special token %.40q is not defined", part, s.SpecialToken.ID)
			}
			for _, id := range special.IDs {
				if _, ok := t.Token(id); !ok {
					return fmt.Errorf("%s TemplateProcessing: special token %.40q has id %d, which is not in the vocabulary", part, s.SpecialToken.ID, id)
				}
			}
			if sequences == 0 {
				prefix = append(prefix, special.IDs...)
			} else {
				suffix = append(suffix, special.IDs...)
			}
		default:
			return fmt.Errorf("%s TemplateProcessing: piece %d of single is neither a special token nor the sequence A", part, i)
		}
	}
	if sequences != 1 {
		return fmt.Errorf("%s TemplateProcessing: single has the text %d times, not once", part, sequences)
	}
	t.prefix = append(prefix, t.prefix...) // a later template goes around an earlier one
	t.suffix = append(t.suffix, suffix...)
	return nil
}
