package tokenizer

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// smallGGUF is a byte-level vocabulary with a few merges. A byte's id is its value.
func smallGGUF() GGUFVocabulary {
	v := GGUFVocabulary{Model: "gpt2", Pre: "smollm", BOS: new(int32(256)), EOS: new(int32(257))}
	for b := range 256 {
		v.Tokens = append(v.Tokens, string(byteToChar[b]))
	}
	v.Tokens = append(v.Tokens, "<|begin|>", "<|end|>", "Ġa", "12", "<tool>")
	v.Types = slices.Repeat([]int32{TypeNormal}, len(v.Tokens))
	v.Types[256], v.Types[257], v.Types[260] = TypeControl, TypeControl, TypeUserDefined
	v.Merges = []string{"Ġ a", "1 2"}
	return v
}

func TestGGUF(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*GGUFVocabulary)
		text   string
		want   []int32
	}{
		{"smollm cuts digits", func(*GGUFVocabulary) {}, "12 a", []int32{'1', '2', 258}},
		{"gpt-2 does not", func(v *GGUFVocabulary) { v.Pre = "gpt-2" }, "12 a", []int32{259, 258}},
		{"llama-bpe puts BOS in front", func(v *GGUFVocabulary) { v.Pre = "llama-bpe" }, "12", []int32{256, 259}},
		{"unless the file says no", func(v *GGUFVocabulary) { v.Pre, v.AddBOS = "llama-bpe", new(false) }, "12", []int32{259}},
		{"the file asks for both", func(v *GGUFVocabulary) { v.AddBOS, v.AddEOS = new(true), new(true) }, "1", []int32{256, '1', 257}},
		{"special tokens in the text", func(*GGUFVocabulary) {}, "1<|end|>2<tool>", []int32{'1', 257, '2', 260}},
		{"default", func(v *GGUFVocabulary) { v.Pre = "default" }, "x=12", []int32{'x', '=', 259}},
	} {
		v := smallGGUF()
		c.change(&v)
		tok, err := FromGGUF(v)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		ids, err := tok.Encode(c.text, true)
		if err != nil || !slices.Equal(ids, c.want) {
			t.Errorf("%s: %q became %v (%v), want %v", c.name, c.text, ids, err, c.want)
		}
	}
	tok, err := FromGGUF(smallGGUF())
	if err != nil {
		t.Fatal(err)
	}
	if got := tok.Decode([]int32{256, 258, 260, 257}, true); got != " a<tool>" {
		t.Errorf("decoded without specials %q", got)
	}
}

// scoresGGUF has the difficult cases of SentencePiece: a character ("x") that is part of a token but not a token, a tie
// of scores, and bytes.
func scoresGGUF() GGUFVocabulary {
	v := GGUFVocabulary{Model: "llama", BOS: new(int32(1)), EOS: new(int32(2)), UNK: new(int32(0))}
	add := func(s string, typ int32, score float32) {
		v.Tokens, v.Types, v.Scores = append(v.Tokens, s), append(v.Types, typ), append(v.Scores, score)
	}
	add("<unk>", TypeUnknown, 0)
	add("<s>", TypeControl, 0)
	add("</s>", TypeControl, 0)
	for b := range 256 {
		add("<0x"+strings.ToUpper(string("0123456789abcdef"[b>>4])+string("0123456789abcdef"[b&15]))+">", TypeByte, 0)
	}
	for _, s := range []string{"▁", "a", "b", "c"} { // 259 to 262
		add(s, TypeNormal, -100)
	}
	add("ab", TypeNormal, -2) // 263
	add("bc", TypeNormal, -2) // 264: a tie with ab; in abc, ab wins because it is further left
	add("ca", TypeNormal, -1) // 265: merged before both
	add("ax", TypeNormal, -3) // 266
	add("▁a", TypeNormal, -9) // 267
	return v
}

func TestGGUFScores(t *testing.T) {
	tok, err := FromGGUF(scoresGGUF())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{
		"abc":     {1, 259, 263, 262},
		"bcab":    {1, 259, 261, 265, 261},
		"a ax":    {1, 267, 259, 266},
		"xa":      {1, 259, 3 + 'x', 260},
		"b\né":    {1, 259, 261, 3 + '\n', 3 + 0xC3, 3 + 0xA9},
		"":        {1},
		"a</s>a":  {1, 267, 2, 267},
		"<0x41>c": {1, 259, 3 + '<', 3 + '0', 3 + 'x', 3 + '4', 3 + '1', 3 + '>', 262},
	} {
		ids, err := tok.Encode(text, true)
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("%q became %v (%v), want %v", text, ids, err, want)
		}
		if strings.Contains(text, "</s>") {
			continue
		}
		if got := tok.Decode(ids, true); got != text {
			t.Errorf("%q decoded to %q", text, got)
		}
	}
	v := scoresGGUF()
	v.AddSpacePrefix = new(false)
	if tok, err = FromGGUF(v); err != nil {
		t.Fatal(err)
	}
	if ids, err := tok.Encode("abc", false); err != nil || !slices.Equal(ids, []int32{263, 262}) {
		t.Errorf("without a space in front: %v (%v)", ids, err)
	}
}

func TestGGUFErrors(t *testing.T) {
	for _, c := range []struct {
		change func(*GGUFVocabulary)
		want   string
	}{
		{func(v *GGUFVocabulary) { v.Model = "bert" }, `unknown model "bert": have gpt2, llama`},
		{func(v *GGUFVocabulary) { v.Pre = "tekken" }, `unknown pre "tekken": have command-r, deepseek-r1-qwen, default, gpt-2, gpt-4o, llama-bpe`},
		{func(v *GGUFVocabulary) { v.Model, v.Pre = "llama", "qwen2" }, `unknown pre "qwen2"`},
		{func(v *GGUFVocabulary) { v.Model, v.Pre = "llama", "" }, "0 scores for 261 tokens"},
		{func(v *GGUFVocabulary) { v.Tokens = nil }, "no tokens"},
		{func(v *GGUFVocabulary) { v.Tokens[7] = "\xff" }, `token 7, "\xff", is not valid UTF-8`},
		{func(v *GGUFVocabulary) { v.Types = v.Types[1:] }, "260 token types for 261 tokens"},
		{func(v *GGUFVocabulary) { v.Types[3] = 9 }, "unknown type 9"},
		{func(v *GGUFVocabulary) { v.BOS = new(int32(261)) }, "bos_token_id is 261: out of range"},
		{func(v *GGUFVocabulary) { v.EOS = new(int32(-1)) }, "eos_token_id is -1: out of range"},
		{func(v *GGUFVocabulary) { v.BOS, v.AddBOS = nil, new(true) }, "names none (bos_token_id)"},
		{func(v *GGUFVocabulary) { v.EOS, v.AddEOS = nil, new(true) }, "names none (eos_token_id)"},
		{func(v *GGUFVocabulary) { v.Merges[1] = "12" }, `number 1, "12", is not two tokens`},
		{func(v *GGUFVocabulary) { v.Merges[1] = "2 1" }, `needs the token "21"`},
	} {
		v := smallGGUF()
		c.change(&v)
		if _, err := FromGGUF(v); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
	v := scoresGGUF()
	v.Tokens[10], v.UNK = "<0xZZ>", nil
	if _, err := FromGGUF(v); err == nil || !strings.Contains(err.Error(), `token 10, "<0xZZ>", is marked as a byte`) {
		t.Errorf("a byte token that is none: %v", err)
	}
	if _, err := (&GGUFVocabulary{}).Template(); !errors.Is(err, ErrNoChatTemplate) {
		t.Errorf("no template: %v", err)
	}
}

// fakeMetadata is a GGUF file's key-value pairs, in the Go types that the getters return.
type fakeMetadata map[string]any

func fakeValue[T any](m fakeMetadata, key string) (T, error) {
	v, ok := m[key].(T)
	if !ok {
		return v, fmt.Errorf("key %q is %v", key, m[key])
	}
	return v, nil
}

func (m fakeMetadata) Has(key string) bool                  { _, ok := m[key]; return ok }
func (m fakeMetadata) String(key string) (string, error)    { return fakeValue[string](m, key) }
func (m fakeMetadata) Bool(key string) (bool, error)        { return fakeValue[bool](m, key) }
func (m fakeMetadata) Int(key string) (int64, error)        { return fakeValue[int64](m, key) }
func (m fakeMetadata) Strings(key string) ([]string, error) { return fakeValue[[]string](m, key) }
func (m fakeMetadata) Floats(key string) ([]float32, error) { return fakeValue[[]float32](m, key) }
func (m fakeMetadata) Ints(key string) ([]int64, error)     { return fakeValue[[]int64](m, key) }

func TestReadGGUF(t *testing.T) {
	full := func() fakeMetadata {
		return fakeMetadata{
			"tokenizer.ggml.model": "llama", "tokenizer.ggml.pre": "default", "tokenizer.ggml.tokens": []string{"a", "b"},
			"tokenizer.ggml.token_type": []int64{1, 3}, "tokenizer.ggml.scores": []float32{-1, 0},
			"tokenizer.ggml.merges": []string{"a b"}, "tokenizer.ggml.bos_token_id": int64(1),
			"tokenizer.ggml.unknown_token_id": int64(0), "tokenizer.ggml.add_bos_token": true,
			"tokenizer.ggml.add_space_prefix": false, "tokenizer.chat_template": "hi",
		}
	}
	got, err := ReadGGUF(full())
	want := GGUFVocabulary{
		Model: "llama", Pre: "default", Tokens: []string{"a", "b"}, Types: []int32{1, 3}, Scores: []float32{-1, 0},
		Merges: []string{"a b"}, BOS: new(int32(1)), UNK: new(int32(0)), AddBOS: new(true), AddSpacePrefix: new(false),
		ChatTemplate: "hi",
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v (%v), want %+v", got, err, want)
	}
	for key, bad := range map[string]any{
		"tokenizer.ggml.model": nil, "tokenizer.ggml.tokens": "a", "tokenizer.ggml.scores": "x", "tokenizer.ggml.merges": 7,
		"tokenizer.ggml.bos_token_id": int64(-1), "tokenizer.ggml.unknown_token_id": int64(1) << 40,
		"tokenizer.ggml.add_bos_token": "yes", "tokenizer.chat_template": 1, "tokenizer.ggml.token_type": "x",
	} {
		m := full()
		m[key] = bad
		if _, err := ReadGGUF(m); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s = %v: error %v", key, bad, err)
		}
	}
}
