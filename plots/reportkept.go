package plots

import (
	"slices"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/kept"
)

// A page holds what caches kept of so many samples, and so many bytes of it: a browser must open it at once.
const (
	mostKept      = 24
	mostKeptBytes = 8 << 20
)

// reportKept is what caches kept of one sample's prompt.
type reportKept struct {
	Sample int                  `json:"s"` // index of Samples
	Tokens []string             `json:"t"`
	Needle []kept.Span          `json:"n,omitempty"`
	Answer []kept.Span          `json:"a,omitempty"`
	Rows   map[int][]kept.Layer `json:"r"` // by variant
}

// reportKeptOf says how much of what is known the page holds.
type reportKeptOf struct {
	Samples int `json:"samples"` // of which something was kept
	Left    int `json:"left"`    // caches that found no room
	Most    int `json:"most"`
	Bytes   int `json:"bytes"`
}

// keep adds what caches kept, as much as a page may hold: first of the samples that a cache lost, then of the others.
func (d *reportData) keep(x *kept.Index) error {
	var lost, others []int
	for i, s := range d.Samples {
		if !slices.ContainsFunc(s.Rows, func(r reportRow) bool { return x.Has(r.id) }) {
			continue
		}
		if d.lost(s) {
			lost = append(lost, i)
		} else {
			others = append(others, i)
		}
	}
	list := append(lost, others...)
	if len(list) == 0 {
		return nil
	}
	d.KeptOf = &reportKeptOf{Samples: len(list), Most: mostKept, Bytes: mostKeptBytes}
	room := mostKeptBytes
	for _, i := range list {
		if len(d.Kept) == mostKept {
			break
		}
		k, err := d.keptOf(x, i, &room)
		if err != nil {
			return err
		}
		if len(k.Rows) > 0 {
			d.Kept = append(d.Kept, k)
		}
	}
	return nil
}

// lost says whether a variant scored less than the baseline.
func (d *reportData) lost(s reportSample) bool {
	base := slices.IndexFunc(s.Rows, func(r reportRow) bool { return d.Variants[r.Variant].Baseline })
	if base < 0 || s.Rows[base].Score == nil {
		return false
	}
	return slices.ContainsFunc(s.Rows, func(r reportRow) bool { return r.Score != nil && *r.Score < *s.Rows[base].Score })
}

// keptOf reads what is known of a sample, as long as there is room.
func (d *reportData) keptOf(x *kept.Index, sample int, room *int) (reportKept, error) {
	k := reportKept{Sample: sample, Rows: map[int][]kept.Layer{}}
	key := ""
	for _, row := range d.Samples[sample].Rows {
		if !x.Has(row.id) {
			continue
		}
		r, err := x.Row(row.id)
		if err != nil {
			return k, err
		}
		if key == "" {
			p, err := x.Prompt(r)
			if err != nil {
				return k, err
			}
			size := 0
			for _, t := range p.Tokens {
				size += len(t) + 3
			}
			if size > *room {
				d.KeptOf.Left++
				return k, nil
			}
			*room -= size
			key, k.Needle, k.Answer = r.Prompt, p.Needle, p.Answer
			for _, t := range p.Tokens {
				k.Tokens = append(k.Tokens, results.VisibleLines(t))
			}
		}
		size := 0
		for _, l := range r.Layers {
			text, err := l.MarshalText()
			if err != nil {
				return k, err
			}
			size += len(text) + 3
		}
		if size > *room || r.Prompt != key || r.Check(len(k.Tokens)) != nil {
			d.KeptOf.Left++
			continue
		}
		*room -= size
		k.Rows[row.Variant] = r.Layers
	}
	return k, nil
}
