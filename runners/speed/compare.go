package speed

import (
	"fmt"
	"io"
	"strings"
)

// Compare prints by how much each median differs from that of an earlier report, which
// was read from dir. Cells that are in one report only are left out; with none in common
// the result is an error.
func (s *Report) Compare(w io.Writer, dir string, before *Report) error {
	key := func(r Row) string {
		length, batch := r.asked()
		return strings.Join([]string{r.Model, r.Rope, r.Device, r.DType, length, batch, r.Variant, fmt.Sprint(r.Layers, r.Attending)}, " ")
	}
	old := map[string]Row{}
	for _, r := range before.Rows {
		old[key(r)] = r
	}
	fmt.Fprintf(w, "\nagainst %s of %s", dir, before.Started.Format("2006-01-02 15:04 MST"))
	if before.About != s.About || before.Version != s.Version {
		fmt.Fprintf(w, " (%s, version %s; now %s, version %s)", before.About, before.Version, s.About, s.Version)
	}
	fmt.Fprintf(w, "\n%11s %8s  %-52s %10s %10s\n", "length", "batch", "variant", "prefill", "step")
	largest, rows := 0.0, 0
	for _, r := range s.Rows {
		b, ok := old[key(r)]
		if !ok || !r.Fits || !b.Fits {
			continue
		}
		rows++
		length, batch := r.size()
		prefill, step := 100*(r.PrefillSeconds/b.PrefillSeconds-1), 100*(r.StepSeconds/b.StepSeconds-1)
		largest = max(largest, prefill, -prefill)
		fmt.Fprintf(w, "%11s %8s  %-52s %+8.1f %%", length, batch, r.Variant, prefill)
		if r.unsteady() || b.unsteady() {
			fmt.Fprintf(w, " %8s  ", "–")
		} else {
			largest = max(largest, step, -step)
			fmt.Fprintf(w, " %+8.1f %%", step)
		}
		if r.Length != b.Length || r.Batch != b.Batch {
			fmt.Fprintf(w, "  (then %d × %d)", b.Batch, b.Length)
		}
		fmt.Fprintln(w)
	}
	if rows == 0 {
		return fmt.Errorf("--against %s: none of its cells is one of these", dir)
	}
	_, err := fmt.Fprintf(w, "the largest difference of a median is %.1f %%\n", largest)
	return err
}
