package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/speed"
)

// figures draws over the length, a panel for each batch: a step's time, tokens per
// second, the peak memory, and the last two against the full cache's; prefill over
// the length; and over the batch the longest prompt that fits. A line ends where its
// variant does not fit any more, a cross says where that was.
func figures(s *speed.Report) []plots.Figure {
	labels := labels(s)
	var step, rate, prefill, memory, faster, less []plots.Point
	read := map[string]bool{}
	for _, r := range s.Rows {
		if r.LongestAsked { // no curve, and far to the right of all of them
			continue
		}
		panel := "batch " + strconv.Itoa(r.Batch)
		if r.LargestAsked {
			panel = "largest batch"
		}
		at := func(y, lo, hi float64) plots.Point {
			return plots.Point{Panel: panel, Series: labels[r.Variant], X: float64(r.Length), Y: y, Lo: lo, Hi: hi, Missing: !r.Fits}
		}
		rate = append(rate, at(r.TokensPerSecond, r.TokensPerSecond, r.TokensPerSecond))
		if !r.LargestAsked { // there all are as slow and use as much as they can
			step = append(step, at(1000*r.StepSeconds, 1000*r.StepP10, 1000*r.StepP90))
			memory = append(memory, at(speed.GiB(r.PeakBytes), speed.GiB(r.PeakBytes), speed.GiB(r.PeakBytes)))
		}
		if once := fmt.Sprint(r.Variant, r.Length); r.Fits && !read[once] && r.Layers == 0 && r.Attending == 0 {
			read[once] = true
			p := at(r.PrefillSeconds, r.PrefillSeconds, r.PrefillSeconds)
			p.Panel = ""
			prefill = append(prefill, p)
		}
		if b := s.Full(r); b != nil && r.Fits {
			ratio := r.TokensPerSecond / b.TokensPerSecond
			faster = append(faster, at(ratio, ratio, ratio))
			if ratio = float64(b.PeakBytes) / float64(r.PeakBytes); !r.LargestAsked {
				less = append(less, at(ratio, ratio, ratio))
			}
		}
	}
	var longest []plots.Point
	for _, x := range s.Longest {
		if x.Length > 0 {
			n := float64(x.Length) / 1024
			longest = append(longest, plots.Point{Series: labels[x.Variant], X: float64(x.Batch), Y: n, Lo: n, Hi: n})
		}
	}
	var list []plots.Figure
	add := func(points []plots.Point, name, title, x, y string) {
		draw := plots.Lines
		if name == "speed_longest" { // one variant's may be forty times another's
			draw = plots.LogLines
		}
		if len(points) > 0 {
			about := s.About
			if slices.ContainsFunc(points, func(p plots.Point) bool { return p.Missing }) {
				about += "; ×: does not fit"
			}
			list = append(list, draw(name, title, about, x, y, points))
		}
	}
	const tokens = "Prompt (tokens)"
	add(step, "speed_step", "Decoding step", tokens, "Step (ms)")
	add(rate, "speed_tokens", "Tokens per second, all sequences of a batch", tokens, "Tokens/s")
	add(prefill, "speed_prefill", "Prefill of one prompt", tokens, "Prefill (s)")
	add(memory, "speed_memory", "Peak memory", tokens, "Peak memory (GiB)")
	add(faster, "speed_ratio", "Tokens per second against the full cache", tokens, "Full cache = 1")
	add(less, "speed_memory_ratio", "The full cache's peak memory against each variant's", tokens, "Full cache = 1")
	add(longest, "speed_longest", "Longest prompt that fits, by the plan of memory", "Batch", "Prompt (1024 tokens)")
	return list
}

// labels gives every variant a short name.
func labels(s *speed.Report) map[string]string {
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
			if v, err := compress.Parse(variant); err == nil && label == v.Budget() { // "1024" alone
				labels[variant] = fmt.Sprintf("%s %s", v.Policy(), label)
			}
		}
	}
	return labels
}
