package datasets

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer"
)

// Under the chat templates of real models a system text is compressed alone, with its instructions
// and nothing of the request, or the sample says why not.
func TestSystemPartRealTemplates(t *testing.T) {
	leak, err := Open("leakage-defence-first", Options{Own: &LeakageOptions{Trials: 1}})
	if err != nil {
		t.Fatal(err)
	}
	long, err := Open("instructions-system", Options{Own: &InstructionsOptions{Lengths: []int{6000}, Trials: 3}})
	if err != nil {
		t.Fatal(err)
	}
	apart, system := 0, 0
	for _, file := range sharedtest.Glob(t, filepath.Join("vectors", "templates"), "*.jinja") {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		template, err := tokenizer.ParseChatTemplate(string(source))
		if err != nil {
			t.Logf("%s: %v", filepath.Base(file), err)
			continue
		}
		template.BOS, template.EOS = "<s>", "</s>"
		m := Model{Tokenizer: bytewise(), Chat: func(messages []Message, variables map[string]any) (string, error) {
			list := make([]tokenizer.Message, len(messages))
			for i, x := range messages {
				list[i] = tokenizer.Message(x)
			}
			return template.Render(list, tokenizer.RenderOptions{AddGenerationPrompt: true, Now: time.Unix(0, 0).UTC(), Variables: variables})
		}}
		if s := leak.Sample(0, m); s.Err != nil {
			t.Logf("%s: %v", filepath.Base(file), s.Err)
		} else {
			apart++
			first, rest := m.Tokenizer.Decode(s.IDs, false), m.Tokenizer.Decode(s.Question, false)
			if first+rest != s.Prompt || !strings.Contains(first, s.Answers[2]) || strings.Contains(rest, s.Answers[1]) ||
				strings.Contains(first, instructionWords().Repeat) || !strings.Contains(rest, instructionWords().Repeat) {
				t.Errorf("%s: %q is compressed, and %q read behind it", filepath.Base(file), first, rest)
			}
		}
		s := long.Sample(2, m)
		if s.Err != nil {
			t.Logf("%s: %v", filepath.Base(file), s.Err)
			continue
		}
		system++
		if at := strings.Index(s.Prompt, instructionsLead); at < 0 || at > strings.Index(s.Prompt, contextLead) || len(s.IDs) != 6000 {
			t.Errorf("%s: instructions at byte %d of %q…", filepath.Base(file), at, s.Prompt[:200])
		}
	}
	t.Logf("%d templates set the system text apart, %d take one before a long context", apart, system)
	if apart == 0 || system == 0 {
		t.Error("none is compared")
	}
}
