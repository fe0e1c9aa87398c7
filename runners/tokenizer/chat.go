package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/nikolalohinski/gonja/v2/exec"

	"github.com/snapbench/snapbench/inputs"
)

// Message is one turn of a conversation.
type Message struct {
	Role    string `json:"role"` // system, user or assistant; templates may know more
	Content string `json:"content"`
}

// ChatTemplate renders conversations as a model was trained to read them. The language is Jinja2, as the transformers
// library sets it up. It is safe for concurrent use.
type ChatTemplate struct {
	template *exec.Template
	from     string // the file, and ": "
	// BOS and EOS are what the template sees as bos_token and eos_token.
	BOS, EOS string
}

// RenderOptions are what a template sees beside the messages.
type RenderOptions struct {
	AddGenerationPrompt bool           // end where the assistant's answer begins
	Now                 time.Time      // for strftime_now; zero: the time of the call
	Variables           map[string]any // further variables, such as enable_thinking
}

// ErrNoChatTemplate says that the model files have no chat template.
var ErrNoChatTemplate = errors.New("the model has no chat template")

// ParseChatTemplate reads a template. Rendering can only put out text: templates have no access to files.
func ParseChatTemplate(source string) (c *ChatTemplate, err error) {
	defer recovered(&err, "chat template")
	if len(source) > maxTemplate {
		return nil, fmt.Errorf("chat template: %d bytes, more than %d", len(source), maxTemplate)
	}
	if n := openBrackets(source); n > maxBrackets {
		return nil, fmt.Errorf("chat template: %d brackets open at once, more than %d", n, maxBrackets)
	}
	t, err := exec.NewTemplate(templateName, templateConfig, sourceLoader(source), templateEnvironment)
	if err != nil {
		// The parser's error begins with the whole source.
		msg := strings.TrimPrefix(err.Error(), "failed to parse template '"+source+"': ")
		return nil, fmt.Errorf("chat template does not parse: %s", msg)
	}
	if err := guardTemplate(t.Root()); err != nil {
		return nil, fmt.Errorf("chat template: %w", err)
	}
	return &ChatTemplate{template: t}, nil
}

// Render returns the text of a conversation. A template that refuses it (roles that do not alternate, say) is an error
// with the template's words; one that would take too much memory or time is an error, too.
func (c *ChatTemplate) Render(messages []Message, opts RenderOptions) (text string, err error) {
	defer recovered(&err, c.from+"chat template")
	now := opts.Now
	if now.IsZero() {
		now = time.Now()
	}
	list := make([]any, len(messages))
	size := int64(0)
	for i, m := range messages {
		size += int64(len(m.Role) + len(m.Content))
		list[i] = map[string]any{"role": m.Role, "content": m.Content}
	}
	data := map[string]any{}
	for k, v := range opts.Variables {
		data[k] = v
	}
	data["messages"] = list
	data["add_generation_prompt"] = opts.AddGenerationPrompt
	data["bos_token"] = c.BOS
	data["eos_token"] = c.EOS
	size += sizeOf(exec.AsValue(opts.Variables), math.MaxInt64)
	e := &effort{budget: templateMemory + templateMemoryPerByte*size}
	e.memory = e.budget
	data["raise_exception"] = func(_ *exec.Evaluator, args *exec.VarArgs) (string, error) {
		if err := e.use(args.First()); err != nil {
			return "", err
		}
		return "", e.fail(fmt.Errorf("the template refuses the conversation: %s", args.First().String()))
	}
	data["strftime_now"] = func(_ *exec.Evaluator, args *exec.VarArgs) (string, error) {
		if err := e.use(args.First()); err != nil {
			return "", err
		}
		return strftime(now, args.First().String())
	}
	maps.Copy(data, e.functions())
	data[effortName] = e
	var out strings.Builder
	err = exec.NewRenderer(&exec.Environment{
		Context:           templateEnvironment.Context.Inherit().Update(exec.NewContext(data)),
		Filters:           e.filters(),
		Tests:             templateEnvironment.Tests,
		ControlStructures: templateEnvironment.ControlStructures,
		Methods:           e.methods(),
	}, &out, templateConfig, sourceLoader(""), c.template).Execute()
	if e.err != nil { // the engine's own words around it name the nodes it passed
		err = e.err
	}
	if err != nil {
		return "", fmt.Errorf("%schat template: %w", c.from, err)
	}
	return out.String(), nil
}

// recovered turns a panic of the template engine into an error.
func recovered(err *error, what string) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: the template engine failed: %v", what, r)
	}
}

// OpenChatTemplate reads the chat template of a Hugging Face directory: chat_template.jinja, or chat_template in
// tokenizer_config.json (of several, the one named default), with the spellings of BOS and EOS. The error wraps
// [ErrNoChatTemplate] if there is none.
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
	return c, nil
}

// template returns the source of the template: a string, or one of a list of named ones.
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
