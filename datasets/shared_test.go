package datasets

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer"
	"github.com/snapbench/snapbench/runners/weights"
)

// openSmolLM2 reads tokenizer and chat template from the real file.
func openSmolLM2(path string) (Model, error) {
	f, err := weights.OpenGGUF(path)
	if err != nil {
		return Model{}, err
	}
	defer f.Close()
	tok, template, err := tokenizer.OpenGGUF(f.Metadata())
	if err != nil {
		return Model{}, err
	}
	return Model{Name: "SmolLM2-135M-Instruct", ContextLength: 8192, Tokenizer: tok, Chat: func(messages []Message, variables map[string]any) (string, error) {
		list := make([]tokenizer.Message, len(messages))
		for i, m := range messages {
			list[i] = tokenizer.Message(m)
		}
		return template.Render(list, tokenizer.RenderOptions{AddGenerationPrompt: true, Variables: variables})
	}}, nil
}

var smolLM2Once sync.Map // path → func() (Model, error)

// smolLM2 is the tokenizer and chat template of the real file, which "make
// smollm2" fetches; without it the test is skipped.
func smolLM2(t testing.TB) Model {
	t.Helper()
	path := sharedtest.SmolLM2(t)
	open, _ := smolLM2Once.LoadOrStore(path, sync.OnceValues(func() (Model, error) { return openSmolLM2(path) }))
	m, err := open.(func() (Model, error))()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// vocabularies are the reference tokenizers, by folder.
func vocabularies(t testing.TB) map[string]Model {
	t.Helper()
	models := map[string]Model{}
	for _, file := range sharedtest.Glob(t, "tokenizers", "*/tokenizer.json") {
		tok, err := tokenizer.ReadJSON(file)
		if err != nil {
			t.Fatal(err)
		}
		models[filepath.Base(filepath.Dir(file))] = Model{Tokenizer: tok, Pieces: func(ids []int32) []string { return tokenizer.Pieces(tok, ids) }}
	}
	return models
}

func TestNeedleRealVocabularies(t *testing.T) {
	models := vocabularies(t)
	models["smollm2"] = smolLM2(t)
	for name, m := range models {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, task := range []string{"niah", "multikey", "multivalue", "variable"} {
				k, err := Open(task, Options{Own: &NeedleOptions{Lengths: []int{500, 2048, 8192}, Depths: DepthGrid(5), Seed: 3}})
				if err != nil {
					t.Fatal(err)
				}
				for i := range k.Len() {
					s := k.Sample(i, m)
					checkReal(t, m, s)
				}
			}
		})
	}
}

// checkReal is checkNeedle for vocabularies whose texts cannot be cut anywhere.
func checkReal(t *testing.T, m Model, s Sample) {
	t.Helper()
	if s.Err != nil {
		t.Fatal(s.Err)
	}
	if len(s.IDs) != s.Needle.Length {
		t.Fatalf("%s: %d tokens", s.ID, len(s.IDs))
	}
	ids, err := m.encode(s.Prompt)
	if err != nil || fmt.Sprint(ids) != fmt.Sprint(s.IDs) {
		t.Fatalf("%s: ids are not those of the prompt (%v)", s.ID, err)
	}
	from := m.Tokenizer.Decode(s.IDs[s.Needle.Token:], true)
	if !strings.HasPrefix(strings.TrimLeft(from, " \n"), strings.TrimSpace(s.Needle.Needles[0])) {
		t.Fatalf("%s: token %d begins %.60q, want the needle %q", s.ID, s.Needle.Token, from, s.Needle.Needles[0])
	}
	if share := 100 * float64(s.Needle.Token) / float64(len(s.IDs)); s.Task == "niah" && s.Needle.Length >= 2048 && !(share > s.Needle.Depth-12 && share < s.Needle.Depth+12) {
		t.Errorf("%s: needle at %.1f percent of the prompt", s.ID, share)
	}
}

// The reference prompts were made by another program from another haystack. What is around
// the haystack must be equal to the byte, and so must a needle.
func TestNeedleReferenceWording(t *testing.T) {
	m := smolLM2(t)
	f, err := os.Open(sharedtest.Path(t, "smollm2", "needle_2k.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	n := 0
	for ; dec.More(); n++ {
		var row struct {
			Prompt  string
			Answers []string
		}
		if err := dec.Decode(&row); err != nil {
			t.Fatal(err)
		}
		_, key, _ := strings.Cut(row.Prompt, "What is the special magic number for ")
		key, _, _ = strings.Cut(key, " mentioned")
		fill := strings.NewReplacer("{type}", "number", "{query}", key)
		head, tail, err := m.around(fill.Replace(asOne.Replace(rulerQuestion)), fill.Replace(asOne.Replace(rulerBegun)))
		if err != nil {
			t.Fatal(err)
		}
		needle := strings.NewReplacer("{type}", "numbers", "{key}", key, "{value}", row.Answers[0]).Replace(rulerNeedle)
		if !strings.HasPrefix(row.Prompt, head) || !strings.HasSuffix(row.Prompt, tail) || !strings.Contains(row.Prompt, needle) {
			t.Errorf("prompt %d:\n%.300q … %q\nours:\n%q … %q, %q", n, row.Prompt, row.Prompt[len(row.Prompt)-300:], head, tail, needle)
		}
	}
	if n == 0 {
		t.Error("no prompts")
	}
	// The task "prompts" gives the same.
	k, err := Open("prompts", Options{Own: &PromptsOptions{File: f.Name()}, Metric: "recalled"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range k.Len() {
		if s := k.Sample(i, m); s.Err != nil || len(s.IDs) != 2048 || s.Metric != "recalled" || !strings.HasPrefix(s.ID, "ref-2048-") {
			t.Errorf("%s: %d tokens, metric %s (%v)", s.ID, len(s.IDs), s.Metric, s.Err)
		}
	}
	if k.Len() != n {
		t.Errorf("%d samples of %d prompts", k.Len(), n)
	}
}

// A prompt of a million tokens takes few passes over the text.
func TestNeedleMillion(t *testing.T) {
	if testing.Short() {
		t.Skip("1,000,000 tokens")
	}
	m := smolLM2(t)
	m.ContextLength = 0
	k, err := Open("niah", Options{Own: &NeedleOptions{Lengths: []int{128 * 1024, 1_000_000}, Depths: []float64{50}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, repeats := range []int{0, 1} {
		start := time.Now()
		s := k.Sample(i, m)
		checkReal(t, m, s)
		t.Logf("%d tokens in %v, needle at %d, %d repeats", len(s.IDs), time.Since(start), s.Needle.Token, s.Needle.Repeats)
		if s.Needle.Repeats > repeats {
			t.Errorf("%s: %d repeats", s.ID, s.Needle.Repeats)
		}
	}
}
