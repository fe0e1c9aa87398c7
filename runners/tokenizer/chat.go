package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/runners/tokenizer/jinja"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"` // system, user, assistant, or another one that the template knows
	Content string `json:"content"`
}

// ChatTemplate renders conversations in the form that a model was trained on. The language is Jinja2, as the
// transformers library sets it up. It is safe for concurrent use.
type ChatTemplate struct {
	template *jinja.Template
	from     string // the file and ": ", for errors
	// BOS and EOS are the template's variables bos_token and eos_token; empty: they are not defined.
	BOS, EOS string
	// Specials are further tokens that the model's files name, by variable, as pad_token.
	Specials map[string]string
}

// RenderOptions are the inputs of a template besides the messages.
type RenderOptions struct {
	AddGenerationPrompt bool           // end with the beginning of the assistant's turn
	Now                 time.Time      // for strftime_now; zero: the time of the call
	Variables           map[string]any // further variables, such as enable_thinking; add_generation_prompt among them prevails
}

// ErrNoChatTemplate is the error for model files without a chat template.
var ErrNoChatTemplate = errors.New("the model has no chat template")

// ParseChatTemplate reads a template. Templates have no access to files.
func ParseChatTemplate(source string) (*ChatTemplate, error) {
	t, err := jinja.Parse(source, jinja.Options{Generation: true})
	var e *jinja.Error
	switch {
	case errors.As(err, &e) && (e.Kind == jinja.Unsupported || e.Kind == jinja.OverLimit):
		return nil, fmt.Errorf("chat template: %w", err)
	case err != nil:
		return nil, fmt.Errorf("chat template does not parse: %w", err)
	}
	return &ChatTemplate{template: t}, nil
}

// UsesDate reports whether the template names strftime_now, so that its text may depend on [RenderOptions].Now.
func (c *ChatTemplate) UsesDate() bool { return c.template.UsesNow() }

// memoryPerByte is the memory that a rendering may take for each byte of the conversation, besides a fixed amount: a
// template may copy a message many times.
const memoryPerByte = 64

// Render returns the text of a conversation. If the template refuses it (for example because roles do not alternate),
// the error has the template's words. It is an error, too, if rendering takes too much memory or time.
func (c *ChatTemplate) Render(messages []Message, opts RenderOptions) (string, error) {
	now := opts.Now
	if now.IsZero() {
		now = time.Now()
	}
	vars := jinja.Variables{"tools": nil, "documents": nil} // transformers' defaults, which are defined
	for name, token := range c.Specials {
		vars[name] = token
	}
	maps.Copy(vars, opts.Variables)
	list := make([]any, len(messages))
	size := 0
	for i, m := range messages {
		size += len(m.Role) + len(m.Content)
		list[i] = jinja.Pairs{{Key: "role", Value: m.Role}, {Key: "content", Value: m.Content}}
	}
	vars["messages"] = list
	if _, given := vars["add_generation_prompt"]; !given {
		vars["add_generation_prompt"] = opts.AddGenerationPrompt
	}
	for name, token := range map[string]string{"bos_token": c.BOS, "eos_token": c.EOS} {
		if token != "" {
			vars[name] = token
		}
	}
	limits := jinja.DefaultLimits
	limits.Memory += memoryPerByte * int64(size)
	text, err := c.template.Render(vars, now, limits)
	var e *jinja.Error
	switch {
	case errors.As(err, &e) && e.Kind == jinja.Refused:
		return "", fmt.Errorf("%schat template: the template refuses the conversation: %s", c.from, e.Text)
	case err != nil:
		return "", fmt.Errorf("%schat template: %w", c.from, err)
	}
	return text, nil
}

// OpenChatTemplate reads the chat template of a Hugging Face directory, and the spellings of BOS and EOS. The template is
// chat_template.jinja, or else chat_template in tokenizer_config.json (if it has several, the one named default). The
// error wraps [ErrNoChatTemplate] if there is none.
func OpenChatTemplate(dir string) (*ChatTemplate, error) {
	cfg, err := readTokenizerConfig(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "chat_template.jinja")
	var source string
	switch data, err := inputs.ReadFile(path); {
	case err == nil:
		source = string(data)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	default:
		path = filepath.Join(dir, "tokenizer_config.json")
		if source, err = cfg.template(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	c, err := ParseChatTemplate(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	c.BOS, c.EOS, c.from = string(cfg.BOS), string(cfg.EOS), path+": "
	own, err := readOwnTokens(dir)
	if err != nil {
		return nil, err
	}
	c.Specials = own.named()
	return c, nil
}

// template returns the source of the template: chat_template is a string or a list of named templates.
func (c *tokenizerConfig) template() (string, error) {
	if isNull(c.ChatTemplate) {
		return "", ErrNoChatTemplate
	}
	var source string
	if json.Unmarshal(c.ChatTemplate, &source) == nil {
		return source, nil
	}
	var named []struct {
		Name     string `json:"name"`
		Template string `json:"template"`
	}
	if err := json.Unmarshal(c.ChatTemplate, &named); err != nil {
		return "", fmt.Errorf("chat_template is neither a string nor a list of named templates: %w", err)
	}
	var names []string
	for _, n := range named {
		if n.Name == "default" {
			return n.Template, nil
		}
		names = append(names, n.Name)
	}
	return "", fmt.Errorf("no chat template is named %q: have %s", "default", strings.Join(names, ", "))
}

// Template returns the chat template of a GGUF file, with the spellings of BOS and EOS. The error wraps
// [ErrNoChatTemplate] if there is none.
func (v *GGUFVocabulary) Template() (*ChatTemplate, error) {
	if v.ChatTemplate == "" {
		return nil, fmt.Errorf("GGUF metadata: %w", ErrNoChatTemplate)
	}
	c, err := ParseChatTemplate(v.ChatTemplate)
	if err != nil {
		return nil, fmt.Errorf("GGUF metadata: %w", err)
	}
	c.from = "GGUF metadata: "
	if v.BOS != nil && int(*v.BOS) < len(v.Tokens) {
		c.BOS = v.Tokens[*v.BOS]
	}
	if v.EOS != nil && int(*v.EOS) < len(v.Tokens) {
		c.EOS = v.Tokens[*v.EOS]
	}
	return c, nil
}
