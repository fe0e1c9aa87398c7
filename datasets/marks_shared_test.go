package datasets

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// Under every reference vocabulary, passages of every reference text are the tokens that hold them, all and no others; an
// error is told only where the tokens' text is not the prompt's.
func TestPassagesOfRealVocabularies(t *testing.T) {
	models := vocabularies(t)
	for name, m := range models {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var vectors []struct{ Name, Text string }
			sharedtest.JSON(t, sharedtest.Path(t, "tokenizers", name, "vectors.json"), &vectors)
			rng := newRandom("passages " + name)
			passages, refused := 0, 0
			for _, v := range vectors {
				if v.Text == "" || len(v.Text) > 4000 {
					continue
				}
				s := Sample{Prompt: v.Text}
				var err error
				if s.IDs, err = m.encode(v.Text); err != nil {
					t.Fatal(err)
				}
				decode := func(from, to int) string { return m.Tokenizer.Decode(s.IDs[from:to], false) }
				for range 8 {
					from := rng.intn(len(v.Text))
					to := from + 1 + rng.intn(min(30, len(v.Text)-from))
					for from > 0 && !utf8.RuneStart(v.Text[from]) {
						from--
					}
					for to < len(v.Text) && !utf8.RuneStart(v.Text[to]) {
						to++
					}
					text := v.Text[from:to]
					s.Marks = []Mark{{"some", from, to}}
					list, err := s.Passages(m)
					if err != nil {
						refused++
						if whole := decode(0, len(s.IDs)); strings.HasSuffix(whole, v.Text) {
							t.Errorf("%s: %q: %v, though the tokens' text is %.60q", v.Name, text, err, whole)
						}
						break
					}
					passages++
					p := list[0]
					bare := func(text string) string { return strings.ReplaceAll(text, " ", "") } // decoding puts some beside special tokens
					if got := decode(p.From, p.To); !strings.Contains(bare(got), bare(text)) {
						t.Errorf("%s: %q is said to be tokens %d to %d, %q", v.Name, text, p.From, p.To, got)
					} else if i := strings.Index(got, text); i >= 0 && text == strings.TrimSpace(text) && !strings.Contains(got[i+1:], text) && p.To-p.From > 1 &&
						(strings.Contains(decode(p.From+1, p.To), text) || strings.Contains(decode(p.From, p.To-1), text)) {
						t.Errorf("%s: %q is said to be tokens %d to %d, %q, which is too many", v.Name, text, p.From, p.To, got)
					}
				}
			}
			t.Logf("%d passages of %d texts, %d texts refused", passages, len(vectors), refused)
			if passages == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

// Needle tasks mark what they hide and ask, under every vocabulary: the tokens of each mark hold its text.
func TestNeedleMarks(t *testing.T) {
	models := vocabularies(t)
	models["words"], models["bytes, chat"] = Model{Tokenizer: wordwise()}, Model{Tokenizer: bytewise(), Chat: chatml}
	for name, m := range models {
		for _, c := range []struct {
			task string
			own  NeedleOptions
			want map[string]int
		}{
			{"niah", NeedleOptions{}, map[string]int{MarkNeedle: 1, MarkValue: 1, MarkInstruction: 1, MarkQuestion: 1}},
			{"niah", NeedleOptions{Needles: 2, Value: "uuids"}, map[string]int{MarkNeedle: 2, MarkValue: 2, MarkInstruction: 1, MarkQuestion: 1}},
			{"multikey", NeedleOptions{}, map[string]int{MarkNeedle: 1, MarkValue: 1, MarkInstruction: 1, MarkQuestion: 1}},
			{"multivalue", NeedleOptions{}, map[string]int{MarkNeedle: 4, MarkValue: 4, MarkInstruction: 1, MarkQuestion: 1}},
			{"variable", NeedleOptions{}, map[string]int{MarkNeedle: 5, MarkValue: 5, MarkInstruction: 1, MarkQuestion: 1}},
			{"niah", NeedleOptions{Wording: "kamradt"}, map[string]int{MarkNeedle: 1, MarkValue: 1, MarkInstruction: 1, MarkQuestion: 1}},
		} {
			t.Run(filepath.Join(name, c.task, c.own.Wording+c.own.Value), func(t *testing.T) {
				c.own.Lengths, c.own.Depths, c.own.Seed = []int{900}, []float64{40}, 4
				if strings.HasPrefix(name, "bytes") {
					c.own.Lengths = []int{4000}
				}
				k, err := Open(c.task, Options{Own: &c.own})
				if err != nil {
					t.Fatal(err)
				}
				s := k.Sample(0, m)
				if s.Err != nil {
					t.Fatal(s.Err)
				}
				list, err := s.Passages(m)
				if err != nil {
					t.Fatal(err)
				}
				have := map[string]int{}
				for i, p := range list {
					have[p.Name]++
					text := s.Prompt[s.Marks[i].From:s.Marks[i].To]
					if got := m.Tokenizer.Decode(s.IDs[p.From:p.To], false); !strings.Contains(got, text) {
						t.Errorf("%s: %q is said to be %q", p.Name, text, got)
					}
					if p.Name == MarkNeedle && (have[MarkNeedle] == 1) != (p.From == s.Needle.Token || p.From == s.Needle.Token+1) {
						t.Errorf("needle %d at token %d; the first is at %d", have[MarkNeedle], p.From, s.Needle.Token)
					}
				}
				if fmt.Sprint(have) != fmt.Sprint(c.want) {
					t.Errorf("marks %v, want %v", have, c.want)
				}
			})
		}
	}
}
