package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/snapbench/snapbench/runners"
)

// raw is a stream, written as it stands.
func raw(w http.ResponseWriter, parts ...string) {
	w.Header().Set("Content-Type", "text/event-stream")
	for _, p := range parts {
		fmt.Fprint(w, p)
		w.(http.Flusher).Flush()
	}
}

// says is an event with a piece of text.
func says(text string) string {
	return `data: {"choices":[{"index":0,"text":"` + text + `","finish_reason":null}]}` + "\n\n"
}

const (
	ended = `data: {"choices":[{"index":0,"text":"","finish_reason":"stop"}]}` + "\n\n"
	long  = `data: {"choices":[{"index":0,"text":"","finish_reason":"length"}]}` + "\n\n"
	over  = "data: [DONE]\n\n"
)

func used(prompt, answer int) string {
	return fmt.Sprintf(`data: {"choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d}}`+"\n\n", prompt, answer)
}

// always writes the same stream.
func always(parts ...string) func(*fake) {
	return func(f *fake) {
		f.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			raw(w, parts...)
			return true
		}
	}
}

// What fails in passing is asked again; the answer is the one that it would have been.
func TestPassingFaults(t *testing.T) {
	const times = 2
	status := func(status int, header ...string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			http.Error(w, `{"error":{"message":"later"}}`, status)
		}
	}
	words := map[string]string{
		"429": "429 Too Many Requests: later", "500": "500 Internal Server Error: later", "a cut stream": "breaks off after 2 pieces", "a broken connection": "broke",
		"wrong JSON": "no such JSON", "an error within a stream": "oh", "an error as llama.cpp writes it": ": oh",
		"silence": "says nothing for 100ms", "silence before a word": "says nothing for 100ms",
	}
	for name, fault := range map[string]func(http.ResponseWriter){
		"429":                             status(429),
		"429 with Retry-After":            status(429, "Retry-After", "0"),
		"500":                             status(500),
		"503":                             status(503),
		"a cut stream":                    func(w http.ResponseWriter) { raw(w, says("a"), says("b")) },
		"a stream cut within an event":    func(w http.ResponseWriter) { raw(w, says("a"), `data: {"choices":[{"te`) },
		"a broken connection":             func(w http.ResponseWriter) { raw(w, says("a")); panic(http.ErrAbortHandler) },
		"wrong JSON":                      func(w http.ResponseWriter) { raw(w, says("a"), "data: {\"choices\": nothing}\n\n") },
		"a number for a text":             func(w http.ResponseWriter) { raw(w, `data: {"choices":[{"text":5}]}`+"\n\n") },
		"an error within a stream":        func(w http.ResponseWriter) { raw(w, says("a"), `data: {"error":{"message":"oh"}}`+"\n\n") },
		"an error as llama.cpp writes it": func(w http.ResponseWriter) { raw(w, says("a"), `error: {"code":500,"message":"oh"}`+"\n\n") },
		"silence before a word":           func(http.ResponseWriter) { time.Sleep(500 * time.Millisecond) },
		"silence":                         func(w http.ResponseWriter) { raw(w, says("a"), says("b")); time.Sleep(500 * time.Millisecond) },
		"a drip of a single event":        func(w http.ResponseWriter) { drip(w, "data: {\"choices\":[{\"text\":\"a") },
		"signs of life, and no answer":    func(w http.ResponseWriter) { drip(w, ": ping\n\n: ping\n\n: ping\n\n") },
	} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { passes(t, fault, times, words[name]) }) })
	}
}

// passes holds a runner to what it does about a fault that passes with so many requests, and about one that stays, whose
// error says some words.
func passes(t *testing.T, fault func(http.ResponseWriter), times int, words string) {
	f := newFake(t, inMemory, func(f *fake) {
		f.fault = func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n < times {
				fault(w)
			}
			return n < times
		}
	})
	r := f.open(t, func(o *Options) { o.Silence = 100 * time.Millisecond })
	c := ask(t, r, prompt("hello", 5))
	if c.Err != nil || c.Served.Retries != times || len(c.Text) != 5 || len(c.Tokens) != 5 {
		t.Errorf("%+v, %+v", c, c.Served)
	}
	want := ask(t, r, prompt("hello", 5))
	if want.Text != c.Text || want.Served.Retries != 0 {
		t.Errorf("answers %q, without a fault %q after %d retries", c.Text, want.Text, want.Served.Retries)
	}
	// What it goes on failing with is told.
	f.mu.Lock()
	f.asked = -100
	f.mu.Unlock()
	c = ask(t, r, prompt("hello", 5))
	if c.Err == nil || !strings.Contains(c.Err.Error(), "asked 4 times") || !strings.Contains(c.Err.Error(), words) || c.Served.Retries != 3 || c.Text != "" {
		t.Errorf("a fault that stays: %+v, %+v", c, c.Served)
	}
}

// drip sends a text byte by byte, slowly.
func drip(w http.ResponseWriter, text string) {
	for i := range len(text) {
		raw(w, text[i:i+1])
		time.Sleep(15 * time.Millisecond)
	}
}

// Whole events that come slowly are an answer, however long they take together.
func TestSlowAnswersAreAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const pause = 60 * time.Millisecond
		f := newFake(t, inMemory, func(f *fake) {
			f.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				for range 8 {
					time.Sleep(pause)
					raw(w, says("a"))
				}
				raw(w, ended, used(6, 8), over)
				return true
			}
		})
		c := ask(t, f.open(t, func(o *Options) { o.Silence = 100 * time.Millisecond }), prompt("hello", 8))
		if c.Err != nil || c.Text != "aaaaaaaa" || c.Served.Retries != 0 {
			t.Fatalf("%+v", c)
		}
		if s := c.Served; s.FirstToken != pause || s.TokenP50 != pause || s.TokenP95 != pause || c.Decode != 7*pause {
			t.Errorf("%+v, decoding %v", s, c.Decode)
		}
	})
}

// A server says when it wants to be asked again; one that wants hours is given up.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		after := "0.2"
		f := newFake(t, inMemory, func(f *fake) {
			f.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				if times = append(times, time.Now()); len(times)%2 == 0 {
					return false
				}
				w.Header().Set("Retry-After", after)
				w.WriteHeader(http.StatusTooManyRequests)
				return true
			}
		})
		r := f.open(t)
		if c := ask(t, r, prompt("hello", 2)); c.Err != nil || times[1].Sub(times[0]) != 200*time.Millisecond {
			t.Errorf("%v, asked again after %v", c.Err, times[1].Sub(times[0]))
		}
		after = "7200"
		began := time.Now()
		if c := ask(t, r, prompt("hello", 2)); c.Err == nil || !strings.Contains(c.Err.Error(), "2h0m0s") || time.Since(began) > 0 {
			t.Errorf("two hours: %v after %v", c.Err, time.Since(began))
		}
	})
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "soon": 0, "-3": 0, "7": 7 * time.Second, "1e300": 0, "NaN": 0,
		"Fri, 02 Jan 2026 03:04:35 GMT": 30 * time.Second, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("Retry-After %q is %v, want %v", header, got, want)
		}
	}
}

// Waits grow, and are between half of their time and all of it.
func TestWaitsGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time
		f := newFake(t, inMemory, func(f *fake) {
			f.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				times = append(times, time.Now())
				w.WriteHeader(http.StatusInternalServerError)
				return true
			}
		})
		ask(t, f.open(t, func(o *Options) { o.Wait, o.Retries = 20*time.Millisecond, 4 }), prompt("hello", 2))
		if len(times) != 5 {
			t.Fatalf("asked %d times", len(times))
		}
		for i := 1; i < len(times); i++ {
			least := 10 * time.Millisecond << (i - 1)
			if waited := times[i].Sub(times[i-1]); waited < least || waited > 2*least {
				t.Errorf("try %d after %v, want %v to %v", i+1, waited, least, 2*least)
			}
		}
	})
}

// What an answer is held to.
func TestAnswers(t *testing.T) {
	stop := func(s ...string) runners.Request {
		q := prompt("hello", 8)
		q.Stop.Strings = s
		return q
	}
	for _, c := range []struct {
		name  string
		parts []string
		ask   runners.Request
		text  string
		err   string
		note  string
		check func(runners.Completion) bool
	}{
		{name: "half a character in two events", parts: []string{says("a\xe2\x82"), says("\xac!"), ended, over}, text: "a€!"},
		{name: "half a character in two writes", parts: []string{`data: {"choices":[{"text":"` + "a\xe2", "\x82\xac!\"}]}\n\n", ended, over}, text: "a€!"},
		{name: "half a character at the end", parts: []string{says("a\xe2\x82"), ended, over}, text: "a\uFFFD"},
		{name: "escapes", parts: []string{says(`\ud83d\ude00\n\"`), ended, over}, text: "😀\n\""},
		{name: "lines that end in CR LF, comments, no space", parts: []string{": hi\r\n\r\n", "data:{\"choices\":[{\"text\":\"a\"}]}\r\n\r\n", ended, over}, text: "a"},
		{name: "an event of two lines", parts: []string{"data: {\"choices\":[{\"text\":\ndata: \"a\"}]}\n\n", ended, over}, text: "a"},
		{name: "a stop string over two events", ask: stop("zz", "END"), parts: []string{says("abE"), says("ND and more"), says("x"), ended, over}, text: "ab",
			check: func(c runners.Completion) bool { return c.Ended }},
		{name: "a stop string over three events", ask: stop("END"), parts: []string{says("abE"), says("N"), says("Dx"), ended, over}, text: "ab"},
		{name: "the first of two stop strings", ask: stop("d", "bc"), parts: []string{says("abcd"), ended, over}, text: "a"},
		{name: "the beginning of a stop string", ask: stop("END"), parts: []string{says("abE"), says("N"), ended, over}, text: "abEN"},
		{name: "five stop strings", ask: stop("1", "2", "3", "4", "5"), parts: []string{says("a5"), ended, over}, text: "a"},
		{name: "no end after a stop string is needed", ask: stop("END"), parts: []string{says("aEND")}, text: "a"},
		{name: "an answer without [DONE]", parts: []string{says("a"), ended}, text: "a"},
		{name: "an answer longer than asked, by its count", parts: []string{says("abc"), says("defghijkl"), long, used(6, 12), over}, err: "12 tokens, where at most 8"},
		{name: "an answer longer than asked, by its ids", parts: []string{`data: {"choices":[{"text":"abc","token_ids":[1,2,3,4,5,6,7,8,9]}]}` + "\n\n", long, over}, err: "9 tokens, where at most 8"},
		{name: "an answer longer than asked, by its pieces", parts: append(slices.Repeat([]string{says("a")}, 9), long, over), err: "9 tokens, where at most 8"},
		{name: "an answer without end", parts: slices.Repeat([]string{says("a")}, 100), err: "goes on"},
		{name: "a piece without end", parts: []string{says(strings.Repeat("a", 1<<17)), ended, over}, err: "goes on"},
		{name: "an answer cut short", parts: []string{says("a"), long, used(6, 1), over}, text: "a", note: "lack of room", check: func(c runners.Completion) bool { return !c.Ended }},
		{name: "a filtered answer", parts: []string{says("a"), `data: {"choices":[{"text":"","finish_reason":"content_filter"}]}` + "\n\n", over}, err: "content_filter"},
		{name: "two answers", parts: []string{says("a"), `data: {"choices":[{"index":1,"text":"b"}]}` + "\n\n"}, err: "answer 2"},
		{name: "a prompt that was cut", parts: []string{says("a"), ended, used(4, 1), over}, err: "read 4 of the prompt's 6 tokens"},
		{name: "a prompt that was cut, in words", parts: []string{`data: {"truncated":true,"choices":[{"text":"a","finish_reason":"stop"}]}` + "\n\n", over}, err: "says so"},
		{name: "a prompt counted otherwise", parts: []string{says("a"), ended, used(7, 1), over}, text: "a", note: "+1 tokens"},
		{name: "a prompt from the cache", parts: []string{says("a"), ended, `data: {"choices":[],"usage":{"prompt_tokens":6,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":4}}}` + "\n\n", over}, text: "a", note: "in its cache"},
		{name: "thoughts", parts: []string{`data: {"choices":[{"delta":{"role":"assistant","content":null}}]}` + "\n\n", `data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}` + "\n\n",
			`data: {"choices":[{"delta":{"content":"a"}}]}` + "\n\n", ended, over}, text: "a", note: "thoughts"},
		{name: "a stop token in the middle", parts: []string{`data: {"choices":[{"text":"abc","token_ids":[1,2,3]}]}` + "\n\n", ended, over}, err: "after the stop token 2",
			ask: func() runners.Request { q := prompt("hello", 8); q.Stop.Tokens = []int32{2}; return q }()},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.ask.MaxNew == 0 {
				c.ask = prompt("hello", 8)
			}
			got := ask(t, newFake(t, always(c.parts...)).open(t, func(o *Options) { o.Retries = -1 }), c.ask)
			switch {
			case c.err != "" && (got.Err == nil || !strings.Contains(got.Err.Error(), c.err) || got.Text != ""):
				t.Errorf("%q, error %v; want one with %q", got.Text, got.Err, c.err)
			case c.err == "" && (got.Err != nil || got.Text != c.text):
				t.Errorf("%q, error %v; want %q", got.Text, got.Err, c.text)
			case c.note == "" && got.Note != "" || !strings.Contains(got.Note, c.note):
				t.Errorf("note %q, want %q", got.Note, c.note)
			case c.check != nil && !c.check(got):
				t.Errorf("%+v", got)
			}
		})
	}
}

// A server that does not stream is read all the same; its times are unknown.
func TestAnswerInOnePiece(t *testing.T) {
	c := ask(t, newFake(t, func(f *fake) {
		f.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"choices":[{"text":"abc","finish_reason":"stop"}],"usage":{"prompt_tokens":6,"completion_tokens":3}}`)
			return true
		}
	}).open(t), prompt("hello", 8))
	if c.Err != nil || c.Text != "abc" || c.Served.NewTokens != 3 || c.Served.FirstToken != 0 || c.Decode != 0 {
		t.Errorf("%+v, %+v", c, c.Served)
	}
}

// What does not fit is that request's own error, by the server's words and by ours.
func TestDoesNotFit(t *testing.T) {
	for name, said := range map[string]string{
		"vLLM":      `{"error":{"message":"This model's maximum context length is 10 tokens. However, you requested 12","type":"BadRequestError","code":400}}`,
		"llama.cpp": `{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_ctx":10}}`,
		"OpenAI":    `{"error":{"message":"too many","code":"context_length_exceeded"}}`,
	} {
		f := newFake(t, func(f *fake) {
			f.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
				http.Error(w, said, http.StatusBadRequest)
				return true
			}
		})
		c := ask(t, f.open(t), prompt("hello", 2))
		var fit *FitError
		if !errors.As(c.Err, &fit) || f.asked != 1 {
			t.Errorf("%s: %v after %d questions", name, c.Err, f.asked)
		}
	}
	f := newFake(t)
	var fit *FitError
	if c := ask(t, f.open(t), prompt(strings.Repeat("x", fakeContext), 2)); !errors.As(c.Err, &fit) || f.asked != 0 {
		t.Errorf("longer than the context: %v after %d questions", c.Err, f.asked)
	}
}

// A server that is no longer there ends the run: its rows are not errors, they are
// asked when it is back.
func TestAServerThatGoesAway(t *testing.T) {
	f := newFake(t)
	r := f.open(t)
	f.fault = func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		raw(w, says("a"))
		f.Config.Close() // in the middle of the answer
		panic(http.ErrAbortHandler)
	}
	q := prompt("hello", 5)
	q.Variants = []runners.Variant{r.Variant()}
	out, err := runners.Answer(t.Context(), r, q)
	var gone *GoneError
	if !errors.As(err, &gone) || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("%v, %v", out, err)
	}
	if _, err := Open(t.Context(), Options{URL: f.URL, Retries: -1}); !errors.As(err, &gone) {
		t.Errorf("opened again: %v", err)
	}
}

// A redirect is not followed: neither prompts nor the key go anywhere else.
func TestRedirects(t *testing.T) {
	visited := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visited++ }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		f := newFake(t, func(f *fake) {
			f.fault = func(_ int, w http.ResponseWriter, r *http.Request) bool {
				http.Redirect(w, r, other.URL+"/v1/completions?key=secret-word", status)
				return true
			}
		})
		r := f.open(t, func(o *Options) { o.Key = Key{"secret-word"} })
		q := prompt("hello", 5)
		q.Variants = []runners.Variant{r.Variant()}
		_, err := runners.Answer(t.Context(), r, q)
		if err == nil || !strings.Contains(err.Error(), other.URL) || strings.Contains(err.Error(), "secret-word") || f.asked != 1 {
			t.Errorf("%d: %v after %d questions", status, err, f.asked)
		}
	}
	if visited > 0 {
		t.Errorf("the other host was asked %d times", visited)
	}
}
