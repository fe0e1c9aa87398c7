package server

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
)

// A real server, whose address SNAPBENCH_SERVER is, is understood: its tokens, times,
// limits, messages and distributions.
func TestARealServer(t *testing.T) {
	address := os.Getenv("SNAPBENCH_SERVER")
	if address == "" {
		t.Skip("SNAPBENCH_SERVER names no server")
	}
	trail, err := OpenTrail(filepath.Join(t.TempDir(), "trail.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close()
	open := func(change func(*Options)) *Runner {
		o := Options{URL: address, Retries: -1}
		change(&o)
		r, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open(func(o *Options) { o.Repeat = true })
	d := r.Describe()
	t.Logf("%+v", d)
	if d.Context == 0 || !strings.Contains(d.Revision, " ") {
		t.Errorf("version or context are not known: %+v", d)
	}
	m := r.Reader()
	if m.Tokenizer == nil || m.Chat == nil {
		t.Fatalf("no tokenizer, or no template: %+v", m)
	}
	request := func(text string, most int) runners.Request {
		ids, err := m.Tokenizer.Encode(text, true)
		if err != nil {
			t.Fatal(err)
		}
		return runners.Request{Text: text, Prompt: ids, MaxNew: most}
	}
	const text = "The alphabet begins with the letters A, B, C, D, E, F,"
	c := ask(t, r, request(text, 12))
	t.Logf("%q %+v, note %q", c.Text, c.Served, c.Note)
	if c.Err != nil || c.Served.NewTokens != 12 || c.Ended || c.Served.PromptTokens != len(request(text, 1).Prompt) || !strings.Contains(c.Text, "G") {
		t.Errorf("%+v, %+v", c, c.Served)
	}
	if c.Served.FirstToken <= 0 || c.Served.TokenP50 <= 0 || c.Served.Again == nil {
		t.Errorf("times: %+v", c.Served)
	}
	stopped := request(text, 12)
	stopped.Stop.Strings = []string{"H, I"}
	if s := ask(t, r, stopped); s.Err != nil || !s.Ended || s.Text != c.Text[:max(0, strings.Index(c.Text, "H, I"))] {
		t.Errorf("stopped at %q: %q, %v", stopped.Stop.Strings, s.Text, s.Err)
	}
	if e := ask(t, r, request("Write only emoji: 😀😀😀😀😀😀😀😀😀😀", 12)); e.Err != nil || strings.Count(e.Text, "\uFFFD") > 1 {
		t.Errorf("characters of several tokens: %q, %v", e.Text, e.Err)
	}
	chat := ask(t, r, runners.Request{Messages: []datasets.Message{{Role: "user", Content: "What is the capital of France?"}}, MaxNew: 16})
	rendered, err := m.Chat([]datasets.Message{{Role: "user", Content: "What is the capital of France?"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if plain := ask(t, r, request(rendered, 16)); chat.Err != nil || chat.Text != plain.Text || plain.Note != "" && !strings.Contains(plain.Note, "cache") {
		t.Errorf("messages answer %q (%v), rendered %q (%v) by %q; note %q", chat.Text, chat.Err, plain.Text, plain.Err, rendered, plain.Note)
	}
	tooLong := request(strings.Repeat("one two three four five ", d.Context), 4)
	if f := ask(t, r, tooLong); f.Err == nil || !strings.Contains(f.Err.Error(), "does not fit") {
		t.Errorf("a prompt that is too long: %v", f.Err)
	}
	r.reader.ContextLength, r.context = 0, 0 // now the server has to say so
	if f := ask(t, r, tooLong); f.Err == nil || !strings.Contains(f.Err.Error(), "does not fit") {
		t.Errorf("a prompt that is too long, as the server says it: %v", f.Err)
	}
	baseline := ask(t, open(func(o *Options) { o.Trail, o.Baseline = trail, true }), request(text, 12))
	again := ask(t, open(func(o *Options) { o.Trail = trail }), request(text, 12))
	if baseline.Fidelity == nil || again.Fidelity == nil {
		t.Fatalf("fidelity: %q, %q", baseline.Note, again.Note)
	}
	t.Logf("the server against itself: %+v", *again.Fidelity)
	if f := again.Fidelity; f.Tokens != 12 || f.Agreement < 0.9 || f.KLMean > 0.01 {
		t.Errorf("the server against itself: %+v", f)
	}
	l, ok, err := r.Load(t.Context())
	t.Logf("load: %+v, %t, %v", l, ok, err)
	if err != nil {
		t.Error(err)
	}
}
