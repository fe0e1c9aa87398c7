package sweep

import (
	"strings"
	"testing"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners/server"
)

// long is a task of one sample.
type long struct{ datasets.Task }

func (long) Sample(int, datasets.Model) datasets.Sample {
	return datasets.Sample{
		Task: "long", ID: "0", Prompt: strings.Repeat("€", 10_000) + "end", PromptSHA256: "abc", Note: "the haystack repeats", MaxNew: 7,
		IDs: make([]int32, 9000, 9001), Question: []int32{1, 2, 3}, Messages: []datasets.Message{{Role: "user", Content: "all of it"}},
	}
}

// What is remembered of a prompt is what a row of it says, and whose it is; not the prompt
// itself, which may be of megabytes.
func TestRemembered(t *testing.T) {
	v, err := server.NewVariant("", map[string]string{"kv": "auto"})
	if err != nil {
		t.Fatal(err)
	}
	tasks := note([]datasets.Task{long{}}, v)
	made := tasks[0].Sample(0, datasets.Model{})
	if len(made.Prompt) != 30_003 || len(made.Messages) != 1 || made.Note != "the haystack repeats" {
		t.Errorf("noting changes the sample: %+v", made)
	}
	s := remember(tasks)[0].Sample(0, datasets.Model{})
	if len(s.IDs) != 9000 || len(s.Question) != 3 || s.MaxNew != 7 || s.PromptSHA256 != "abc" || s.ID != "0" {
		t.Errorf("%d and %d tokens, at most %d new ones, %q, %q", len(s.IDs), len(s.Question), s.MaxNew, s.PromptSHA256, s.ID)
	}
	if !strings.HasSuffix(s.Prompt, "€€end") || strings.Trim(s.Prompt, "€end") != "" || len(s.Prompt) > mostTail || len(s.Prompt) < 3000 || s.Messages != nil {
		t.Errorf("%d bytes of the prompt, %q at its beginning", len(s.Prompt), s.Prompt[:9])
	}
	if want := "the haystack repeats; the prompt is as server(kv=auto) had it: this server was not there to make any"; s.Note != want {
		t.Errorf("%q", s.Note)
	}
}
