package tokenizer

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestOwnTokens: tokens that the small files name are found, kept and left out as by transformers.
func TestOwnTokens(t *testing.T) {
	data, err := os.ReadFile("testdata/owntokens.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Files            map[string]json.RawMessage
		Texts            []string
		IDs              [][]int32
		Decoded, Without []string
	}
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) == 0 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		files := map[string]string{}
		for name, text := range c.Files {
			files[name] = string(text)
		}
		about := files["tokenizer_config.json"] + files["special_tokens_map.json"]
		tok, err := Open(writeDir(t, files))
		if err != nil {
			t.Errorf("%s: %v", about, err)
			continue
		}
		for i, text := range c.Texts {
			if ids, err := tok.Encode(text, true); err != nil || !slices.Equal(ids, c.IDs[i]) {
				t.Errorf("%s: %q: %v (%v), want %v", about, text, ids, err, c.IDs[i])
			}
			if got := tok.Decode(c.IDs[i], false); got != c.Decoded[i] {
				t.Errorf("%s: %v: %q, want %q", about, c.IDs[i], got, c.Decoded[i])
			}
			if got := tok.Decode(c.IDs[i], true); got != c.Without[i] {
				t.Errorf("%s: %v without special tokens: %q, want %q", about, c.IDs[i], got, c.Without[i])
			}
		}
	}
	t.Logf("%d files compared", len(cases))
}

// TestOwnTokensElsewhere: an id that nobody gives is an error.
func TestOwnTokensElsewhere(t *testing.T) {
	dir := writeDir(t, map[string]string{"tokenizer.json": tiny, "tokenizer_config.json": `{"added_tokens_decoder": {"9": {"content": "<m>"}}}`})
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), `token "<m>" has id 9, and 5`) {
		t.Error(err)
	}
}

// TestTemplateVariables: what transformers 5.24 defines for a template: tools and documents as none, the special tokens that the
// files name, and no others.
func TestTemplateVariables(t *testing.T) {
	const template = `{{ tools is none }} {{ documents is none }} {{ bos_token is defined }} {{ eos_token }} {{ pad_token }} {{ unk_token }} {{ m_token }}`
	for config, want := range map[string]string{
		`{"eos_token": "</s>", "pad_token": {"content": "[PAD]"}, "extra_special_tokens": {"m_token": "<m>"}}`: "True True False </s> [PAD]  <m>",
		`{"bos_token": "<s>", "unk_token": "<unk>"}`:                                                           "True True True   <unk> ",
	} {
		c, err := OpenChatTemplate(writeDir(t, map[string]string{"tokenizer_config.json": config, "chat_template.jinja": template}))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Render(nil, RenderOptions{}); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", config, got, err, want)
		}
	}
	c, err := ParseChatTemplate(`{{ bos_token + "x" }}`)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := c.Render(nil, RenderOptions{}); err == nil || !strings.Contains(err.Error(), "bos_token") {
		t.Errorf("%q, %v; want an error that names bos_token", text, err)
	}
}
