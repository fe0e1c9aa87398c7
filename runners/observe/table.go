package observe

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/snapbench/snapbench/results"
)

// Warning stands wherever captured attention is shown.
const Warning = "Captured attention does not rank policies by their answers: on SmolLM2-135M most is captured without pooling, and least found (docs/observe.md)."

// Table prints the study: hit rates by layer and along the forced text, and what each variant captures.
func (r *Report) Table(w io.Writer) error {
	seen := r.seen()
	lo, hi, answered := math.MaxInt, 0, 0
	for _, s := range seen {
		lo, hi = min(lo, s.Seen.Tokens), max(hi, s.Seen.Tokens)
		if s.Answered {
			answered++
		}
	}
	length := fmt.Sprint(lo)
	if hi > lo {
		length = fmt.Sprintf("%d to %d", lo, hi)
	}
	s := r.Settings
	fmt.Fprintf(w, "%s on %s\nprompts: %d of %s tokens; forced text: %d tokens of the full cache's greedy answer, end tokens left out\n", r.Subject(), r.About, len(seen), length, r.Forced)
	fmt.Fprintf(w, "windows of %d tokens, at most %d, each with 1/%d of the prompt as its vote; important: above %g, for content above %g; sink: above %g\n",
		s.Window, s.Windows, s.Share, s.Important, s.Content, s.Sink)
	fmt.Fprintln(w, "percent, with 95 % intervals over prompts; content leaves out sinks, which any policy keeps")

	fmt.Fprintln(w, "\nHit rate of a window's vote against what the forced text attends to (arXiv 2404.14469v2 §3, Fig. 2)")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "layer\tcontent: last window\tthe one before\tfirst\tall: last window\tthe one before\tfirst\tsinks a head\t")
	rates := []rate{windowRate(0, true), windowRate(1, true), firstRate(true), windowRate(0, false), windowRate(1, false), firstRate(false)}
	for layer := -1; layer < r.layers(); layer++ {
		name, least := "all", 0
		if layer >= 0 {
			name, least = fmt.Sprint(layer), few
		}
		fmt.Fprintf(t, "%s\t", name)
		for _, of := range rates {
			fmt.Fprintf(t, "%s\t", Percent(r.over(layer, least, of), layer < 0))
		}
		fmt.Fprintf(t, "%.1f\t\n", r.sinks(layer))
	}
	t.Flush()

	fmt.Fprintln(w, "\nHit rate of the last window along the forced text (§3, Fig. 3)")
	fmt.Fprintln(t, "quarter\t1\t2\t3\t4\t")
	for _, content := range []bool{true, false} {
		fmt.Fprintf(t, "%s\t", map[bool]string{true: "content", false: "all"}[content])
		for g := range 4 {
			fmt.Fprintf(t, "%s\t", Percent(r.over(-1, 0, quarterRate(g, content)), true))
		}
		fmt.Fprintln(t)
	}
	t.Flush()

	if len(r.Variants) > 0 {
		fmt.Fprintln(w, "\nAttention of the forced text that falls on what a variant keeps, beside the best set of that size (oracle), the best for")
		fmt.Fprintln(w, "each row (step), and the first 4 with the last positions (stream); hit rates with the kept positions as the vote")
		r.captured(t, answered)
		t.Flush()
		fmt.Fprintln(w, Warning)
		if answered > 0 {
			fmt.Fprintf(w, "value: the hidden value, over the %d of %d prompts whose forced text has it; least ρ: of its tokens, the lowest share of the\nanswer's attention that goes to heads which kept the token. That predicts answers; its measure is ours.\n", answered, len(seen))
		}
	}
	for _, s := range r.Samples {
		if s.Error != "" {
			fmt.Fprintf(w, "not observed: %s %s: %s\n", s.Task, s.ID, s.Error)
		}
	}
	return nil
}

// captured prints a line for each variant.
func (r *Report) captured(t io.Writer, answered int) {
	columns := []struct {
		name string
		of   func(Summary) Share
	}{
		{"content", func(s Summary) Share { return s.Content }}, {"oracle", func(s Summary) Share { return s.ContentOracle }}, {"stream", func(s Summary) Share { return s.ContentStream }},
		{"hit", func(s Summary) Share { return s.ContentHit }},
		{"all", func(s Summary) Share { return s.Captured }}, {"oracle", func(s Summary) Share { return s.Oracle }}, {"stream", func(s Summary) Share { return s.Stream }},
		{"step", func(s Summary) Share { return s.Step }}, {"hit", func(s Summary) Share { return s.Hit }},
	}
	if answered > 0 {
		value := func(of func(Evidence) Share) func(Summary) Share {
			return func(s Summary) Share {
				if e, ok := s.Evidence["value"]; ok {
					return of(e)
				}
				return Share(math.NaN())
			}
		}
		columns = append(columns, []struct {
			name string
			of   func(Summary) Share
		}{{"value kept", value(func(e Evidence) Share { return e.Retention })}, {"least ρ", value(Evidence.Least)}}...)
	}
	for _, c := range columns {
		fmt.Fprintf(t, "%s\t", c.name)
	}
	fmt.Fprintln(t, "  variant")
	for _, name := range r.Variants {
		for i, c := range columns {
			fmt.Fprintf(t, "%s\t", Percent(r.variant(name, c.of), i == 0))
		}
		fmt.Fprintln(t, "  "+name)
	}
}

// sinks is the mean number of sinks of a query head in a layer, over samples; of all layers where it is negative.
func (r *Report) sinks(layer int) float64 {
	var list []float64
	for _, s := range r.seen() {
		for i, l := range s.Seen.Layers {
			if layer < 0 || i == layer {
				for _, n := range l.Sinks {
					list = append(list, float64(n))
				}
			}
		}
	}
	return float64(mean(list))
}

// Percent writes a mean in percent, with its interval where asked for; – where there is none.
func Percent(iv results.Interval, interval bool) string {
	if math.IsNaN(iv.Mean) {
		return "–"
	}
	text := fmt.Sprintf("%.1f", 100*iv.Mean)
	if interval && iv.N > 1 && iv.Defined() {
		text += fmt.Sprintf(" [%.0f, %.0f]", 100*iv.Lo, 100*iv.Hi)
	}
	return text
}

// about says for pictures what was observed.
func (r *Report) about() string {
	var tasks []string
	for _, s := range r.seen() {
		if !slices.Contains(tasks, s.Task) {
			tasks = append(tasks, s.Task)
		}
	}
	return fmt.Sprintf("%s, %s, mean of %d prompts, %d tokens of greedy answer", r.Subject(), strings.Join(tasks, ", "), len(r.seen()), r.Forced)
}
