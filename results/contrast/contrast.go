// Package contrast puts runs side by side: models, policies, machines, engines. Every variant of every run is an entry;
// each is held against another one, sample by sample, over the samples that both answered.
//
//	Of        entries, means and paired differences of some runs
//	Grid      one table
//	Words     one sentence for each entry
package contrast

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/snapbench/snapbench/results"
)

// Scale says what the numbers of the JSON are.
const Scale = "scores, differences and intervals are points of 0 to 100; a difference is the entry's score less that of what it is held against; p is a probability of 0 to 1"

// Contrast is runs side by side.
type Contrast struct {
	Scale       string   `json:"scale"`
	Comparisons int      `json:"comparisons"` // for which "shows" is corrected (Holm), the averages not counted
	Entries     []*Entry `json:"entries"`     // the reference first
	Lines       []Line   `json:"lines"`       // by task; the average of all last, where there are several
	Notes       []string `json:"notes,omitempty"`
}

// Entry is one variant of one run.
type Entry struct {
	Name           string   `json:"name"`
	Run            string   `json:"run"`
	Model          string   `json:"model"`
	Revision       string   `json:"revision,omitempty"`
	Rope           string   `json:"rope,omitempty"`
	Protocol       string   `json:"protocol,omitempty"`
	Device         string   `json:"device"`
	DType          string   `json:"dtype"`
	Variant        string   `json:"variant"`
	Against        string   `json:"against,omitempty"`   // the entry that it is held against; empty for the reference
	CacheTimesFull *float64 `json:"cache_times_full"`    // mean of its caches over the full cache's; null where unknown
	CacheTimesIts  *float64 `json:"cache_times_against"` // its cache over that of what it is held against, on shared samples
	PrefillSeconds *float64 `json:"prefill_seconds"`     // mean; null where unknown
	TokensPerSec   *float64 `json:"tokens_per_second"`   // of decoding, with whatever was decoded beside it
	// Evidence says why answers of the full cache were lost; nil where that was not audited.
	Evidence  *results.Evidence `json:"evidence,omitempty"`
	Identical bool              `json:"identical"`         // every shared answer is the same text, of the same score
	Words     string            `json:"words"`             // what the numbers say
	Caution   []string          `json:"caution,omitempty"` // what keeps its numbers from being like the others'
	against   *Entry
	label     string // of the variant within its run
	run       string // short
	cache     results.Footprint
	rows      map[string]map[string]*results.Row // task → sample
}

// Line is one task, or the average of all of them.
type Line struct {
	Task    string `json:"task"`
	Average bool   `json:"average,omitempty"`
	Samples int    `json:"samples"` // that the means of the line are over: the reference's
	Cells   []Cell `json:"cells"`   // by entry
}

// Cell is what an entry reached in a task.
type Cell struct {
	Score      *float64 `json:"score"`       // null where it is not over the line's samples
	Shared     int      `json:"shared"`      // samples that the difference is over
	Difference *float64 `json:"difference"`  // null for the reference, and without shared samples
	Lo         *float64 `json:"lo"`          // 95 % interval of the difference
	Hi         *float64 `json:"hi"`          //
	P          *float64 `json:"p,omitempty"` // of no difference, two-sided, Holm-corrected; none of an average
	Shows      bool     `json:"shows"`       // P is at most 0.05
	pairs      [][]results.Pair
}

// level is what a corrected p-value must reach for a difference to be told in words.
const level = 1 - results.Confidence

// Of puts sets side by side. Without a name in against, the first set's baseline (its full cache, or the variant that the
// run names, or its only one) is the reference, that set's other variants are held to it, and a variant of another set is
// held to the first set's own of the same policy, budget and parameters where it has one, else to the reference. With a
// name everything is held to the entry of that name.
func Of(sets []results.Set, against string) (*Contrast, error) {
	c := &Contrast{Scale: Scale}
	for _, s := range sets {
		if s.Partial {
			c.note("%s is not finished: it has %d rows so far", s.Name, len(s.Rows))
		}
	}
	if !slices.ContainsFunc(sets, func(s results.Set) bool {
		return slices.ContainsFunc(s.Rows, func(r results.Row) bool { return r.Score != nil })
	}) {
		return nil, errors.New("no row has a score, so there is nothing to put side by side")
	}
	groups, err := c.enter(sets)
	if err != nil {
		return nil, err
	}
	if err := c.hold(groups, against); err != nil {
		return nil, err
	}
	c.lines(sets)
	c.compare()
	for _, e := range c.Entries {
		c.describe(e)
	}
	return c, nil
}

// WriteJSON writes the contrast as JSON; unknown numbers are null.
func (c *Contrast) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(c)
}

// lines pairs every entry's rows with those of what it is held against, and takes the means that are over the same
// samples as the reference's.
func (c *Contrast) lines(sets []results.Set) {
	var tasks []string
	for _, s := range sets {
		for _, t := range s.Run.TasksOf(s.Rows) {
			tasks = appendNew(tasks, t)
		}
	}
	for _, task := range tasks {
		first := c.first(task)
		line := Line{Task: task, Samples: len(scored(first.rows[task]))}
		for _, e := range c.Entries {
			cell := Cell{}
			var why []string
			if rows := scored(e.rows[task]); alike(rows, scored(first.rows[task])) {
				cell.Score = points(meanScore(rows))
			} else if len(rows) > 0 {
				why = append(why, unlike(len(rows), line.Samples))
			}
			if e.against != nil {
				pairs, doubt := paired(e.rows[task], e.against.rows[task])
				if cell.Shared = len(pairs); cell.Shared > 0 {
					cell.pairs = [][]results.Pair{pairs}
				}
				if doubt != "" {
					why = append(why, doubt)
				}
			}
			if len(why) > 0 {
				e.Caution = append(e.Caution, task+": "+strings.Join(why, "; "))
			}
			line.Cells = append(line.Cells, cell)
		}
		c.Lines = append(c.Lines, line)
	}
	if len(tasks) > 1 {
		c.Lines = append(c.Lines, c.average())
	}
}

// first is the first entry that has scores of a task: the one whose samples the means of its line are over.
func (c *Contrast) first(task string) *Entry {
	for _, e := range c.Entries {
		if len(scored(e.rows[task])) > 0 {
			return e
		}
	}
	return c.Entries[0]
}

// average is the line of all tasks, each weighing the same; only entries that have all of them are in it.
func (c *Contrast) average() Line {
	line := Line{Task: fmt.Sprintf("average of %d", len(c.Lines)), Average: true}
	for _, l := range c.Lines {
		line.Samples += l.Samples
	}
	for k := range c.Entries {
		cell, sum, all := Cell{}, 0.0, true
		for _, l := range c.Lines {
			x := l.Cells[k]
			if x.Score != nil {
				sum += *x.Score
			} else {
				all = false
			}
			cell.Shared += x.Shared
			cell.pairs = append(cell.pairs, x.pairs...)
		}
		if all {
			mean := sum / float64(len(c.Lines))
			cell.Score = &mean
		}
		if len(cell.pairs) < len(c.Lines) {
			cell.pairs, cell.Shared = nil, 0
		}
		line.Cells = append(line.Cells, cell)
	}
	return line
}

// compare makes the differences on all cores, with their intervals and p-values.
func (c *Contrast) compare() {
	type place struct {
		cell    *Cell
		average bool
	}
	var cells []place
	for _, l := range c.Lines {
		for k := range l.Cells {
			if l.Cells[k].pairs != nil {
				cells = append(cells, place{&l.Cells[k], l.Average})
				if !l.Average {
					c.Comparisons++
				}
			}
		}
	}
	draws := max(results.Draws, int(math.Ceil(4*float64(c.Comparisons)/level)))
	ps := make([]float64, len(cells))
	work := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(cells)) {
		wg.Go(func() {
			for i := range work {
				x := cells[i].cell
				d := results.Compare(x.pairs, draws)
				x.Difference, x.Lo, x.Hi = points(-d.Drop), points(-d.Hi), points(-d.Lo)
				ps[i] = min(1, 2*min(d.AtLeast(0), d.AtMost(0)))
			}
		})
	}
	for i := range cells {
		work <- i
	}
	close(work)
	wg.Wait()
	var family []float64
	for i, x := range cells {
		if !x.average {
			family = append(family, ps[i])
		}
	}
	family = results.Holm(family)
	for i, x := range cells {
		p := ps[i]
		if !x.average {
			p, family = family[0], family[1:]
			x.cell.P = &p
		}
		x.cell.Shows = p <= level
	}
}
