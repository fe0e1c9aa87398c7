package plots

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// The picture of a gap has a place for each variant and the interval of each; without a second protocol there is none.
func TestGaps(t *testing.T) {
	var s results.Set
	s.Run.Variants = []string{"full", "snapkv(cap=64)"}
	for i := range 8 {
		for _, protocol := range []string{"context", "inside"} {
			for k, v := range s.Run.Variants {
				score := 1.0
				if k == 1 && protocol == "context" && i < 5 {
					score = 0
				}
				s.Rows = append(s.Rows, results.Row{Model: "m", Device: "cpu", DType: "float32", Task: "questions", Sample: fmt.Sprint("a/", i), Protocol: protocol, Variant: v,
					Policy: []string{"full", "snapkv"}[k], Budget: []string{"full", "64"}[k], PromptSHA256: fmt.Sprint(i), Score: &score})
			}
		}
	}
	// No row knows the caches' bytes, so the names decide which protocol comes first.
	list, err := Gaps(s)
	if err != nil || len(list) != 1 || list[0].Name != "gap_score" {
		t.Fatalf("%d figures, %v", len(list), err)
	}
	svg := list[0].SVG()
	for _, want := range []string{">full<", ">64<", ">Difference (points)<", "What a question loses by inside, against context"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("no %q in the picture", want)
		}
	}
	if again, _ := Gaps(s); !bytes.Equal(again[0].SVG(), svg) {
		t.Error("the same rows give another picture")
	}
	figures, err := Run(s)
	if err != nil {
		t.Fatal(err)
	}
	have := ""
	for _, f := range figures {
		have += f.Name + " "
	}
	if !strings.Contains(have, "gap_score") {
		t.Errorf("a run's pictures are %s", have)
	}
	for i := range s.Rows {
		s.Rows[i].PromptSHA256 += s.Rows[i].Protocol
	}
	if _, err := Gaps(s); !errors.Is(err, ErrNothing) {
		t.Errorf("other prompts: %v", err)
	}
}
