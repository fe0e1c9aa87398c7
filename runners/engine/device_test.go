package engine

import "testing"

func TestOutOfMemorySaysHowMuch(t *testing.T) {
	for _, c := range []struct {
		need, free int64
		want       string
	}{
		{44238790656, 40802189312, "cuda:0: out of memory: needs 41.20 GiB, 38.00 GiB free"},
		{1 << 30, 900 << 20, "cuda:0: out of memory: needs 1.00 GiB, 900.0 MiB free"},
		{1536, 1023, "cuda:0: out of memory: needs 1.5 KiB, 1023 bytes free"},
	} {
		if got := (&OutOfMemory{"cuda:0", c.need, c.free}).Error(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
