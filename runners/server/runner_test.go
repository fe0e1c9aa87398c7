package server

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/runnertest"
)

func teeTo(r *http.Request, w io.Writer) io.Reader { return io.TeeReader(r.Body, w) }

// pair is two servers as one runner: each answers its own variant.
type pair [2]*Runner

func (p pair) Describe() runners.Description { return p[0].Describe() }
func (p pair) Close() error                  { return nil }

func (p pair) of(v runners.Variant) *Runner {
	if p[1].Check([]runners.Variant{v}) == nil {
		return p[1]
	}
	return p[0]
}

func (p pair) Check(list []runners.Variant) error {
	for _, v := range list {
		if err := p.of(v).Check([]runners.Variant{v}); err != nil {
			return err
		}
	}
	return nil
}

func (p pair) Run(ctx context.Context, work runners.Work) error {
	return runners.OneByOne(ctx, work, func(ctx context.Context, q runners.Request) (out []runners.Completion, err error) {
		for _, v := range q.Variants {
			one := q
			one.Variants = []runners.Variant{v}
			answer, err := runners.Answer(ctx, p.of(v), one)
			if err != nil {
				return nil, err
			}
			out = append(out, answer[0]...)
		}
		return out, nil
	})
}

// A server keeps what every runner promises.
func TestServerIsARunner(t *testing.T) {
	p := pair{
		newFake(t).open(t, func(o *Options) { o.Label = "a"; o.Concurrency = 3 }),
		newFake(t, func(f *fake) { f.drift = 5 }).open(t, func(o *Options) { o.Label = "b"; o.Concurrency = 3 }),
	}
	runnertest.Run(t, runnertest.Subject{
		Runner: p, Variants: []runners.Variant{p[0].Variant(), p[1].Variant()},
		Requests:   []runners.Request{prompt("one", 8), prompt("another prompt", 8), prompt("third", 8)},
		Impossible: prompt(strings.Repeat("x", fakeContext), 8),
	})
}

// What the server is, and what it takes, is found out.
func TestOpenLearns(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(*fake)
		revision string
		about    []string
		text     bool
	}{
		{"vLLM", func(*fake) {}, "vllm 9.8.7", []string{"token ids", "the server's own tokenizer"}, false},
		{"llama.cpp", func(f *fake) { f.owner = "llamacpp" }, "llama.cpp b99", []string{"token ids"}, false},
		{"a server that reads text", func(f *fake) { f.textual = true }, "vllm 9.8.7", []string{"as text"}, true},
		{"a stranger", func(f *fake) { f.owner = "somebody" }, "somebody 9.8.7", []string{"token ids"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, c.change)
			r := f.open(t)
			d := r.Describe()
			if d.Model != "toy" || d.Revision != c.revision || d.Device != "server" || d.Context != fakeContext || d.Text != c.text {
				t.Errorf("%+v", d)
			}
			for _, word := range c.about {
				if !strings.Contains(d.About, word) {
					t.Errorf("%q does not say %q", d.About, word)
				}
			}
			m := r.Reader()
			text, err := m.Chat([]datasets.Message{{Role: "user", Content: "hi"}}, nil)
			if err != nil || !strings.HasSuffix(text, "<hi>") {
				t.Errorf("the template gives %q, %v", text, err)
			}
			ids, err := m.Tokenizer.Encode("hi", true)
			if err != nil || !slices.Equal(ids, idsOfText("hi", true)) || m.Tokenizer.Decode(ids, true) != "hi" {
				t.Errorf("the tokenizer gives %v, %v, and back %q", ids, err, m.Tokenizer.Decode(ids, true))
			}
			if c.name == "vLLM" {
				if bos, ok := m.Tokenizer.BOS(); !ok || bos != beginID {
					t.Errorf("texts begin with %d, %t", bos, ok)
				}
			}
			a := ask(t, r, prompt("hello", 5))
			if a.Err != nil || len(a.Text) != 5 || a.Note != "" || a.Served.NewTokens != 5 || a.Served.PromptTokens != len("hello")+1 {
				t.Errorf("%+v %+v", a, a.Served)
			}
			if a.Served.FirstToken <= 0 || a.Served.TokenP95 < a.Served.TokenP50 {
				t.Errorf("times: %+v", a.Served)
			}
			if body := f.bodies[0]; body["temperature"] != 0.0 || body["seed"] != 0.0 || body["max_tokens"] != 5.0 {
				t.Errorf("it was asked %v", body)
			}
		})
	}
}

// A server that is busy while it is met is not taken for one that reads no ids, or has no tokenizer: that would change
// every prompt. One that has none says so otherwise.
func TestOpenOfABusyServer(t *testing.T) {
	for _, c := range []struct {
		path   string
		status int
		tries  int32  // that are answered so
		takes  string // of its description; empty: it is not opened
	}{
		{"/v1/completions", http.StatusServiceUnavailable, 2, ""},
		{"/v1/completions", http.StatusTooManyRequests, 2, ""},
		{"/v1/completions", http.StatusInternalServerError, 2, "prompts as text"},
		{"/v1/completions", http.StatusBadRequest, 1, "prompts as text"},
		{"/detokenize", http.StatusServiceUnavailable, 2, ""},
		{"/detokenize", http.StatusInternalServerError, 2, ""},
		{"/detokenize", http.StatusNotFound, 1, "tokens by the server alone"},
	} {
		f := newFake(t)
		inner := f.Config.Handler
		var asked atomic.Int32
		f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == c.path && asked.Add(1) <= c.tries { // what is asked next is answered
				http.Error(w, "not now", c.status)
				return
			}
			inner.ServeHTTP(w, r)
		})
		r, err := Open(t.Context(), Options{URL: f.URL, Wait: time.Millisecond, Retries: 1})
		switch {
		case c.takes == "" && (err == nil || !strings.Contains(err.Error(), "not now")):
			t.Errorf("%s says %d: %v; want what it says", c.path, c.status, err)
		case c.takes != "" && (err != nil || !strings.Contains(r.Describe().About, c.takes)):
			t.Errorf("%s says %d: %v; want %q", c.path, c.status, err, c.takes)
		}
		if err == nil {
			r.Close()
		}
	}
}

func TestModelsAreChosen(t *testing.T) {
	f := newFake(t)
	_, err := Open(t.Context(), Options{URL: f.URL, Model: "tay"})
	if err == nil || !strings.Contains(err.Error(), `"tay"`) || !strings.Contains(err.Error(), "toy") {
		t.Errorf("a model that is not there: %v", err)
	}
	if _, err := choose([]served{{ID: "a"}, {ID: "b"}}, ""); err == nil || !strings.Contains(err.Error(), "a, b") {
		t.Errorf("one of several: %v", err)
	}
}

// Messages go to the chat's own path, with the server's template.
func TestMessages(t *testing.T) {
	f := newFake(t)
	r := f.open(t)
	chat := ask(t, r, runners.Request{Messages: []datasets.Message{{Role: "user", Content: "hello"}}, MaxNew: 6})
	plain := ask(t, r, prompt("<hello>", 6))
	if chat.Err != nil || chat.Text != plain.Text || chat.Text == "" {
		t.Errorf("a chat answers %q (%v), its rendered text %q", chat.Text, chat.Err, plain.Text)
	}
	if f.bodies[0]["prompt"] != nil || f.bodies[0]["messages"] == nil {
		t.Errorf("asked %v", f.bodies[0])
	}
}

// A token that ends an answer is a text to a server that takes no such tokens.
func TestStopTokensAsText(t *testing.T) {
	s := datasets.Sample{StopIDs: []int32{'\n' + idOfByte}, StopStrings: []string{"x"}}
	if got := newFake(t).open(t).Stop(s); !slices.Equal(got.Tokens, s.StopIDs) || !slices.Equal(got.Strings, s.StopStrings) {
		t.Errorf("vLLM: %+v", got)
	}
	r := newFake(t, func(f *fake) { f.owner = "llamacpp" }).open(t)
	if got := r.Stop(s); len(got.Tokens) != 0 || !slices.Equal(got.Strings, []string{"x", "\n"}) {
		t.Errorf("llama.cpp: %+v", got)
	}
	q := prompt("a", 4)
	q.Stop.Tokens = []int32{3}
	if c := ask(t, r, q); c.Err == nil || !strings.Contains(c.Err.Error(), "stop tokens") {
		t.Errorf("stop tokens that it cannot take: %+v", c)
	}
}

// A second answer shows the server's own noise.
func TestRepeat(t *testing.T) {
	f := newFake(t, func(f *fake) {
		f.fault = func(n int, _ http.ResponseWriter, _ *http.Request) bool {
			f.drift = n // each answer is another
			return false
		}
	})
	r := f.open(t, func(o *Options) { o.Repeat = true })
	c := ask(t, r, prompt("hello", 5))
	if c.Served.Again == nil || *c.Served.Again == c.Text || !strings.Contains(c.Note, "otherwise") {
		t.Errorf("%+v, again %v", c, c.Served.Again)
	}
	f.fault = nil
	f.drift = 0
	if c := ask(t, r, prompt("hello", 5)); c.Served.Again == nil || *c.Served.Again != c.Text || c.Note != "" {
		t.Errorf("%+v, again %v", c, c.Served.Again)
	}
}

// As many requests are underway as was asked for, and no more.
func TestConcurrency(t *testing.T) {
	const n = 3
	arrived, leave := make(chan bool), make(chan bool)
	f := newFake(t, func(f *fake) {
		f.fault = func(int, http.ResponseWriter, *http.Request) bool {
			arrived <- true
			<-leave
			return false
		}
	})
	r := f.open(t, func(o *Options) { o.Concurrency = n })
	if len(r.Team()) != n {
		t.Fatalf("%d lanes", len(r.Team()))
	}
	done := make(chan error)
	q := prompt("a", 2)
	q.Variants = []runners.Variant{r.Variant()}
	for _, lane := range r.Team() {
		go func() {
			_, err := runners.Answer(t.Context(), lane, q, q)
			done <- err
		}()
	}
	for range n {
		<-arrived
	}
	select {
	case <-arrived:
		t.Error("one more than allowed is underway")
	case <-time.After(100 * time.Millisecond):
	}
	go func() {
		for range n {
			<-arrived
		}
	}()
	close(leave)
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if f := r.Figures(); f.Requests != 2*n || f.NewTokens != 2*2*n {
		t.Errorf("%+v", f)
	}
}
