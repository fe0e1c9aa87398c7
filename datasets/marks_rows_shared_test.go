package datasets

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// In real rows of LongBench, every mark is found among the tokens of each protocol's prompt, or its vocabulary rewrites
// characters: the tokens of an answer hold it.
func TestLongBenchMarksOfRealRows(t *testing.T) {
	models := vocabularies(t)
	models["smollm2"] = smolLM2(t)
	for name, m := range models {
		if name != "llama2" && name != "qwen3" && name != "smollm2" { // one of each kind: byte fallback, composing, byte-level
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			passages, refused := map[string]int{}, 0
			for _, file := range sharedtest.Glob(t, "longbench", "data/*.jsonl") {
				set := strings.TrimSuffix(filepath.Base(file), ".jsonl")
				for _, protocol := range []string{"longbench", "kvpress"} {
					k, err := Open(set, Options{Limit: 1, Own: &LongBenchOptions{Data: filepath.Dir(file), Protocol: protocol, MaxLength: 3000}})
					if err != nil {
						t.Fatal(err)
					}
					s := k.Sample(0, m)
					if s.Err != nil {
						t.Fatal(s.Err)
					}
					list, err := s.Passages(m)
					if err != nil {
						refused++
						t.Logf("%s, %s: %v", set, protocol, err)
						continue
					}
					all := append(s.IDs[:len(s.IDs):len(s.IDs)], s.Question...)
					for i, p := range list {
						passages[p.Name]++
						bare := func(text string) string { return strings.Join(strings.Fields(text), "") }
						text := s.Prompt[s.Marks[i].From:s.Marks[i].To]
						if got := m.Tokenizer.Decode(all[p.From:p.To], false); !strings.Contains(bare(got), bare(text)) {
							t.Errorf("%s, %s: %s %.60q is said to be %.60q", set, protocol, p.Name, text, got)
						}
					}
				}
			}
			t.Logf("passages %v, %d prompts refused", passages, refused)
			if passages[MarkAnswer] == 0 || passages[MarkInstruction] == 0 || passages[MarkQuestion] == 0 {
				t.Errorf("passages %v", passages)
			}
		})
	}
}
