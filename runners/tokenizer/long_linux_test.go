package tokenizer

import (
	"math"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLongWord: a word that cannot be cut takes n log n. For eight times the length, quadratic work would take 64 times as much;
// the limit is half of that. What counts is the processor's time for this thread, which others do not lengthen by taking turns, and
// the least of some runs.
func TestLongWord(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	used := func() int64 {
		var at unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &at); err != nil {
			t.Fatal(err)
		}
		return at.Nano()
	}
	tok, err := FromJSON(pipelines(t)[0].Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	for _, unit := range []string{"a", "the", " ", "世"} {
		least := func(n, runs int, so int64) int64 {
			text := strings.Repeat(unit, n)
			for range runs {
				start := used()
				if _, err := tok.Encode(text, false); err != nil {
					t.Fatal(err)
				}
				so = min(so, used()-start)
			}
			return so
		}
		short, long := least(5000, 5, math.MaxInt64), int64(math.MaxInt64)
		for range 10 {
			if long = least(40000, 1, long); long <= 32*short {
				break
			}
		}
		t.Logf("%q: %d ns for 5,000, %d for 40,000", unit, short, long)
		if long > 32*short {
			t.Errorf("%q: %d ns for 5,000, %d for 40,000", unit, short, long)
		}
	}
}
