package emulator

import (
	"fmt"
	"strings"
	"testing"
)

// TestRegistersOfABlock: of 512 threads with 128 registers each, a quarter gives some back
// and the others take them.
func TestRegistersOfABlock(t *testing.T) {
	defer func(old int) { stallBudget = old }(stallBudget)
	stallBudget = 1 << 16
	for _, c := range []struct {
		give, take int
		want       string // of the error
	}{
		{32, 160, ""},
		{24, 160, ""},
		{40, 160, "deadlock"}, // 3 · 32 are wanted, 88 are there
		{24, 168, "deadlock"},
		{136, 160, "has 128 registers"},
		{32, 120, "has 128 registers"},
	} {
		_, err := try(t, fmt.Sprintf(`
	mov.u32 %%r10, %%tid.x;
	setp.lt.u32 %%p1, %%r10, 128;
	@%%p1 bra give;
	setmaxnreg.inc.sync.aligned.u32 %d;
	bra done;
give:
	setmaxnreg.dec.sync.aligned.u32 %d;
done:`, c.take, c.give), 512, 0, make([]uint64, 512))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d given back to, %d taken: %v, want %q", c.give, c.take, err, c.want)
		}
	}
}
