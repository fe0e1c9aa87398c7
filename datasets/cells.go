package datasets

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// cells is the grid of a task whose prompts are made: lengths in tokens or sizes in pieces of the
// context, by depths, by trials. A task without places has no depths.
type cells struct {
	unit    string // what pieces are, as IDs name them: "pairs", "lines"
	lengths []int  // tokens that a prompt fills with as many pieces as fit
	sizes   []int  // pieces
	depths  []float64
	trials  int
	limit   int
}

// cell is one sample of the grid.
type cell struct {
	length int // 0 where size is given
	size   int
	depth  float64 // percent
	trial  int     // from 0
}

// complete fills in what was not asked for. Of neither lengths nor sizes that is the benchmark's own
// grid; with one of them it is five depths, each once.
func (g *cells) complete(published cells) error {
	g.unit = published.unit
	switch {
	case len(g.lengths) > 0 && len(g.sizes) > 0:
		return errors.New("--lengths and --sizes exclude each other")
	case g.trials < 0:
		return fmt.Errorf("%d trials", g.trials)
	case g.trials > mostTrials:
		return fmt.Errorf("%d trials are too many: at most %d", g.trials, mostTrials)
	case len(published.depths) == 0 && len(g.depths) > 0:
		return errors.New("--depths: what is asked for has no place in this task")
	}
	depths, trials := published.depths, published.trials
	if len(g.lengths)+len(g.sizes) == 0 {
		g.lengths, g.sizes = published.lengths, published.sizes
	} else if trials = 1; len(depths) > 0 {
		depths = DepthGrid(5)
	}
	if len(g.depths) == 0 {
		g.depths = depths
	}
	if g.trials == 0 {
		g.trials = trials
	}
	for i, n := range g.sizes {
		if n < 1 || n > mostPieces {
			return fmt.Errorf("size %d: have 1 to %d %s", n, mostPieces, g.unit)
		}
		if slices.Contains(g.sizes[:i], n) {
			return fmt.Errorf("size %d is asked for twice", n)
		}
	}
	return checkGrid(g.lengths, g.depths)
}

// mostPieces bounds what a context is made of, some hundred megabytes of text.
const mostPieces = 1 << 22

func (g *cells) len() int {
	return limited((len(g.lengths)+len(g.sizes))*max(1, len(g.depths))*g.trials, g.limit)
}

// cell returns sample i's place. It panics if i is out of range.
func (g *cells) cell(i int) (c cell) {
	if i < 0 || i >= g.len() {
		panic(fmt.Sprintf("datasets: sample %d of %d", i, g.len()))
	}
	c.trial = i % g.trials
	i /= g.trials
	n := max(1, len(g.depths))
	if len(g.depths) > 0 {
		c.depth = g.depths[i%n]
	}
	if i /= n; i < len(g.lengths) {
		c.length = g.lengths[i]
	} else {
		c.size = g.sizes[i-len(g.lengths)]
	}
	return c
}

// id names sample i.
func (g *cells) id(i int) string {
	c := g.cell(i)
	id := fmt.Sprintf("%s=%d", g.unit, c.size)
	if c.length > 0 {
		id = fmt.Sprintf("length=%d", c.length)
	}
	if len(g.depths) > 0 {
		id += ",depth=" + strconv.FormatFloat(c.depth, 'g', -1, 64)
	}
	return fmt.Sprintf("%s,trial=%d", id, c.trial)
}

// among is the place at the cell's depth among n, 0 to n-1.
func (c cell) among(n int) int {
	const halfWay = 1e-9 // percents of whole places are not exact in binary
	return min(n-1, int(math.Floor(c.depth/100*float64(n)+halfWay)))
}
