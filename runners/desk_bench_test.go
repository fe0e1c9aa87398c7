package runners

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// BenchmarkDesk is what a prompt costs the host behind its device: the answers of 19 variants, of 512 words each, are graded by
// ROUGE-L, the dearest of LongBench's metrics, and written, which syncs the journal.
func BenchmarkDesk(b *testing.B) {
	text := func(seed int) string {
		words := make([]string, 512)
		for i := range words {
			words[i] = fmt.Sprintf("word%d", i*seed%97)
		}
		return strings.Join(words, " ")
	}
	j, journal := deskJob(b, b.N, "rouge_l", text(2))
	j.Variants = nil
	var all []Completion
	for v := range 19 {
		j.Variants = append(j.Variants, plainVariant(fmt.Sprint("v", v)))
		all = append(all, Completion{Text: text(v + 3)})
	}
	r := quick{func(ctx context.Context, w Work) error {
		return OneByOne(ctx, w, func(context.Context, Request) ([]Completion, error) { return append([]Completion(nil), all...), nil })
	}}
	b.ResetTimer()
	if err := j.Run(b.Context(), []Runner{r}, journal, mute{}); err != nil {
		b.Fatal(err)
	}
	if n := len(journal.Rows()); n != b.N*len(all) {
		b.Fatalf("%d rows of %d prompts", n, b.N)
	}
}
