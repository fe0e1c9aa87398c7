package contrast

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// describe says in a sentence what an entry's numbers show.
func (c *Contrast) describe(e *Entry) {
	at := 0
	for k, x := range c.Entries {
		if x == e {
			at = k
		}
	}
	if e.against == nil {
		e.Words = "the reference: " + e.about()
		return
	}
	its := e.against.Name
	shared, same, ratio := e.beside()
	e.Identical = shared > 0 && same == shared
	e.CacheTimesIts = results.Known(ratio)
	var words []string
	switch {
	case shared == 0:
		words = append(words, "shares no sample with "+its)
	case !c.paired(at) && !e.Identical:
		words = append(words, "shares no sample with "+its+" that may be compared")
	case e.Identical:
		words = append(words, fmt.Sprintf("gives %s's answer to the letter in all %d samples", its, shared))
	default:
		words = append(words, c.shown(at, its))
	}
	if !math.IsNaN(ratio) {
		switch s := share(ratio); {
		case s == "":
			words = append(words, "its cache is as large")
		case e.against.full():
			words = append(words, "it uses "+s+" of the full cache")
		default:
			words = append(words, "its cache is "+s+" of that of "+its)
		}
	}
	switch {
	case e.Rope == e.against.Rope:
	case e.Rope == "":
		words = append(words, "its rotation is the model's own")
	default:
		words = append(words, "its rotation is rope "+e.Rope)
	}
	if x := e.Evidence; x != nil && x.Lost > 0 {
		words = append(words, fmt.Sprintf("it loses %d of %d answers that the full cache gives (evidence: %s)", x.Lost, x.Known, x.Words()))
	}
	e.Words = strings.Join(words, "; ")
}

// paired says that an entry has a difference at all.
func (c *Contrast) paired(at int) bool {
	return slices.ContainsFunc(c.Lines, func(l Line) bool { return l.Cells[at].Difference != nil })
}

// about names what an entry is.
func (e *Entry) about() string {
	s := results.Subject{Model: e.Model, Revision: e.Revision, Rope: e.Rope, Protocol: e.Protocol, Device: e.Device, DType: e.DType}
	return strings.TrimSuffix(s.String(), ", unknown unknown") + ", " + e.label // graded predictions do not say where they were made
}

// full reports whether the entry keeps the full cache.
func (e *Entry) full() bool { return e.cache.TimesFull == 1 && e.cache.Copies == 1 }

// beside counts the samples shared with what the entry is held against and those of the same text, graded the same where
// they are graded alike, and takes the mean of
// its caches' bytes over the other's; NaN where unknown.
func (e *Entry) beside() (shared, same int, ratio float64) {
	sum, known := 0.0, 0
	for _, task := range slices.Sorted(maps.Keys(e.rows)) { // one order, one rounding
		for _, s := range slices.Sorted(maps.Keys(e.rows[task])) {
			y, x := e.rows[task][s], e.against.rows[task][s]
			if x == nil || x.Score == nil || y.Score == nil {
				continue
			}
			shared++
			if x.Prediction == y.Prediction && (*x.Score == *y.Score || x.Unlike(y) != "") {
				same++
			}
			if times := cacheTimes(x, y); !math.IsNaN(times) {
				sum += times
				known++
			}
		}
	}
	if known == 0 {
		return shared, same, math.NaN()
	}
	return shared, same, sum / float64(known)
}

// cacheTimes is the cache of y over that of x; NaN where unknown. Where one of them alone has a format, whose full cache counts in
// 16 bits whatever the device computes in, both are taken as multiples of their full caches.
func cacheTimes(x, y *results.Row) float64 {
	if x.CacheBytes == nil || y.CacheBytes == nil || *x.CacheBytes <= 0 {
		return math.NaN()
	}
	if (x.Cache == "") != (y.Cache == "") && x.Model == y.Model && x.Revision == y.Revision {
		if of, own := x.TimesFull(), y.TimesFull(); of != nil && own != nil {
			return *own / *of
		}
	}
	return float64(*y.CacheBytes) / float64(*x.CacheBytes)
}

// share writes a cache against another as a percentage; empty where they are the same.
func share(ratio float64) string {
	switch p := 100 * ratio; {
	case math.Abs(p-100) < 0.5:
		return ""
	case p < 10:
		return results.Fixed(p, 1) + " %"
	default:
		return results.Fixed(p, 0) + " %"
	}
}

// mostTold is how many tasks a sentence names each way; more are counted.
const mostTold = 3

// shown tells the differences that show, after correction: losses first, the largest first, and then the average.
func (c *Contrast) shown(at int, its string) string {
	type change struct {
		size float64
		text string
	}
	var lost, won []change
	others, missing, average := 0, 0, ""
	for _, l := range c.Lines {
		switch x := l.Cells[at]; {
		case x.Difference == nil && !l.Average:
			missing++
		case x.Difference == nil:
		case l.Average:
			average = signed(x) + " on average"
		case !x.Shows && len(c.Lines) == 1: // the only number there is
			average = signed(x) + " points on " + l.Task
		case !x.Shows:
			others++
		case *x.Difference < 0:
			lost = append(lost, change{-*x.Difference, told(-*x.Difference, negative(x.Hi), negative(x.Lo)) + " points on " + l.Task})
		default:
			won = append(won, change{*x.Difference, told(*x.Difference, x.Lo, x.Hi) + " points on " + l.Task})
		}
	}
	var words []string
	for _, way := range []struct {
		verb string
		list []change
	}{{"loses", lost}, {"gains", won}} {
		slices.SortStableFunc(way.list, func(a, b change) int { return cmp.Compare(b.size, a.size) })
		var texts []string
		for _, x := range way.list[:min(len(way.list), mostTold)] {
			texts = append(texts, x.text)
		}
		if more := len(way.list) - mostTold; more > 0 {
			texts = append(texts, fmt.Sprintf("and on %d more", more))
		}
		if len(texts) > 0 {
			words = append(words, way.verb+" "+strings.Join(texts, ", "))
		}
	}
	switch {
	case len(words) == 0:
		words = append(words, "shows no difference from "+its)
	case others > 0:
		words = append(words, "elsewhere no difference shows")
	}
	if missing > 0 {
		words = append(words, fmt.Sprintf("%d of the tasks are not shared", missing))
	}
	if average != "" {
		words = append(words, average)
	}
	return strings.Join(words, ", ")
}

// signed is "-2.3 [-2.7, -1.8]".
func signed(x Cell) string {
	if *x.Difference > 0 && results.Fixed(*x.Difference, 1) != "0.0" {
		return "+" + told(*x.Difference, x.Lo, x.Hi)
	}
	return told(*x.Difference, x.Lo, x.Hi)
}

func negative(v *float64) *float64 {
	if v == nil {
		return nil
	}
	n := -*v
	return &n
}

// told is "1.2 [0.4, 2.1]".
func told(v float64, lo, hi *float64) string {
	s := results.Fixed(v, 1)
	if lo != nil && hi != nil {
		s += fmt.Sprintf(" [%s, %s]", results.Fixed(*lo, 1), results.Fixed(*hi, 1))
	}
	return s
}
