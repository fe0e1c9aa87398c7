package datasets

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// idsSHA256 is the hash of ids as little-endian int32.
func idsSHA256(ids []int32) string {
	h := sha256.New()
	if err := binary.Write(h, binary.LittleEndian, ids); err != nil {
		panic(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// The prompts of a real model, by transformers: equal to the byte.
func TestLongBenchReferencePrompts(t *testing.T) {
	m := smolLM2(t)
	var cases []struct {
		Protocol       string
		Task           string
		Row            int
		MaxLength      int    `json:"max_length"`
		Truncated      bool   `json:"truncated"`
		PromptTokens   int    `json:"prompt_tokens"`
		ContextTokens  int    `json:"context_tokens"`
		QuestionTokens int    `json:"question_tokens"`
		PromptSHA256   string `json:"prompt_sha256"`
		IDsSHA256      string `json:"ids_sha256"`
		PromptHead     string `json:"prompt_head"`
		PromptTail     string `json:"prompt_tail"`
		QuestionText   string `json:"question_text"`
		MaxNew         int    `json:"max_new"`
	}
	b, err := os.ReadFile(sharedtest.Path(t, "longbench", "smollm2.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &cases); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, c := range cases {
		k, err := Open(c.Task, Options{Own: &LongBenchOptions{Data: sharedtest.Path(t, "longbench", "data"), Protocol: c.Protocol, MaxLength: c.MaxLength}, MaxNew: 64})
		if err != nil {
			t.Error(err)
			continue
		}
		s := k.Sample(c.Row, m)
		if s.Err != nil {
			t.Error(s.Err)
			continue
		}
		if c.PromptSHA256 != "" && s.PromptSHA256 != c.PromptSHA256 {
			t.Errorf("%s %s: prompt differs: %q … %q, want %q … %q", c.Protocol, c.Task,
				s.Prompt[:len(c.PromptHead)], s.Prompt[len(s.Prompt)-len(c.PromptTail):], c.PromptHead, c.PromptTail)
		}
		if got := idsSHA256(slices.Concat(s.IDs, s.Question)); got != c.IDsSHA256 || s.Truncated != c.Truncated {
			t.Errorf("%s %s: ids %s of %d + %d tokens, truncated %v; want %s of %d (%d + %d), %v", c.Protocol, c.Task,
				got, len(s.IDs), len(s.Question), s.Truncated, c.IDsSHA256, c.PromptTokens, c.ContextTokens, c.QuestionTokens, c.Truncated)
		}
		if c.Protocol == "kvpress" && (len(s.IDs) != c.ContextTokens || !strings.HasSuffix(s.Prompt, c.QuestionText)) {
			t.Errorf("%s %s: %d context tokens, question %q", c.Protocol, c.Task, len(s.IDs), s.Prompt[len(s.Prompt)-len(c.QuestionText):])
		}
		if s.MaxNew != c.MaxNew {
			t.Errorf("%s %s: %d new tokens, want %d", c.Protocol, c.Task, s.MaxNew, c.MaxNew)
		}
		count[c.Protocol]++
	}
	t.Log(count)
	if count["longbench"] == 0 || count["kvpress"] == 0 {
		t.Errorf("%v prompts compared", count)
	}
}

// Every set there is, by every protocol.
func TestLongBenchRealSets(t *testing.T) {
	m := smolLM2(t)
	data := sharedtest.Path(t, "longbench", "data")
	list, err := List(data)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d sets (%v)", len(list), err)
	}
	for _, set := range list {
		if set.Err != nil {
			t.Error(set.Err)
			continue
		}
		for _, protocol := range ProtocolNames() {
			k, err := Open(set.Set, Options{Own: &LongBenchOptions{Data: data, Protocol: protocol}, Limit: 2})
			if err != nil {
				t.Error(err)
				continue
			}
			for i := range k.Len() {
				s := k.Sample(i, m)
				if s.Err != nil {
					t.Error(s.Err)
				} else if n := len(s.IDs) + len(s.Question) + s.MaxNew; n > m.ContextLength {
					t.Errorf("%s, %s, %s: %d tokens with the new ones", set.Set, protocol, s.ID, n)
				}
			}
		}
	}
}
