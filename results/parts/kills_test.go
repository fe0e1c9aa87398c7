package parts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
)

// Parts that are killed after any sample, given to others while the first go on, and
// joined at any time lose nothing, double nothing, and change nothing.
func TestRandomKills(t *testing.T) {
	kills, joins, seeds := 0, 0, 2
	if os.Getenv("SNAPBENCH_LONG") != "" {
		seeds = 40
	}
	for seed := range uint64(seeds) {
		random := rand.New(rand.NewPCG(seed, 1))
		dir := t.TempDir()
		n := 1 + random.IntN(9)
		for attempt := range 15 {
			var wait sync.WaitGroup
			for range 1 + random.IntN(3) { // at the same time, of one part too
				w := part{dir: dir, p: Part{random.IntN(n), n}, attempt: fmt.Sprintf("%d-%d", attempt, random.Uint32()), run: question()}
				most := random.IntN(8)
				wait.Go(func() { w.make(t, most) })
				kills++
			}
			if random.IntN(4) == 0 {
				wait.Go(func() {
					joins++
					var missing *MissingError
					if _, err := Join(dir, false); err != nil && !errors.As(err, &missing) && !errors.Is(err, os.ErrNotExist) && !strings.Contains(err.Error(), "no parts") {
						t.Errorf("seed %d: %v", seed, err)
					}
				})
			}
			wait.Wait()
			if random.IntN(10) == 0 {
				n = 1 + random.IntN(9)
			}
		}
		for i := range n {
			part{dir: dir, p: Part{i, n}, attempt: "last", run: question()}.make(t, all)
		}
		equal(t, dir)
	}
	t.Logf("%d attempts, most of them killed, and %d joins between", kills, joins)
}
