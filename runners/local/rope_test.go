package local

import (
	"fmt"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestCrossingIsNoted: an answer under which longrope changes its frequencies says so, whether
// the prompt, the question or the answer reaches the position.
func TestCrossingIsNoted(t *testing.T) {
	const from = 40
	files, err := models.OpenShape("tiny")
	if err != nil {
		t.Fatal(err)
	}
	short, long := make([]float32, 8), make([]float32, 8)
	for i := range short {
		short[i], long[i] = 1, 2
	}
	files.Config.Rope = models.Rope{Theta: 10000, Type: "longrope", Original: from, Factor: 2, Short: short, Long: long}
	m, err := models.Load(ref.New(), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	e := New(m, func(ids []int32) string { return fmt.Sprint(ids) })
	for _, c := range []struct {
		variant               string
		prompt, question, new int
		noted                 bool
	}{
		{"full", 36, 0, 5, false}, // positions 36 to 39 are read, the fifth token is not
		{"full", 36, 0, 6, true},
		{"snapkv(cap=20,w=4)", 36, 0, 6, true},
		{"full", 36, 3, 2, false},
		{"full", 36, 4, 2, true},
		{"full", 41, 0, 6, false}, // all of it by the later frequencies
		{"full", 40, 0, 2, true},
		{"streaming(cap=20,sinks=2,rerotate=on)", 36, 0, 6, false}, // decoding goes on at position 20
	} {
		q := runners.Request{Prompt: ids(c.prompt, 3), Question: ids(c.question, 5), Variants: runners.VariantsOf(variants(t, c.variant)), MaxNew: c.new, MinNew: c.new}
		out, err := runners.Answer(t.Context(), e, q)
		if err != nil {
			t.Fatal(err)
		}
		got := out[0][0]
		if noted := strings.Contains(got.Note, "from position 40 on the rotation has other frequencies"); got.Err != nil || len(got.Tokens) != c.new || noted != c.noted {
			t.Errorf("%+v: %d tokens, note %q (%v)", c, len(got.Tokens), got.Note, got.Err)
		}
	}
	q := runners.Request{Prompt: ids(50, 3), Variants: runners.VariantsOf(variants(t, "full;streaming(cap=20,sinks=2,rerotate=on)")), MaxNew: 3}
	out, err := runners.Answer(t.Context(), e, q)
	if err != nil {
		t.Fatal(err)
	}
	if out[0][0].Err != nil || out[0][1].Err == nil || !strings.Contains(out[0][1].Err.Error(), "changes at position 40 (longrope)") {
		t.Errorf("keys of the later frequencies at positions of the earlier: %v, %v", out[0][0].Err, out[0][1].Err)
	}
}
