package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// writeDir makes a directory of files.
func writeDir(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tiny is a small tokenizer.json: the tokens a, b and ab, and two special tokens.
const tiny = `{"added_tokens": [{"id": 3, "content": "<s>", "special": true}, {"id": 4, "content": "</s>", "special": true}],
	"normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": {"type": "Fuse"},
	"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}`

func TestOpen(t *testing.T) {
	dir := writeDir(t, map[string]string{
		"tokenizer.json":          tiny,
		"tokenizer_config.json":   `{"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": null}`,
		"special_tokens_map.json": `{"bos_token": "b", "eos_token": "</s>"}`,
		"generation_config.json":  `{"eos_token_id": [2, 4]}`,
	})
	tok, err := OpenWith("native", dir)
	if err != nil {
		t.Fatal(err)
	}
	if bos, ok := tok.BOS(); !ok || bos != 3 {
		t.Errorf("BOS %d %v, want 3", bos, ok)
	}
	if got := tok.EOS(); !slices.Equal(got, []int32{2, 4}) {
		t.Errorf("EOS %v, want [2 4]", got)
	}
	if ids, err := tok.Encode("ab<s>ba</s>", true); err != nil || !slices.Equal(ids, []int32{2, 3, 1, 0, 4}) {
		t.Errorf("ids %v (%v)", ids, err)
	}
	if got := tok.Decode([]int32{3, 2, -1, 99, 0, 4}, true); got != "aba" {
		t.Errorf("decoded %q, want aba", got)
	}
	if tok.VocabSize() != 5 {
		t.Errorf("vocabulary of %d, want 5", tok.VocabSize())
	}
	if _, err := OpenWith("nosuch", dir); err == nil || !strings.Contains(err.Error(), `unknown tokenizer "nosuch": have native`) {
		t.Errorf("unknown backend: %v", err)
	}
	if _, err := Open(writeDir(t, map[string]string{"tokenizer.model": "x"})); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "tokenizer.model alone is not read") {
		t.Errorf("a directory with tokenizer.model alone: %v", err)
	}
	if ids, err := tok.Encode("acb", true); err != nil || !slices.Equal(ids, []int32{2}) { // c has no token, its neighbours merge
		t.Errorf("a character without a token: ids %v (%v), want [2]", ids, err)
	}
}

func TestOpenChatTemplate(t *testing.T) {
	named := `[{"name": "tool_use", "template": "no"}, {"name": "default", "template": "{{ bos_token }}hi"}]`
	for _, c := range []struct {
		files      map[string]string
		want, fail string
	}{
		{map[string]string{"tokenizer_config.json": `{"bos_token": "<s>", "chat_template": "{{ bos_token }}{{ eos_token }}", "eos_token": "</s>"}`}, "<s></s>", ""},
		{map[string]string{"tokenizer_config.json": `{"bos_token": "<s>", "chat_template": ` + named + `}`}, "<s>hi", ""},
		{map[string]string{"tokenizer_config.json": `{"bos_token": "<s>", "chat_template": "no"}`, "chat_template.jinja": "{{ bos_token }}jinja"}, "<s>jinja", ""},
		{map[string]string{"tokenizer_config.json": `{"chat_template": [{"name": "rag", "template": "x"}]}`}, "", `no chat template is named "default": have rag`},
		{map[string]string{"tokenizer_config.json": `{"chat_template": 7}`}, "", "neither a string nor a list"},
		{map[string]string{"tokenizer_config.json": `{"chat_template": "{% if"}`}, "", "tokenizer_config.json: chat template does not parse"},
		{map[string]string{"tokenizer_config.json": `{`}, "", "tokenizer_config.json: byte 1"},
		{map[string]string{}, "", ErrNoChatTemplate.Error()},
	} {
		tmpl, err := OpenChatTemplate(writeDir(t, c.files))
		got := ""
		if err == nil {
			got, err = tmpl.Render(nil, RenderOptions{})
		}
		if c.fail == "" && (err != nil || got != c.want) {
			t.Errorf("%v: rendered %q (%v), want %q", c.files, got, err, c.want)
		}
		if c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)) {
			t.Errorf("%v: error %v, want one with %q", c.files, err, c.fail)
		}
	}
}

// TestBrokenFiles changes one part of a valid tokenizer.json at a time.
func TestBrokenFiles(t *testing.T) {
	if _, err := FromJSON([]byte(tiny)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, value, want string }{
		{"", `{"model": `, "byte 10"},
		{"", `[]`, "byte 1"},
		{"", `{}`, "no model"},
		{"model", `{"type": "BPE"}`, "model vocab"},
		{"model.type", `"WordPiece"`, `model "WordPiece" is not supported by the native tokenizer; --tokenizer sugarme may read it`},
		{"model.type", `"Unigram"`, `--tokenizer sugarme`},
		{"model.vocab", `{}`, "no tokens"},
		{"model.vocab", `{"a": 0, "b": 1, "ab": 1}`, `tokens "ab" and "b" both have id 1`},
		{"model.vocab", `{"a": 0, "b": 1, "ab": -2}`, `token "ab" has id -2: out of range`},
		{"model.vocab", `{"a": 0, "b": 1, "ab": 2000000000}`, `token "ab" has id 2000000000: out of range`},
		{"model.vocab", `{"a": 0, "b": 1, "ab": 99999999999}`, "model vocab: byte"},
		{"model.vocab", `{"a": 0, "b": 1}`, `number 0, "a" and "b", needs the token "ab"`},
		{"model.merges", `["ab"]`, `number 0, "ab", is not two tokens`},
		{"model.merges", `["a b c"]`, `is not two tokens`},
		{"model.merges", `[["a", "b", "c"]]`, "has 3 parts"},
		{"model.merges", `[["a", "b"], "a b"]`, "model merges"},
		{"model.merges", `7`, "model merges"},
		{"model.unk_token", `"?"`, `unk_token "?" is not in the vocabulary`},
		{"model.dropout", `0.1`, "dropout is not supported"},
		{"model.end_of_word_suffix", `"</w>"`, "end_of_word_suffix is not supported"},
		{"added_tokens", `[{"id": 7, "content": ""}]`, "number 0 is empty"},
		{"added_tokens", `[{"id": -7, "content": "x"}]`, `"x" has id -7`},
		{"added_tokens", `[{"id": 7, "content": "ab"}]`, `token "ab" has id 2 in the vocabulary and id 7`},
		{"normalizer", `{"type": "Lowercase"}`, `normalizer "Lowercase" is not supported`},
		{"normalizer", `{"type": "Replace", "content": "x"}`, "no pattern"},
		{"normalizer", `{"type": "Replace", "pattern": {"Regex": "(a"}, "content": "x"}`, "byte 0: unclosed ("},
		{"pre_tokenizer", `{"type": "BertPreTokenizer"}`, `pre_tokenizer "BertPreTokenizer" is not supported`},
		{"pre_tokenizer", `{"type": "Split", "pattern": {"Regex": "\\b"}, "behavior": "Isolated"}`, `\b is not supported`},
		{"pre_tokenizer", `{"type": "Split", "pattern": {"String": "a"}, "behavior": "Exploded"}`, `behavior "Exploded"`},
		{"pre_tokenizer", `{"type": "Metaspace", "replacement": "", "prepend_scheme": "always"}`, "is not one character"},
		{"pre_tokenizer", `{"type": "Metaspace", "replacement": "_", "prepend_scheme": "often"}`, `unknown prepend_scheme "often"`},
		{"pre_tokenizer", `{"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]}`, `"Digits" after ByteLevel`},
		{"pre_tokenizer", strings.Repeat(`{"type": "Sequence", "pretokenizers": [`, 20) + strings.Repeat("]}", 20), "nested deeper than 16"},
		{"post_processor", `{"type": "BertProcessing"}`, `post_processor "BertProcessing" is not supported`},
		{"post_processor", `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<x>"}}]}`, `special token "<x>" is not defined`},
		{"post_processor", `{"type": "TemplateProcessing", "single": [], "special_tokens": {}}`, "has the text 0 times"},
		{"post_processor", `{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}], "special_tokens": {"x": {"ids": [77]}}}`, "id 77, which is not in the vocabulary"},
		{"normalizer", `{"type": "Replace", "pattern": {"String": "a"}, "content": "` + strings.Repeat("a", 5000) + `"}`, "more than 4096 times as long"},
		{"normalizer", `{"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "` + strings.Repeat("a", 99) + `"},
			{"type": "Replace", "pattern": {"String": "a"}, "content": "` + strings.Repeat("a", 99) + `"}]}`, "more than 4096 times as long"},
		{"pre_tokenizer", `{"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"String": "a"}, "behavior": "Removed"},
			{"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"}]}`, "after a Split that removes text"},
		{"decoder", `{"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""}`, "Replace by anything but a string"},
		{"decoder", `{"type": "Replace", "pattern": {"String": "a"}, "content": "` + strings.Repeat("a", 5000) + `"}`, "more than 4096 times as long"},
		{"decoder", `{"type": "CTC"}`, `decoder "CTC" is not supported`},
		{"decoder", `{"type": "Strip", "content": "xy"}`, "is not one character"},
		{"decoder", `{"type": "Strip", "content": "x", "start": -1}`, "negative"},
	} {
		data := []byte(c.value)
		if c.path != "" {
			data = replaced(t, []byte(tiny), strings.Split(c.path, "."), c.value)
		}
		_, err := FromJSON(data)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %s: error %v, want one with %q", c.path, c.value, err, c.want)
		}
	}
}

// replaced sets the value at a path in a JSON object.
func replaced(t *testing.T, data []byte, path []string, value string) []byte {
	t.Helper()
	object := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &object); err != nil {
		t.Fatal(err)
	}
	if len(path) > 1 {
		value = string(replaced(t, object[path[0]], path[1:], value))
	}
	object[path[0]] = json.RawMessage(value)
	out, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestLongAddedTokens: added tokens that are too long are refused by name, before a trie is built for them.
func TestLongAddedTokens(t *testing.T) {
	made := func(extra, normalizer string) []byte {
		return []byte(strings.Replace(strings.Replace(tiny, `"added_tokens": [`, `"added_tokens": [`+extra, 1), `"normalizer": null`, `"normalizer": `+normalizer, 1))
	}
	var many strings.Builder
	for i := range 300 {
		fmt.Fprintf(&many, `{"id": %d, "content": "%d%s"}, `, 10+i, i, strings.Repeat("x", 16000))
	}
	for want, text := range map[string][]byte{
		`added_tokens: token 5, "xxxxxxxx`:           made(`{"id": 5, "content": "`+strings.Repeat("x", 8<<20)+`"}, `, "null"),
		`added_tokens: token 6, "yyyyyyyy`:           made(`{"id": 6, "content": "`+strings.Repeat("y", 8<<20)+`", "special": true}, `, "null"),
		`added_tokens: with token 272, "262xxxxxxxx`: made(many.String(), "null"),
		`added_tokens: token 7, "zzzzzzzz`: made(`{"id": 7, "content": "`+strings.Repeat("a", 1<<10)+`", "normalized": true}, `,
			`{"type": "Replace", "pattern": {"String": "a"}, "content": "`+strings.Repeat("z", 100)+`"}`),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := FromJSON(text)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.HasPrefix(err.Error(), want) || len(err.Error()) > 300 {
			t.Errorf("%.300v, want %s", err, want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 200<<20 {
			t.Errorf("%s takes %d MB", want, n>>20)
		}
	}
}
