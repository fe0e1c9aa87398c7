package server

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/wiretest"
)

// fake is a server without a model: what it answers follows from the prompt's ids. An
// id is a byte's number plus idOfByte; beginID begins every text.
type fake struct {
	*httptest.Server
	wire    *wiretest.Wire // that it is at; nil: this machine's network
	owner   string         // of /models
	textual bool           // it reads no ids
	drift   int            // changes its answers
	// fault handles the n-th question to /completions or /chat/completions (the first is
	// 0, probes with "max_tokens": 1 and no stream left out) where it returns true.
	fault func(n int, w http.ResponseWriter, r *http.Request) bool

	mu      sync.Mutex
	asked   int
	keys    []string         // Authorization of each request
	bodies  []map[string]any // of questions
	metrics string
	page    func() string // in place of metrics
}

const (
	idOfByte    = 10
	beginID     = 1
	fakeContext = 1000
)

func newFake(t *testing.T, change ...func(*fake)) *fake {
	f := &fake{owner: "vllm"}
	for _, c := range change {
		c(f)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"data":[{"id":"toy","owned_by":%q,"max_model_len":%d}]}`, f.owner, fakeContext)
	})
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"version":"9.8.7"}`) })
	mux.HandleFunc("GET /props", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"build_info":"b99","default_generation_settings":{"n_ctx":%d}}`, fakeContext)
	})
	mux.HandleFunc("POST /tokenize", f.tokenize)
	mux.HandleFunc("POST /detokenize", f.detokenize)
	mux.HandleFunc("POST /apply-template", func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Messages []struct{ Content string } }
		json.NewDecoder(r.Body).Decode(&q)
		json.NewEncoder(w).Encode(map[string]string{"prompt": "<" + q.Messages[0].Content + ">"})
	})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if f.page != nil {
			fmt.Fprint(w, f.page())
			return
		}
		if f.metrics == "" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, f.metrics)
	})
	mux.HandleFunc("POST /v1/completions", f.complete)
	mux.HandleFunc("POST /v1/chat/completions", f.complete)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.keys = append(f.keys, r.Header.Get("Authorization"))
		f.mu.Unlock()
		mux.ServeHTTP(w, r)
	})
	if f.wire != nil {
		f.Server = f.wire.Serve(handler)
	} else {
		f.Server = httptest.NewServer(handler)
	}
	t.Cleanup(f.Close)
	return f
}

// inMemory puts a fake at a network in memory, for tests of times: with testing/synctest these are exact.
func inMemory(f *fake) { f.wire = wiretest.New("fake.test") }

func idsOfText(text string, special bool) (ids []int32) {
	if special {
		ids = append(ids, beginID)
	}
	for _, b := range []byte(text) {
		ids = append(ids, int32(b)+idOfByte)
	}
	return ids
}

func (f *fake) tokenize(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Prompt, Content string
		Special         bool `json:"add_special"`
		SpecialTokens   bool `json:"add_special_tokens"`
		Messages        []struct{ Content string }
	}
	json.NewDecoder(r.Body).Decode(&q)
	text := q.Prompt + q.Content
	if len(q.Messages) > 0 {
		text = "<" + q.Messages[0].Content + ">"
	}
	json.NewEncoder(w).Encode(map[string]any{"tokens": idsOfText(text, q.Special || q.SpecialTokens)})
}

func (f *fake) detokenize(w http.ResponseWriter, r *http.Request) {
	var q struct{ Tokens []int32 }
	json.NewDecoder(r.Body).Decode(&q)
	var text []byte
	for _, id := range q.Tokens {
		if id == beginID {
			text = append(text, "<s>"...)
			continue
		}
		text = append(text, byte(id-idOfByte))
	}
	name := "prompt"
	if f.owner == "llamacpp" {
		name = "content"
	}
	json.NewEncoder(w).Encode(map[string]string{name: string(text)})
}

type fakeQuestion struct {
	Prompt         json.RawMessage
	Messages       []struct{ Content string }
	Max            int `json:"max_tokens"`
	Least          int `json:"min_tokens"`
	Stop           []string
	StopIDs        []int32 `json:"stop_token_ids"`
	Stream         bool
	Logprobs       int
	PromptLogprobs int  `json:"prompt_logprobs"`
	IDs            bool `json:"return_token_ids"`
	TokensAsIDs    bool `json:"return_tokens_as_token_ids"`
}

func (f *fake) complete(w http.ResponseWriter, r *http.Request) {
	data := new(strings.Builder)
	var q fakeQuestion
	var body map[string]any
	json.NewDecoder(teeTo(r, data)).Decode(&q)
	json.Unmarshal([]byte(data.String()), &body)
	if q.Stream {
		f.mu.Lock()
		n := f.asked
		f.asked++
		f.bodies = append(f.bodies, body)
		f.mu.Unlock()
		if f.fault != nil && f.fault(n, w, r) {
			return
		}
	}
	var ids []int32
	var text string
	switch {
	case len(q.Messages) > 0:
		ids = idsOfText("<"+q.Messages[0].Content+">", true)
	case json.Unmarshal(q.Prompt, &text) == nil:
		ids = idsOfText(text, true)
	case f.textual || json.Unmarshal(q.Prompt, &ids) != nil:
		http.Error(w, `{"error":{"message":"prompt: want a string"}}`, http.StatusBadRequest)
		return
	}
	if len(ids)+q.Max > fakeContext {
		http.Error(w, fmt.Sprintf(`{"error":{"message":"This model's maximum context length is %d tokens","code":400}}`, fakeContext), http.StatusBadRequest)
		return
	}
	f.answer(w, q, ids)
}

// answer says letters that follow from the prompt.
func (f *fake) answer(w http.ResponseWriter, q fakeQuestion, ids []int32) {
	if q.PromptLogprobs > 0 {
		list := []any{nil}
		for i := 1; i < len(ids); i++ {
			of := map[string]any{}
			for id, p := range f.distribution(ids[:i]) {
				of[fmt.Sprint(id)] = map[string]any{"logprob": p}
			}
			if own := fmt.Sprint(ids[i]); of[own] == nil {
				of[own] = map[string]any{"logprob": -12.0}
			}
			list = append(list, of)
		}
		json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"text": "x", "finish_reason": "length", "prompt_logprobs": list}}})
		return
	}
	say := newSpeech(w, len(ids), q)
	var text string
	context := slices.Clone(ids)
	reason := "length"
	for n := 0; n < q.Max && reason == "length"; n++ {
		id := f.next(context)
		for n < q.Least && slices.Contains(q.StopIDs, id) {
			id++
		}
		context = append(context, id)
		piece := string(rune(id - idOfByte))
		if text += piece; slices.Contains(q.StopIDs, id) {
			reason = "stop"
		}
		for _, s := range q.Stop {
			if strings.HasSuffix(text, s) {
				reason, piece = "stop", ""
			}
		}
		say.piece(piece, id, f.distribution(context[:len(context)-1]))
	}
	say.end(reason)
}

// next is the most likely token after others.
func (f *fake) next(ids []int32) int32 {
	sum := int32(f.drift)
	for i, id := range ids {
		sum = (sum*31 + id + int32(i)) % 10007
	}
	return 'a' + sum%26 + idOfByte
}

// distribution gives three tokens' log-probabilities after others.
func (f *fake) distribution(ids []int32) map[int32]float64 {
	first := f.next(ids)
	return map[int32]float64{first: math.Log(0.5 + 0.01*float64(f.drift%10)), first + 1: math.Log(0.25), first + 2: math.Log(0.125)}
}

// speech is an answer, streamed or in one piece.
type speech struct {
	w      http.ResponseWriter
	q      fakeQuestion
	prompt int
	new    int
	text   string
}

func newSpeech(w http.ResponseWriter, prompt int, q fakeQuestion) *speech {
	if q.Stream {
		w.Header().Set("Content-Type", "text/event-stream")
	}
	return &speech{w: w, q: q, prompt: prompt}
}

func (s *speech) piece(text string, id int32, of map[int32]float64) {
	s.new++
	s.text += text
	if !s.q.Stream && s.q.Logprobs == 0 {
		return
	}
	c := map[string]any{"index": 0, "text": text, "delta": map[string]string{"content": text}, "finish_reason": nil}
	if s.q.Messages == nil {
		delete(c, "delta")
	} else {
		delete(c, "text")
	}
	if s.q.IDs {
		c["token_ids"] = []int32{id}
	}
	switch {
	case s.q.Logprobs > 0 && s.q.TokensAsIDs: // vLLM's way
		likely := map[string]float64{}
		for id, p := range of {
			likely[fmt.Sprint(idPrefix, id)] = p
		}
		c["logprobs"] = map[string]any{
			"tokens": []string{fmt.Sprint(idPrefix, id)}, "token_logprobs": []float64{of[id]}, "top_logprobs": []any{likely}, "text_offset": []int{0},
		}
	case s.q.Logprobs > 0: // llama.cpp's
		var likely []any
		for id, p := range of {
			likely = append(likely, map[string]any{"id": id, "logprob": p})
		}
		c["logprobs"] = map[string]any{"content": []any{map[string]any{"id": id, "logprob": of[id], "top_logprobs": likely}}}
	}
	if !s.q.Stream { // one token is asked for
		c["finish_reason"] = "length"
		json.NewEncoder(s.w).Encode(map[string]any{"choices": []any{c}})
		return
	}
	s.send(map[string]any{"choices": []any{c}})
}

func (s *speech) usage() map[string]int {
	return map[string]int{"prompt_tokens": s.prompt, "completion_tokens": s.new}
}

func (s *speech) end(reason string) {
	if s.q.Stream {
		s.send(map[string]any{"choices": []any{map[string]any{"index": 0, "text": "", "finish_reason": reason}}})
		s.send(map[string]any{"choices": []any{}, "usage": s.usage()})
		fmt.Fprint(s.w, "data: [DONE]\n\n")
	} else if s.q.Logprobs == 0 {
		json.NewEncoder(s.w).Encode(map[string]any{"choices": []any{map[string]any{"index": 0, "text": s.text, "finish_reason": reason}}, "usage": s.usage()})
	}
}

func (s *speech) send(v any) {
	data, _ := json.Marshal(v)
	fmt.Fprintf(s.w, "data: %s\n\n", data)
	s.w.(http.Flusher).Flush()
}

// open opens a fake as a runner; retries come at once.
func (f *fake) open(t *testing.T, change ...func(*Options)) *Runner {
	t.Helper()
	o := Options{URL: f.URL + "/v1", Label: "toy", Wait: time.Millisecond, Retries: 3}
	if f.wire != nil {
		o.dial = f.wire.Dial
	}
	for _, c := range change {
		c(&o)
	}
	r, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// prompt is a request for a text's ids.
func prompt(text string, most int) runners.Request {
	return runners.Request{Text: text, Prompt: idsOfText(text, true), MaxNew: most}
}

// ask asks one thing.
func ask(t *testing.T, r *Runner, q runners.Request) runners.Completion {
	t.Helper()
	q.Variants = []runners.Variant{r.Variant()}
	out, err := runners.Answer(t.Context(), r, q)
	if err != nil {
		t.Fatal(err)
	}
	return out[0][0]
}
