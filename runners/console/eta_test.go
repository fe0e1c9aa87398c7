package console

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/runners"
)

// card is a made-up device: seconds for a token's products, for a pair of tokens' attention, for a step's weights, and for
// each row and token of its cache.
type card struct{ token, pair, weights, row, cached float64 }

func (c card) read(n float64) float64 { return c.token*n + c.pair*n*n }

// held is a sample that is decoded.
type held struct {
	place  runners.Place
	length float64
	left   []int // tokens that each row will decode still
	rows   int
	spent  runners.Spent
	all    int // tokens that were decoded
	most   int
}

// simulate runs a stream on a made-up device, samples in the order of their places, up to so many rows together, and tells
// progress, whose clock it moves. each is called with the time since the start after each sample.
func simulate(p *Progress, now *time.Time, c card, places []runners.Place, variants, together int, answer func(task string, most int) int, each func(at float64)) (took float64) {
	var hand []*held
	passes := func(seconds float64) {
		took += seconds
		*now = now.Add(time.Duration(seconds * 1e9))
	}
	next := 0
	for next < len(places) || len(hand) > 0 {
		rows := 0
		for _, h := range hand {
			rows += h.rows
		}
		if next < len(places) && (len(hand) == 0 || rows+variants <= together) {
			place := places[next]
			next++
			h := &held{place: place, length: float64(place.Task.Size(place.Number)), most: place.Task.(interface{ MaxNew(int) int }).MaxNew(place.Number)}
			for range variants {
				h.left = append(h.left, answer(place.Task.Name(), h.most))
			}
			h.rows = len(h.left)
			within := p.Within(place.Task.Name(), place.Task.ID(place.Number))
			for part := range 4 {
				passes(c.read(h.length) / 4)
				within(runners.Progress{Prefill: float64(part+1) / 4, Max: h.most})
			}
			h.spent.Reading = time.Duration(c.read(h.length) * 1e9)
			hand = append(hand, h)
			continue
		}
		// So many steps that the first of them ends.
		steps := math.MaxInt
		one := c.weights
		for _, h := range hand {
			steps = min(steps, slices.Min(h.left))
			one += float64(h.rows)*c.row + h.length*c.cached // one full cache, and small ones
		}
		passes(one * float64(steps))
		for _, h := range hand {
			h.spent.Decoding += time.Duration(one * float64(steps) * float64(h.rows) / float64(rows) * 1e9)
			h.all += steps * h.rows
			for i := range h.left {
				h.left[i] -= steps
			}
			h.left = slices.DeleteFunc(h.left, func(n int) bool { return n == 0 })
			h.rows = len(h.left)
			p.Within(h.place.Task.Name(), h.place.Task.ID(h.place.Number))(runners.Progress{Prefill: 1, Max: h.most, Decoded: h.all / variants})
			if h.rows == 0 {
				h.spent.Decoded = float64(h.all) / float64(h.most*variants)
				p.Finished(h.place.Task, h.place.Number, h.spent)
				each(took)
			}
		}
		hand = slices.DeleteFunc(hand, func(h *held) bool { return h.rows == 0 })
	}
	return took
}

// From a tenth of a run on, the time left is within 15 % of what it turns out to be, whatever the machine's rates are beside
// those of the estimate, and whether answers have all their tokens or end by themselves.
func TestETAOfLongBench(t *testing.T) {
	var tasks []datasets.Task
	for _, set := range metrics.LongBench {
		if set.Chinese {
			continue
		}
		task, err := datasets.Open(set.Name, datasets.Options{Limit: 40, Own: &datasets.LongBenchOptions{DryText: true}})
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task)
	}
	all := func(_ string, most int) int { return most }
	rng := rand.New(rand.NewPCG(1, 2))
	some := func(_ string, most int) int { return max(1, int(float64(most)*(0.3+0.3*rng.Float64()))) }
	for _, x := range []struct {
		name               string
		variants, together int
		c                  card
		answer             func(string, int) int
	}{
		{"19 variants on a card", 19, 256, card{24e-6, 0.3e-9, 3.6e-3, 40e-6, 3e-8}, all},
		{"3 variants on a card", 3, 150, card{24e-6, 0.3e-9, 3.6e-3, 40e-6, 3e-8}, all},
		{"answers that end", 19, 256, card{24e-6, 0.3e-9, 3.6e-3, 40e-6, 3e-8}, some},
		{"a slow decoder", 19, 64, card{24e-6, 0.3e-9, 12e-3, 200e-6, 3e-8}, all},
		{"a processor", 4, 32, card{2e-3, 2e-8, 10e-3, 3e-3, 1e-6}, all},
	} {
		places := (&runners.Job{Tasks: tasks}).Places()
		estimate := card{10e-6, 0.1e-9, 4e-3, 10e-6, 2e-8} // of another machine: reading and decoding are off by other factors
		for i, place := range places {
			n, most := float64(place.Task.Size(place.Number)), float64(place.Task.(interface{ MaxNew(int) int }).MaxNew(place.Number))
			together := float64(x.together / x.variants)
			places[i].Effort = runners.Effort{Reading: estimate.read(n), Decoding: most * (estimate.weights/together + float64(x.variants)*estimate.row + n*estimate.cached)}
		}
		var w bytes.Buffer
		now := time.Unix(1e9, 0)
		p := NewProgress(&w, false)
		p.now = func() time.Time { return now }
		p.Plan(places)
		type guess struct{ at, left float64 }
		var guesses []guess
		took := simulate(p, &now, x.c, places, x.variants, x.together, x.answer, func(at float64) {
			if _, left, ok := p.left(); ok {
				guesses = append(guesses, guess{at, left.Seconds()})
			}
		})
		worst, at := 0.0, 0.0
		for _, g := range guesses {
			part := g.at / took
			if part < 0.1 || part > 0.9 { // of a minute's last seconds nobody asks
				continue
			}
			if off := math.Abs(g.at+g.left-took) / (took - g.at); off > worst {
				worst, at = off, part
			}
		}
		t.Logf("%s: %.0f s, at worst %.1f %% off, %.0f %% in", x.name, took, 100*worst, 100*at)
		if worst > 0.15 || len(guesses) < len(places)/2 {
			t.Errorf("%s: the time left was %.0f %% off", x.name, 100*worst)
		}
	}
}
