package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

// Runner is a server that runs. Unlike others it may be used by several goroutines.
type Runner struct {
	options Options
	base    *url.URL
	client  *client
	variant Variant
	about   runners.Description
	load    meter

	model   string
	engine  engine
	context int
	texts   bool // it has /completions
	ids     bool // which takes token ids
	remote  *remote
	reader  datasets.Model
}

// Open asks a server what it is, and what it takes. The context is that of all that is
// asked of it later without one, by its tokenizer.
func Open(ctx context.Context, o Options) (*Runner, error) {
	o, base, err := o.checked()
	if err != nil {
		return nil, runners.Mistake(err)
	}
	r := &Runner{options: o, base: base, client: newClient(base, o)}
	if r.variant, err = NewVariant(o.Label, o.Settings); err != nil {
		return nil, runners.Mistake(err)
	}
	for _, learn := range []func(context.Context) error{r.meet, r.learnTokens, r.probe} {
		if err := learn(ctx); err != nil {
			r.Close()
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("server %s: %w", base, err)
		}
	}
	if o.Trail != nil && !r.canFollow() {
		r.Close()
		return nil, runners.Mistake(fmt.Errorf("server %s: fidelity needs distributions by token ids, which vLLM and llama.cpp tell where they are asked with ids; this is %s", base, r.revision()))
	}
	r.describe()
	return r, nil
}

// learnTokens finds the tokenizer and the chat template.
func (r *Runner) learnTokens(ctx context.Context) (err error) {
	o := r.options
	if r.remote, err = r.tokenizer(ctx); err != nil {
		return err
	}
	r.reader = datasets.Model{Name: r.model, ContextLength: r.context, Messages: true}
	switch {
	case o.Tokenizer != nil:
		if err := r.sameTokenizer(); err != nil {
			return err
		}
		r.reader.Tokenizer = o.Tokenizer
	case r.remote != nil:
		r.reader.Tokenizer = r.remote
	default:
		r.reader.Text = true
	}
	if o.Chat == nil {
		r.reader.Chat, err = r.template(ctx, r.remote)
		return err
	}
	r.reader.Chat = func(messages []datasets.Message, variables map[string]any) (string, error) {
		list := make([]tokenizer.Message, len(messages))
		for i, m := range messages {
			list[i] = tokenizer.Message{Role: m.Role, Content: m.Content}
		}
		return o.Chat.Render(list, tokenizer.RenderOptions{AddGenerationPrompt: true, Now: o.Today, Variables: variables})
	}
	return nil
}

// sameTokenizer holds the tokenizer that was given to the server's, where that has one.
func (r *Runner) sameTokenizer() error {
	if r.remote == nil {
		return nil
	}
	const text = "It's the 3rd of 1024 naïve tests:\n\n\tx = [1, 2]; 你好, мир!  End"
	ours, err := r.options.Tokenizer.Encode(text, false)
	if err != nil {
		return err
	}
	theirs, err := r.remote.Encode(text, false)
	if err != nil {
		return err
	}
	if !slices.Equal(ours, theirs) {
		return runners.Mistake(fmt.Errorf("the tokenizer given is not that of the server's model: of %q one makes %v, the other %v", text, ours, theirs))
	}
	return nil
}

// probe asks whether /completions is there and takes token ids.
func (r *Runner) probe(ctx context.Context) error {
	var prompt any = "a"
	want := 0
	if t := r.reader.Tokenizer; t != nil {
		ids, err := t.Encode("a b c", false)
		if err != nil {
			return err
		}
		prompt, want = ids, len(ids)
	}
	ask := func(prompt any) (out reply, err error) {
		err = r.once(ctx, "completions", map[string]any{"model": r.model, "prompt": prompt, "max_tokens": 1, "temperature": 0}, &out)
		return out, err
	}
	out, err := ask(prompt)
	var said *StatusError
	if err != nil && want > 0 && errors.As(err, &said) && !isGone(err) && said.Status != http.StatusNotFound && !busy(said.Status) {
		want = 0 // it does not read ids
		out, err = ask("a")
	}
	switch {
	case errors.As(err, &said) && (said.Status == http.StatusNotFound || said.Status == http.StatusMethodNotAllowed):
		return nil // messages are all that it takes
	case err != nil:
		return err
	}
	r.texts = true
	r.ids = want > 0 && out.Usage != nil && out.Usage.PromptTokens == want
	return nil
}

// busy says that a status is about the server's moment, and not about what it was asked.
func busy(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func (r *Runner) revision() string {
	return strings.TrimSpace(r.engine.name + " " + r.engine.version)
}

func (r *Runner) describe() {
	takes := "prompts as token ids"
	switch {
	case !r.texts:
		takes = "messages alone"
	case !r.ids:
		takes = "prompts as text"
	}
	r.about = runners.Description{
		Model: r.model, Revision: r.revision(), Device: "server", DType: "as served", Name: r.variant.String(),
		About: fmt.Sprintf("%s at %s, %s, tokens by %s", r.revision(), r.base, takes, r.Tokens()), Context: r.context,
		Text: !r.ids, Fidelity: r.options.Trail != nil,
	}
}

// Tokens says whose tokenizer counts: "a tokenizer of its own", "the server", "nobody".
func (r *Runner) Tokens() string {
	switch {
	case r.options.Tokenizer != nil:
		return "a tokenizer that was given"
	case r.remote != nil:
		return "the server's own tokenizer"
	}
	return "the server alone"
}

// Variant is what the server answers under.
func (r *Runner) Variant() Variant { return r.variant }

// Describe says which server answers.
func (r *Runner) Describe() runners.Description { return r.about }

// Subject is what rows of this server are about.
func (r *Runner) Subject() results.Subject {
	d := r.about
	return results.Subject{Model: d.Model, Revision: d.Revision, Device: d.Device, DType: d.DType}
}

// Settings are what else decides an answer, each as "name=value", for a row's identity.
func (r *Runner) Settings() []string {
	return []string{"tokens=" + r.Tokens(), fmt.Sprintf("ids=%t", r.ids), fmt.Sprintf("seed=%d", r.options.Seed), fmt.Sprintf("repeat=%t", r.options.Repeat)}
}

// Reader is the server's model as prompts see it.
func (r *Runner) Reader() datasets.Model { return r.reader }

// Stop returns where a sample's answer ends; the server's own end tokens end it
// besides. Stop tokens are texts where the server takes no others.
func (r *Runner) Stop(s datasets.Sample) runners.Stop {
	stop := runners.Stop{Strings: slices.Clone(s.StopStrings)}
	for _, id := range s.StopIDs {
		text := ""
		if !r.engine.stopIDs && r.reader.Tokenizer != nil {
			text = r.reader.Tokenizer.Decode([]int32{id}, true)
		}
		if text == "" || strings.Contains(text, "\uFFFD") {
			stop.Tokens = append(stop.Tokens, id)
		} else if !slices.Contains(stop.Strings, text) {
			stop.Strings = append(stop.Strings, text)
		}
	}
	return stop
}

// Check reports a variant that is another server's.
func (r *Runner) Check(list []runners.Variant) error {
	for _, v := range list {
		if v.String() != r.variant.String() {
			return fmt.Errorf("variant %s is not what %s serves, which is %s", v, r.base, r.variant)
		}
	}
	return nil
}

// Team returns the server as runners that ask at the same time, each one request
// after the other: as many as its concurrency, so that so many are always underway,
// and each answer is written down when it comes.
func (r *Runner) Team() []runners.Runner {
	list := make([]runners.Runner, r.options.Concurrency)
	for i := range list {
		list[i] = lane{r}
	}
	return list
}

// lane is a server that others ask, too.
type lane struct{ *Runner }

// Close of one lane leaves the server to the others.
func (lane) Close() error { return nil }

// Run asks one request after the other. A [GoneError] means that none can be answered.
func (r *Runner) Run(ctx context.Context, work runners.Work) error {
	return runners.OneByOne(ctx, work, func(ctx context.Context, q runners.Request) ([]runners.Completion, error) {
		out := make([]runners.Completion, len(q.Variants))
		for j, v := range q.Variants {
			var err error
			switch out[j], err = r.complete(ctx, q, v); {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case err != nil:
				return nil, fmt.Errorf("server %s: %w", r.base, err)
			}
		}
		return out, nil
	})
}

// Close gives connections back.
func (r *Runner) Close() error {
	r.client.http.CloseIdleConnections()
	return nil
}

// Figures are what the server was seen to do since it was opened.
func (r *Runner) Figures() Figures { return r.load.figures() }
