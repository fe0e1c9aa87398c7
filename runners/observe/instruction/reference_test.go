package instruction_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/observe/instruction"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// recorded is a context with what another program worked out from the same definitions.
type recorded struct {
	ID        string `json:"id"`
	Context   string `json:"context"`
	Tokens    int    `json:"n_context"`
	Right     string `json:"right"`
	Questions []struct {
		Question string `json:"question"` // with what follows it in the prompt
		Answer   string `json:"answer"`
		Answers  map[string]struct {
			Tokens  []int32   `json:"tokens"`
			Margins []float64 `json:"margins"`
		} `json:"answers"`
		After         [][]int   `json:"after"` // by layer: hits and important for windows of 128, then of 32
		Before        [][]int   `json:"before"`
		BeforeTokens  []int32   `json:"before_tokens"`
		BeforeMargins []float64 `json:"before_margins"`
		BeforeN       int       `json:"before_n"`
		BeforeSHA256  string    `json:"before_ids_sha256"` // of the ids as little-endian int32
	} `json:"questions"`
	Overlap map[string]json.RawMessage `json:"overlap"`
}

// variant is the one that the records' kept sets are of.
const variant = "snapkv(cap=512,w=32,k=7,pool=max,gqa=query_head)"

// write writes the contexts as a user would, with the first questions of each.
func write(t *testing.T, all []recorded, questions int) string {
	t.Helper()
	var lines []string
	for _, c := range all {
		_, text, ok := strings.Cut(c.Context, "<|im_start|>user\n")
		if !ok {
			t.Fatalf("context %s begins with no turn of a user", c.ID)
		}
		var asked []map[string]any
		for _, q := range c.Questions[:min(questions, len(c.Questions))] {
			question, begin, ok := strings.Cut(q.Question, c.Right)
			if !ok {
				t.Fatalf("context %s: %q has no %q", c.ID, q.Question, c.Right)
			}
			asked = append(asked, map[string]any{"question": question, "begin": begin, "answers": []string{q.Answer}})
		}
		line, err := json.Marshal(map[string]any{"id": c.ID, "context": text, "questions": asked,
			"messages": []map[string]string{{"role": "user", "content": "{context}{question}"}}})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(line))
	}
	path := filepath.Join(t.TempDir(), "second.jsonl")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// comparison counts what was compared.
type comparison struct {
	t                     *testing.T
	counts, equal, tokens int
	largest               int // difference of two counts
}

// hold holds a count to a recorded one: within 2 or 0.2 %.
func (c *comparison) hold(what string, got, want int) {
	c.t.Helper()
	off := max(got-want, want-got)
	if c.counts++; off == 0 {
		c.equal++
	}
	c.largest = max(c.largest, off)
	if float64(off) > max(2, 0.002*float64(want)) {
		c.t.Errorf("%s: %d, want %d", what, got, want)
	}
}

// list holds counts by layer to recorded ones.
func (c *comparison) list(what string, got, want []int) {
	c.t.Helper()
	if len(got) != len(want) {
		c.t.Errorf("%s: %d layers, want %d", what, len(got), len(want))
		return
	}
	for layer := range want {
		c.hold(fmt.Sprintf("%s, layer %d", what, layer), got[layer], want[layer])
	}
}

// answer holds a response to a recorded one up to the first token that another rounding may change, and says whether all
// of it is the same.
func (c *comparison) answer(what string, got, want []int32, margins []float64) {
	c.t.Helper()
	n := slices.IndexFunc(margins, func(v float64) bool { return v < 0.002 })
	if n < 0 {
		n = len(want)
	}
	n = min(n, len(got))
	if c.tokens += n; !slices.Equal(got[:n], want[:n]) {
		c.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func flat(hits [][]instruction.Hit) (list [][]int) {
	for _, layer := range hits {
		var row []int
		for _, h := range layer {
			row = append(row, h.Hits, h.Important)
		}
		list = append(list, row)
	}
	return list
}

// The small real model's questions have in common what another program counted, with SNAPBENCH_LONG=1 those of all
// contexts, else the first two of one.
func TestReference(t *testing.T) {
	var all []recorded
	sharedtest.JSON(t, sharedtest.Path(t, "observe", "second.json"), &all)
	m, err := local.Open(t.Context(), local.Options{Model: sharedtest.SmolLM2(t), Device: "cpu", DType: "float32", Tokenizer: "native"}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	contexts, questions := len(all), 1<<20
	if os.Getenv("SNAPBENCH_LONG") == "" {
		all, questions = all[:1], 2
	}
	task, err := datasets.Open("questions", datasets.Options{Own: &datasets.QuestionsOptions{File: write(t, all, questions), Conventions: instruction.Conventions}})
	if err != nil {
		t.Fatal(err)
	}
	plan := instruction.Plan{Settings: instruction.Paper, Task: task}
	if plan.Variants, err = compress.ParseAll(variant); err != nil {
		t.Fatal(err)
	}
	r, err := plan.Observe(t.Context(), m, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	c := comparison{t: t}
	number := 0
	for i, want := range all {
		got := r.Contexts[i]
		if got.Error != "" || got.ID != want.ID || got.Tokens != want.Tokens {
			t.Fatalf("%s: %s, %d tokens, want %d", got.ID, got.Error, got.Tokens, want.Tokens)
		}
		for k, q := range got.Questions {
			w, name := want.Questions[k], fmt.Sprintf("%s, question %d", want.ID, k)
			before := task.Sample(number+1, m.Reader())
			number += len(instruction.Conventions)
			var bytes []byte
			for _, id := range before.IDs {
				bytes = binary.LittleEndian.AppendUint32(bytes, uint32(id))
			}
			if sum := sha256.Sum256(bytes); w.BeforeSHA256 != "" && (len(before.IDs) != w.BeforeN || hex.EncodeToString(sum[:]) != w.BeforeSHA256) {
				t.Fatalf("%s: before the context it has other tokens, %d of them, want %d: %q (%v)", name, len(before.IDs), w.BeforeN, before.Prompt, before.Err)
			}
			c.answer(name, q.Response, w.Answers["full"].Tokens, w.Answers["full"].Margins)
			for layer, row := range w.After {
				c.list(fmt.Sprintf("%s, after, layer %d", name, layer), flat(q.After)[layer], row)
			}
			for layer, row := range w.Before {
				c.list(fmt.Sprintf("%s, before, layer %d", name, layer), flat(q.Before)[layer], row)
			}
		}
		for key, raw := range want.Overlap {
			var a, b int
			var list []int
			var got1 []int
			switch {
			case key == "votes size":
				var size int
				if err := json.Unmarshal(raw, &size); err != nil {
					t.Fatal(err)
				}
				c.hold(want.ID+", "+key, got.Vote, size)
				continue
			case matches(key, "votes context %d", &a) && a < len(got.Questions):
				got1 = got.Questions[a].OwnVotes
			case matches(key, "kept size %d", &a) && a < len(got.Questions):
				got1 = got.Questions[a].Kept[variant]
			default:
				for _, p := range got.Pairs {
					switch a, b = p.A, p.B; key {
					case fmt.Sprintf("votes %d %d", a, b):
						got1 = p.Votes
					case fmt.Sprintf("votes %d %d nosink", a, b):
						got1 = p.NoSink
					case fmt.Sprintf("kept %d %d", a, b):
						got1 = p.Kept[variant]
					}
				}
			}
			if got1 == nil {
				if questions > 2 {
					t.Errorf("%s: nothing is like %q", want.ID, key)
				}
				continue
			}
			if err := json.Unmarshal(raw, &list); err != nil {
				t.Fatal(err)
			}
			c.list(want.ID+", "+key, got1, list)
		}
	}
	t.Logf("%d counts compared, %d the same, the others within %d; %d tokens of responses (%d of %d contexts; SNAPBENCH_LONG=1 takes all)",
		c.counts, c.equal, c.largest, c.tokens, len(all), contexts)
	if c.counts == 0 {
		t.Error("nothing compared")
	}
}

// matches says whether a key is of a form, and reads its number.
func matches(key, form string, number *int) bool {
	n, err := fmt.Sscanf(key, form, number)
	return err == nil && n == 1 && key == fmt.Sprintf(form, *number)
}
