package tokenizer

import (
	"strings"
	"testing"
	"time"
)

// chatVectors are conversations rendered by Jinja2.
type chatVectors struct {
	BOS   string `json:"bos_token"`
	EOS   string `json:"eos_token"`
	Date  string `json:"date"`
	Cases []struct {
		Family              string    `json:"family"`
		Conversation        string    `json:"conversation"`
		AddGenerationPrompt bool      `json:"add_generation_prompt"`
		Template            string    `json:"template"`
		Messages            []Message `json:"messages"`
		Rendered            string    `json:"rendered"`
		Error               string    `json:"error"`
	} `json:"cases"`
}

func (v *chatVectors) check(t *testing.T) {
	t.Helper()
	now, err := time.Parse("2 Jan 2006", v.Date)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, c := range v.Cases {
		name := c.Family + "/" + c.Conversation
		tmpl, err := ParseChatTemplate(c.Template)
		if c.Family == "gemma3" {
			if err == nil || !strings.Contains(err.Error(), "chat template does not parse") || len(err.Error()) > 300 {
				t.Errorf("%s: error %v, want one that says that the template does not parse", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		tmpl.BOS, tmpl.EOS = v.BOS, v.EOS
		got, err := tmpl.Render(c.Messages, RenderOptions{AddGenerationPrompt: c.AddGenerationPrompt, Now: now})
		switch {
		case c.Error != "" && err == nil:
			t.Errorf("%s: rendered %q, want an error like %s", name, got, c.Error)
		case c.Error == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case got != c.Rendered:
			t.Errorf("%s: rendered\n%q, want\n%q", name, got, c.Rendered)
		}
		checked++
	}
	if checked == 0 {
		t.Error("no cases")
	}
	t.Logf("%d cases", checked)
}

func TestChatTemplatesShared(t *testing.T) {
	var v chatVectors
	readJSONFile(t, sharedDir(t, "vectors", "chat_templates.json"), &v)
	v.check(t)
}
