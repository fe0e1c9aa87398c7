package datasets

import (
	"strings"
	"unicode"
)

// Three small tokenizers that need no files. bytewise has a token for each byte; wordwise for
// each word with the white space before it; pairwise for every two bytes from the start of
// the text, so that the number of tokens and their places follow only from the whole text.

// pieces is a tokenizer that cuts text into pieces and numbers each by its
// spelling.
type pieces struct {
	cut   func(text string) []string
	bos   string // added in front, if not empty
	ids   map[string]int32
	texts []string
}

func newPieces(bos string, cut func(string) []string) *pieces {
	t := &pieces{cut: cut, bos: bos, ids: map[string]int32{}}
	if bos != "" {
		t.id(bos)
	}
	return t
}

func (t *pieces) id(piece string) int32 {
	id, ok := t.ids[piece]
	if !ok {
		id = int32(len(t.texts))
		t.ids[piece] = id
		t.texts = append(t.texts, piece)
	}
	return id
}

func (t *pieces) Encode(text string, addSpecial bool) ([]int32, error) {
	var ids []int32
	if t.bos != "" && addSpecial {
		ids = append(ids, 0)
	}
	for t.bos != "" && strings.HasPrefix(text, t.bos) {
		ids = append(ids, 0)
		text = text[len(t.bos):]
	}
	for _, p := range t.cut(text) {
		ids = append(ids, t.id(p))
	}
	return ids, nil
}

func (t *pieces) Decode(ids []int32, skipSpecial bool) string {
	var b strings.Builder
	for _, id := range ids {
		if t.bos == "" || id != 0 || !skipSpecial {
			b.WriteString(t.texts[id])
		}
	}
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

func (t *pieces) BOS() (int32, bool) { return 0, t.bos != "" }
func (t *pieces) Token(id int32) (string, bool) {
	if int(id) >= len(t.texts) {
		return "", false
	}
	return t.texts[id], true
}

func bytewise() *pieces {
	return newPieces("", func(text string) []string { return chunks(text, 1) })
}

func pairwise() *pieces {
	return newPieces("<s>", func(text string) []string { return chunks(text, 2) })
}

func chunks(text string, n int) []string {
	list := make([]string, 0, len(text)/n+1)
	for ; len(text) > n; text = text[n:] {
		list = append(list, text[:n])
	}
	if text != "" {
		list = append(list, text)
	}
	return list
}

func wordwise() *pieces {
	return newPieces("<s>", func(text string) []string {
		var list []string
		start, inWord := 0, false
		for i, r := range text {
			if unicode.IsSpace(r) {
				if inWord {
					list = append(list, text[start:i])
					start, inWord = i, false
				}
			} else {
				inWord = true
			}
		}
		if start < len(text) {
			list = append(list, text[start:])
		}
		return list
	})
}

// chatml renders messages in the form of many chat models.
func chatml(messages []Message, variables map[string]any) (string, error) {
	var b strings.Builder
	for _, m := range messages {
		b.WriteString("<|im_start|>" + m.Role + "\n" + m.Content + "<|im_end|>\n")
	}
	if variables["add_generation_prompt"] != false {
		b.WriteString("<|im_start|>assistant\n")
	}
	return b.String(), nil
}

// bracketed renders a single user message as Llama 2 does, BOS in the text.
func bracketed(messages []Message, _ map[string]any) (string, error) {
	return "<s>[INST] " + messages[0].Content + " [/INST]", nil
}
