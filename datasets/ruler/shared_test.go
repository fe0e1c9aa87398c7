package ruler

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

// counter returns a function that counts by one of the reference tokenizers.
func counter(t testing.TB, name string) func(string) (int, error) {
	t.Helper()
	tok, err := tokenizer.ReadJSON(sharedtest.Path(t, "tokenizers", name, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) (int, error) {
		ids, err := tok.Encode(text, false)
		return len(ids), err
	}
}

// originalEssays are the essays that the reference prompts are made of.
func originalEssays(t testing.TB) *Essay {
	t.Helper()
	var about struct{ Files []string }
	sharedtest.JSON(t, sharedtest.Path(t, "ruler", "essay_sentences.json"), &about)
	var all strings.Builder
	for _, name := range about.Files {
		text, err := os.ReadFile(sharedtest.Path(t, "longbench", "essays", name))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	e := NewEssay(all.String(), func(text string) []int { return []int{len(text)} })
	if !e.Original() {
		t.Fatal("the essays are not those of which the sentences are stored")
	}
	return e
}

// stored is a reference sample.
type stored struct {
	Edition   string
	Task      string
	SHA256    string
	Max       int    `json:"max_seq_length"`
	Tokenizer string `json:"tokenizer"`
	Chat      string `json:"chat_template"`
	Sample    int
	Input     string
	Prefix    string `json:"answer_prefix"`
	Outputs   []string
	NewTokens int `json:"tokens_to_generate"`
	Prompt    int `json:"prompt_tokens"`
	Length    int
	Size      int
}

func readStored(t testing.TB, file string) []stored {
	t.Helper()
	text, err := os.ReadFile(sharedtest.Path(t, "ruler", file))
	if err != nil {
		t.Fatal(err)
	}
	var list []stored
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var s stored
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, s)
	}
	if len(list) == 0 {
		t.Fatalf("%s: no samples", file)
	}
	return list
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// TestReferenceSamples compares with whole prompts of both editions.
func TestReferenceSamples(t *testing.T) {
	essay := originalEssays(t)
	counters := map[string]func(string) (int, error){}
	for _, file := range []string{"samples.jsonl", "samples_2024.jsonl"} {
		type key struct {
			task, tokenizer, chat string
			length                int
		}
		series := map[key]*Series{}
		compared, equal := 0, 0
		for _, want := range readStored(t, file) {
			k := key{want.Task, want.Tokenizer, want.Chat, want.Max}
			if counters[k.tokenizer] == nil {
				counters[k.tokenizer] = counter(t, k.tokenizer)
			}
			if series[k] == nil {
				c := Config{Edition: Edition2026, Task: k.task, Length: k.length, Count: counters[k.tokenizer], Essay: essay}
				if want.Edition != "" {
					c.Edition = Edition(want.Edition)
				}
				if want.Chat != "" {
					c.Template, _ = ChatTemplate(want.Chat)
				}
				s, err := Open(c)
				if err != nil {
					t.Fatal(err)
				}
				series[k] = s
			}
			got, err := series[k].Sample(want.Sample)
			if err != nil {
				t.Errorf("%s %+v: %v", file, k, err)
				continue
			}
			compared++
			prompt := want.Input + want.Prefix
			switch {
			case got.Prompt != prompt:
				t.Errorf("%s %+v sample %d: size %d, want %d; the prompts differ from byte %d", file, k, want.Sample, got.Size, want.Size, differ(got.Prompt, prompt))
			case want.Prefix != "" && got.Prompt[got.Prefix:] != want.Prefix:
				t.Errorf("%s %+v sample %d: prefix %q, want %q", file, k, want.Sample, got.Prompt[got.Prefix:], want.Prefix)
			case !slices.Equal(got.Answers, want.Outputs):
				t.Errorf("%s %+v sample %d: answers %q, want %q", file, k, want.Sample, got.Answers, want.Outputs)
			case got.Tokens+NewTokens(want.Task) != want.Length, want.Size > 0 && got.Size != want.Size:
				t.Errorf("%s %+v sample %d: %d tokens, size %d; want length %d, size %d", file, k, want.Sample, got.Tokens, got.Size, want.Length, want.Size)
			default:
				equal++
			}
		}
		t.Logf("%s: %d of %d prompts equal, in %d series", file, equal, compared, len(series))
	}
}

// differ is the first byte in which two texts differ.
func differ(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// TestHostedPrompts compares with the hashes of all prompts of the copy behind kvpress's
// leaderboard.
func TestHostedPrompts(t *testing.T) {
	var hosted struct {
		Tasks map[string]struct {
			SHA []string
			Len []int
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "ruler", "hosted4096.json"), &hosted)
	essay, count := originalEssays(t), counter(t, "llama3.1")
	if len(hosted.Tasks) == 0 {
		t.Fatal("no tasks")
	}
	for task, want := range hosted.Tasks {
		t.Run(task, func(t *testing.T) {
			t.Parallel()
			s, err := Open(Config{Edition: Edition2024, Task: task, Length: 4096, Count: count, Essay: essay})
			if err != nil {
				t.Fatal(err)
			}
			equal := 0
			for i, sha := range want.SHA {
				got, err := s.Sample(i)
				if err != nil {
					t.Fatal(err)
				}
				if sum(got.Prompt)[:len(sha)] != sha || got.Tokens+NewTokens(task) != want.Len[i] {
					t.Errorf("sample %d: %s of %d tokens, want %s of %d", i, sum(got.Prompt)[:len(sha)], got.Tokens+NewTokens(task), sha, want.Len[i])
					if i-equal > 3 {
						t.FailNow()
					}
					continue
				}
				equal++
			}
			t.Logf("%d of %d prompts equal", equal, len(want.SHA))
		})
	}
}
