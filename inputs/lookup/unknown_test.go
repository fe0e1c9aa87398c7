package lookup

import (
	"fmt"
	"testing"
)

func TestUnknown(t *testing.T) {
	if got, want := Unknown("policy", "snpkv", "full", "snapkv").Error(), `unknown policy "snpkv": did you mean snapkv? have full, snapkv`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := Unknown("policy", "nosuch", "full", "snapkv").Error(), `unknown policy "nosuch": have full, snapkv`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUnknownOfLongLists(t *testing.T) {
	var have []string
	for i := range 41 {
		have = append(have, fmt.Sprintf("metric%02d", i))
	}
	have[7] = "rouge_l"
	for _, c := range []struct {
		names int
		want  string
	}{
		{41, `unknown metric "rogue_l": did you mean rouge_l? snapbench metrics list has all 41`},
		{2, `unknown metric "rogue_l": have metric00, metric01`},
	} {
		if got := UnknownOf("snapbench metrics list", "metric", "rogue_l", have[:c.names]...).Error(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
