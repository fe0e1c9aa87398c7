package console

import (
	"strconv"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/speed"
)

// Cells is the progress of a measurement of speed. It saves every row as soon as it is there,
// since it may have taken minutes.
type Cells struct {
	*Progress
	Report *speed.Report // that is measured
	Out    string        // folder for its rows; empty: they are not saved
	work   *speed.Work
}

// Plan counts the work ahead, in seconds at the measured roofs.
func (c *Cells) Plan(w *speed.Work) {
	roofs := c.Report.Roofs
	c.Say("measured here: copy %.0f GB/s, products %.2f TFLOP/s, attention %.2f TFLOP/s",
		roofs.Bandwidth/1e9, roofs.Products/1e12, roofs.Attention/1e12)
	c.work = w
	for i := range w.Cells() {
		c.add(strconv.Itoa(i), "", runners.Effort{Reading: w.Seconds(i)})
	}
	c.begin()
}

// Within returns what is told how far cell i is.
func (c *Cells) Within(i int) func(speed.Step) {
	return func(s speed.Step) {
		c.within(strconv.Itoa(i), c.work.Share(i, s), 0, func() string { return c.work.Doing(i, s) })
	}
}

// Finished counts cell i and saves its row.
func (c *Cells) Finished(i int, r speed.Row) error {
	c.finish(strconv.Itoa(i), runners.Spent{})
	c.Say("%s", r.Line())
	if c.Out == "" {
		return nil
	}
	return c.Report.SaveRows(c.Out)
}
