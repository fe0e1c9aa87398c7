package speed

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
)

// curves are the points of each picture.
type curves struct {
	step, rate, prefill, memory []plots.Point
	faster, less                []plots.Point // against the full cache
	longest                     []plots.Point
}

// figures draws, over the prompt's length and with a panel for each batch: a step's time,
// tokens per second, and the peak memory, the latter two also as ratios to the full
// cache's. One picture has the prefill's time over the length, and one the longest prompt
// that fits over the batch. A curve ends where its variant no longer fits; a cross marks
// the first length that did not.
func (s *Report) figures() []plots.Figure {
	c := s.curves()
	var list []plots.Figure
	add := func(points []plots.Point, name, title, x, y string) {
		draw := plots.Lines
		if name == "speed_longest" { // one variant's may be forty times another's
			draw = plots.LogLines
		}
		if len(points) > 0 {
			about := s.subject()
			if slices.ContainsFunc(points, func(p plots.Point) bool { return p.Missing }) {
				about += "; ×: does not fit"
			}
			list = append(list, draw(name, title, about, x, y, points))
		}
	}
	const tokens = "Prompt (tokens)"
	add(c.step, "speed_step", "Decoding step", tokens, "Step (ms)")
	add(c.rate, "speed_tokens", "Tokens per second, all sequences of a batch", tokens, "Tokens/s")
	add(c.prefill, "speed_prefill", "Prefill of one prompt", tokens, "Prefill (s)")
	add(c.memory, "speed_memory", "Peak memory", tokens, "Peak memory (GiB)")
	add(c.faster, "speed_ratio", "Tokens per second against the full cache", tokens, "Full cache = 1")
	add(c.less, "speed_memory_ratio", "The full cache's peak memory against each variant's", tokens, "Full cache = 1")
	add(c.longest, "speed_longest", "Longest prompt that fits, by the plan of memory", "Batch", "Prompt (1024 tokens)")
	return list
}

// subject is what was measured, and on what: the models with their number format, and the device.
func (s *Report) subject() string {
	var words []string
	for _, r := range s.Rows {
		if w := strings.TrimSpace(r.model() + ", " + r.DType); !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return strings.Join(append(words, s.About), "; ")
}

// curves collects the points of the rows.
func (s *Report) curves() (c curves) {
	labels := s.labels()
	type prompt struct {
		variant string
		length  int
	}
	read := map[prompt]bool{}
	for _, r := range s.Rows {
		if r.LongestAsked { // one point, far to the right of every curve
			continue
		}
		panel := "batch " + strconv.Itoa(r.Batch)
		if r.LargestAsked {
			panel = "largest batch"
		}
		at := func(y, lo, hi float64) plots.Point {
			return plots.Point{Panel: panel, Series: labels[r.Variant], X: float64(r.Length), Y: y, Lo: lo, Hi: hi, Missing: !r.Fits}
		}
		c.rate = append(c.rate, at(r.TokensPerSecond, r.TokensPerSecond, r.TokensPerSecond))
		if !r.LargestAsked { // at its largest batch every variant fills the memory, and is as slow as that makes it
			c.step = append(c.step, at(1000*r.StepSeconds, 1000*r.StepP10, 1000*r.StepP90))
			c.memory = append(c.memory, at(GiB(r.PeakBytes), GiB(r.PeakBytes), GiB(r.PeakBytes)))
		}
		if one := (prompt{r.Variant, r.Length}); r.Fits && !read[one] && r.Layers == 0 && r.Attending == 0 {
			read[one] = true
			p := at(r.PrefillSeconds, r.PrefillSeconds, r.PrefillSeconds)
			p.Panel = ""
			c.prefill = append(c.prefill, p)
		}
		if full := s.Full(r); full != nil && r.Fits {
			ratio := r.TokensPerSecond / full.TokensPerSecond
			if !r.unsteady() && !full.unsteady() {
				c.faster = append(c.faster, at(ratio, ratio, ratio))
			}
			if ratio = float64(full.PeakBytes) / float64(r.PeakBytes); !r.LargestAsked {
				c.less = append(c.less, at(ratio, ratio, ratio))
			}
		}
	}
	for _, x := range s.Longest {
		if x.Length > 0 {
			n := float64(x.Length) / 1024
			c.longest = append(c.longest, plots.Point{Series: labels[x.Variant], X: float64(x.Batch), Y: n, Lo: n, Hi: n})
		}
	}
	return c
}

// labels gives every variant of the rows a short name.
func (s *Report) labels() map[string]string {
	var rows []results.Row
	for _, r := range s.Rows {
		if v, err := compress.Parse(r.Variant); err == nil {
			rows = append(rows, runners.RowOf(v))
		} else {
			rows = append(rows, results.Row{Variant: r.Variant})
		}
	}
	labels := results.Labels(rows)
	for variant, label := range labels {
		if variant != "full" {
			if v, err := compress.Parse(variant); err == nil && label == v.Budget() { // "1024" alone does not say of what
				labels[variant] = fmt.Sprintf("%s %s", v.Policy(), label)
			}
		}
	}
	return labels
}
