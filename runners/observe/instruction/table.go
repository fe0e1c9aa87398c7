package instruction

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/observe"
)

// few is how many attentions a layer's hit rate needs: a ratio of fewer says nothing.
const few = 20

// column is a rate as tables and pictures have it.
type column struct {
	name  string
	of    rate
	least int
}

// overlaps are the rates of Fig. 4, and hits those of Fig. 5.
func (r *Report) overlaps() []column {
	list := []column{
		{"two questions' votes", voted, 0},
		{fmt.Sprintf("votes beyond the first %d", r.Settings.Sinks), beyond, 0},
		{"context's end and a question", own, 0},
	}
	for i, label := range r.labels() {
		list = append(list, column{"kept, " + label, kept(r.Variants[i]), 0})
	}
	return list
}

func (r *Report) hits() (list []column) {
	for _, before := range []bool{false, true} {
		place := "behind"
		if before {
			place = "before"
		}
		for i, w := range r.Settings.Windows {
			list = append(list, column{fmt.Sprintf("question %s, window %d", place, w), hit(i, before), few})
		}
	}
	return list
}

// labels name the variants by what they differ in.
func (r *Report) labels() []string {
	var rows []results.Row
	for _, name := range r.Variants {
		if v, err := compress.Parse(name); err == nil {
			rows = append(rows, runners.RowOf(v))
		}
	}
	labels := results.Labels(rows)
	list := make([]string, len(r.Variants))
	for i, name := range r.Variants {
		list[i] = labels[name]
	}
	return list
}

// Table prints the study by layer.
func (r *Report) Table(w io.Writer) error {
	s, questions, pairs := r.Settings, 0, 0
	for _, c := range r.seen() {
		questions, pairs = questions+len(c.Questions), pairs+len(c.Pairs)
	}
	fmt.Fprintf(w, "%s on %s\ncontexts: %d with %d questions, %d pairs; responses: %d tokens of the full cache's greedy answer\n", r.Subject(), r.About, len(r.seen()), questions, pairs, s.Response)
	fmt.Fprintf(w, "a question's rows are its tokens and its response; each votes for 1/%d of the context, by head\n", s.Share)
	fmt.Fprintln(w, "percent, the mean over contexts, with 95 % intervals over them")

	fmt.Fprintln(w, "\nWhat two questions about one context have in common (arXiv 2404.14469v2 §4.2, Fig. 4)")
	r.print(w, r.overlaps())
	fmt.Fprintf(w, "votes at random would have %.1f %% in common; kept: positions of the context, of what is kept for the first of two questions\n", 100*r.chance())

	fmt.Fprintln(w, "\nHit rate of the prompt's last window against what the response attends to, by where the question stands (§4.2, Fig. 5)")
	r.print(w, r.hits())
	fmt.Fprintf(w, "an attention of a response's row above %g is important; a window votes for 1/%d of the prompt, over what lies before it;\nlayers with fewer than %d important attentions are left blank\n", s.Important, s.Share, few)
	for _, c := range r.Contexts {
		if c.Error != "" {
			fmt.Fprintf(w, "not observed: context %s: %s\n", c.ID, c.Error)
			continue
		}
		for _, q := range c.Questions {
			if q.Why != "" {
				fmt.Fprintf(w, "not before its context: %s: %s\n", q.ID, q.Why)
			}
		}
	}
	return nil
}

// print writes a line for all layers together, and one for each.
func (r *Report) print(w io.Writer, columns []column) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer t.Flush()
	fmt.Fprint(t, "layer\t")
	for _, c := range columns {
		fmt.Fprintf(t, "%s\t", c.name)
	}
	for layer := -1; layer < r.layers(); layer++ {
		name := "all"
		if layer >= 0 {
			name = fmt.Sprint(layer)
		}
		fmt.Fprintf(t, "\n%s\t", name)
		for _, c := range columns {
			least := c.least
			if layer < 0 {
				least = 0
			}
			fmt.Fprintf(t, "%s\t", observe.Percent(r.over(layer, least, c.of), layer < 0))
		}
	}
	fmt.Fprintln(t)
}
