package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/snapbench/snapbench/results"
)

const turnsTemplate = "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</>{% endfor %}<assistant>"

// dialogueFile has a context with three questions, and what a server or the model's cache reads up to the third's answer.
func dialogueFile(t *testing.T) (file, read string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "q.jsonl")
	if err := os.WriteFile(file, []byte(`{"id": "cat", "context": "Our cat is called Miso and afraid of the goose next door.", "questions": [{"question": "Its name?", "answers": ["Miso"]}, {"question": "Its fear?", "begin": "The", "answers": ["goose"]}, {"question": "Where?", "answers": ["next door"]}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, "<user>Our cat is called Miso and afraid of the goose next door.\n\nIts name?</><assistant>Miso</><user>Its fear?</><assistant>The goose</><user>Where?</><assistant>"
}

func tinyChat(t *testing.T) string {
	t.Helper()
	dir := tinyModel(t)
	if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(turnsTemplate), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A dialogue holds what it kept of the first prompt and all that was read since. Its first answer is that of inside, and
// the gap's table leaves its longer prompts out. The command continues after a stop, row for row.
func TestDialogue(t *testing.T) {
	file, read := dialogueFile(t)
	model, out := tinyChat(t), filepath.Join(t.TempDir(), "q")
	args := []string{"questions", file, "--model", model, "--device", "cpu", "--convention", "inside,dialogue", "--budgets", "full,24", "--windows", "8", "--max-new", "4", "--quiet", "--out", out}
	pass(t, args...)
	set, err := results.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Rows) != 12 || len(results.Gaps(set)) != 0 {
		t.Fatalf("%d rows, gaps %+v", len(set.Rows), results.Gaps(set))
	}
	said := map[string]string{}
	for _, r := range set.Rows {
		said[r.Protocol+r.Sample+r.Variant] = r.Prediction
		if r.Error != "" {
			t.Errorf("%s by %s: %s", r.Sample, r.Protocol, r.Error)
		}
	}
	first := len("<user>Our cat is called Miso and afraid of the goose next door.\n\nIts name?</><assistant>")
	for _, r := range set.Rows {
		if r.Sample == "cat/1" && r.Prediction != said["inside"+r.Sample+r.Variant] {
			t.Errorf("%s, %s by %s: %q", r.Sample, r.Variant, r.Protocol, r.Prediction)
		}
		if r.Protocol == "dialogue" && r.Sample == "cat/3" {
			kept := float64(first)
			if r.Policy != "full" {
				kept = 24
			}
			if *r.PromptTokens != len(read) || *r.KeptMean != kept || *r.HeldMean != kept+float64(len(read)-first) {
				t.Errorf("%s, %s: %d tokens, want %d; %v kept, want %v; %v held", r.Sample, r.Variant, *r.PromptTokens, len(read), *r.KeptMean, kept, *r.HeldMean)
			}
		}
	}

	// Stopped after some rows: the others are asked, and say the same.
	stopped := filepath.Join(t.TempDir(), "stopped")
	pass(t, append(args, "--out", stopped, "--shard", "1/2")...)
	pass(t, append(args, "--out", stopped, "--shard", "0/2")...)
	again, err := results.Read(stopped)
	if err != nil || len(again.Rows) != 12 {
		t.Fatalf("%d rows, %v", len(again.Rows), err)
	}
	for _, r := range again.Rows {
		if want := said[r.Protocol+r.Sample+r.Variant]; r.Prediction != want {
			t.Errorf("%s, %s by %s: %q apart, %q together", r.Sample, r.Variant, r.Protocol, r.Prediction, want)
		}
	}
}

// A server reads a dialogue as one prompt.
func TestDialogueOnServer(t *testing.T) {
	file, read := dialogueFile(t)
	var mu sync.Mutex
	asked := map[string]bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"object": "list", "data": [{"id": "tiny", "object": "model"}]}`)
	})
	mux.HandleFunc("/v1/completions", func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Prompt any
			Stream bool
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		text, _ := q.Prompt.(string)
		if list, ok := q.Prompt.([]any); ok {
			for _, id := range list {
				text += string(rune(id.(float64)))
			}
		}
		mu.Lock()
		asked[text] = true
		mu.Unlock()
		answer := `{"choices": [{"index": 0, "text": "Miso", "finish_reason": "stop"}]`
		usage := fmt.Sprintf(`"usage": {"prompt_tokens": %d, "completion_tokens": 4}`, len(text))
		if !q.Stream {
			fmt.Fprintf(w, "%s, %s}", answer, usage)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: %s}\n\ndata: {\"choices\": [], %s}\n\ndata: [DONE]\n\n", answer, usage)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	out := filepath.Join(t.TempDir(), "q")
	pass(t, "questions", file, "--server", server.URL+"/v1", "--tokenizer-from", tinyChat(t), "--convention", "dialogue", "--max-new", "4", "--quiet", "--out", out)
	set, err := results.Read(out)
	if err != nil || len(set.Rows) != 3 {
		t.Fatalf("%d rows, %v", len(set.Rows), err)
	}
	for _, r := range set.Rows {
		if r.Error != "" || r.HeldMean != nil || r.Prediction != "Miso" {
			t.Errorf("%s: %q, %s", r.Sample, r.Prediction, r.Error)
		}
	}
	if !asked[read] {
		var list []string
		for text := range asked {
			list = append(list, text)
		}
		t.Errorf("asked %s\nwant %s", strings.Join(list, "\n"), read)
	}
}
