package main

import (
	"strconv"

	"github.com/snapbench/snapbench/runners/speed"
)

// cellProgress tells how far speed is, and saves what it has.
type cellProgress struct {
	*progress
	report *speed.Report
	out    string // folder, empty where nothing is saved
	work   *speed.Work
}

// Plan counts the work ahead, in seconds at the measured roofs.
func (c *cellProgress) Plan(w *speed.Work) {
	roofs := c.report.Roofs
	c.Say("measured here: copy %.0f GB/s, products %.2f TFLOP/s, attention %.2f TFLOP/s",
		roofs.Bandwidth/1e9, roofs.Products/1e12, roofs.Attention/1e12)
	c.work = w
	for i := range w.Cells() {
		c.add(strconv.Itoa(i), w.Seconds(i))
	}
	c.begin()
}

// Within returns what is told how far cell i is.
func (c *cellProgress) Within(i int) func(speed.Step) {
	return func(s speed.Step) { c.within(strconv.Itoa(i), c.work.Share(i, s), c.work.Doing(i, s)) }
}

// Finished counts cell i, and saves its row at once: it may have taken minutes.
func (c *cellProgress) Finished(i int, r speed.Row) error {
	c.finish(strconv.Itoa(i))
	c.Say("%s", r.Line())
	if c.out == "" {
		return nil
	}
	return c.report.SaveRows(c.out)
}
