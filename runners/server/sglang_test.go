package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
)

// SGLang's version and tokenizer are found where its releases have them: 0.5.23 tells its
// version at /server_info, older ones at /get_server_info; /detokenize gives "text", and
// leaves special tokens out unless it is told not to.
func TestSGLang(t *testing.T) {
	for _, path := range []string{"/server_info", "/get_server_info"} {
		f := newFake(t, func(f *fake) { f.owner = "sglang" })
		usual := f.Config.Handler
		f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case path:
				fmt.Fprint(w, `{"version":"0.5.23"}`)
			case "/version":
				http.NotFound(w, r)
			case "/detokenize":
				var q struct {
					Tokens []int32
					Skip   *bool `json:"skip_special_tokens"`
				}
				json.NewDecoder(r.Body).Decode(&q)
				text := ""
				for _, id := range q.Tokens {
					switch {
					case id != beginID:
						text += string(rune(id - idOfByte))
					case q.Skip != nil && !*q.Skip:
						text += "<s>"
					}
				}
				json.NewEncoder(w).Encode(map[string]string{"text": text})
			default:
				usual.ServeHTTP(w, r)
			}
		})
		r := f.open(t)
		if d := r.Describe(); d.Revision != "sglang 0.5.23" {
			t.Errorf("%s: %q", path, d.Revision)
		}
		m := r.Reader()
		if m.Tokenizer == nil {
			t.Fatalf("%s: no tokenizer", path)
		}
		ids, err := m.Tokenizer.Encode("hi", true)
		if err != nil || !slices.Equal(ids, idsOfText("hi", true)) || m.Tokenizer.Decode(ids, false) != "<s>hi" || m.Tokenizer.Decode(ids, true) != "hi" {
			t.Errorf("%s: %v, %v, back %q", path, ids, err, m.Tokenizer.Decode(ids, false))
		}
	}
}
