package forecast

import (
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
)

// A variant in a format is planned by its codes, a budget in bytes by the capacity that fits it; that
// their time was not measured is said.
func TestForecastOfFormats(t *testing.T) {
	list, err := compress.ParseAll("full;full+q4_0;snapkv(cap=bytes:25%,w=16)+bf16;snapkv(cap=bytes:25%,w=16)+q4_0;snapkv(cap=bytes:25%,w=16)+int8_th")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Make(Asked{Name: "shape:llama-3-8b", Files: shape(t, "llama-3-8b"), DType: "auto", Rates: recorded(t, "h200"), Find: find, Tasks: longbench(t, 20), Variants: list, Price: 3.5})
	if err != nil {
		t.Fatal(err)
	}
	full := float64(f.Variants[0].Longest)
	for i, want := range []float64{1, 144. / 512, 0.25, 0.25, 0.25} {
		if got := float64(f.Variants[i].Longest) / full; got < want*0.98 || got > want*1.15 { // positions, room for the answer, and what a card rounds up
			t.Errorf("%s: %.3f × the full cache, want %.3f", f.Variants[i].Variant, got, want)
		}
	}
	if !strings.Contains(strings.Join(f.Notes, "\n"), "codes of caches") {
		t.Errorf("the notes are %q", f.Notes)
	}
}
