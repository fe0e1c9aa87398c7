package server

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Whatever a server streams, there is an answer or an error, and no more than was
// asked for.
func FuzzStream(f *testing.F) {
	f.Add(says("a") + ended + used(6, 1) + over)
	f.Add(says("a\xe2\x82") + says("\xac") + long)
	f.Add("error: {\"message\":\"x\"}\n\n")
	f.Add(`data: {"choices":[{"logprobs":{"content":[{"id":5,"logprob":-1,"top_logprobs":[{"id":5,"logprob":-1}]}]}}]}` + "\n\n")
	f.Add(`data: {"choices":[{"logprobs":{"tokens":["token_id:5"],"token_logprobs":[-1],"top_logprobs":[{"token_id:5":-1}]}}]}` + "\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		q := prompt("hello", 4)
		q.Stop.Strings = []string{"END"}
		a := &answer{asked: q, began: time.Now()}
		c := &client{}
		err := events(strings.NewReader(stream), func(data []byte) (bool, error) {
			r, err := c.read(data)
			if err != nil {
				return false, err
			}
			return a.add(r, time.Now())
		})
		if err != nil || a.whole() != nil {
			return
		}
		got, _ := a.completion()
		if got.Err == nil && (!utf8.ValidString(got.Text) || strings.Contains(got.Text, "END") || len(got.Tokens) > q.MaxNew || got.Served.NewTokens > q.MaxNew) {
			t.Errorf("%q: %+v", stream, got)
		}
	})
}

// Texts that are UTF-8 are read as encoding/json reads them.
func FuzzText(f *testing.F) {
	f.Add(`"a\ud83d\ude00é\n"`)
	f.Add(`null`)
	f.Add("\"\xe2\x82\"")
	f.Fuzz(func(t *testing.T, source string) {
		var ours struct{ T text }
		var theirs struct{ T string }
		a := json.Unmarshal([]byte(`{"T":`+source+`}`), &ours)
		b := json.Unmarshal([]byte(`{"T":`+source+`}`), &theirs)
		if (a == nil) != (b == nil) {
			t.Fatalf("%q: %v and %v", source, a, b)
		}
		if a == nil && utf8.ValidString(source) && string(ours.T) != theirs.T {
			t.Errorf("%q: %q and %q", source, ours.T, theirs.T)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add("vllm:num_requests_running{a=\"b\"} 2.0\n")
	f.Add("llamacpp:kv_cache_usage_ratio 0.5\n")
	f.Fuzz(func(t *testing.T, page string) {
		l, err := readLoad(strings.NewReader(page))
		if err != nil {
			return
		}
		for _, v := range []*float64{l.CacheUse, l.Running, l.Waiting} {
			if v != nil && !(*v >= 0 && *v <= math.MaxFloat64) {
				t.Errorf("%q: %v", page, *v)
			}
		}
	})
}
