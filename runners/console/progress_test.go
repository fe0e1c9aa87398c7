package console

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
)

// The time left is computed with the share of the sample in hand, and without the samples
// that an earlier run had finished, which took this one no time.
func TestETA(t *testing.T) {
	task, err := datasets.Open("niah", datasets.Options{Own: &datasets.NeedleOptions{Lengths: []int{1000}, Depths: []float64{0, 25, 50, 75, 100}, Trials: 2}})
	if err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	p := NewProgress(&w, false)
	now := time.Unix(1000, 0)
	p.now = func() time.Time { return now }
	var ahead []runners.Place
	for i := range task.Len() {
		ahead = append(ahead, runners.Place{Task: task, Number: i, Effort: runners.Effort{Reading: 9, Decoding: 1}})
	}
	p.Plan(ahead)
	said := func(want string) {
		t.Helper()
		if line := strings.TrimSpace(w.String()); !strings.Contains(line, want) {
			t.Errorf("%q; want %q in it", line, want)
		}
		w.Reset()
	}
	due := func() { p.told = time.Time{} }
	for i := range 5 { // finished by an earlier run
		due()
		p.Finished(task, i, runners.Spent{})
	}
	said("5/10  niah length=1000,depth=50,trial=0  ETA ?")
	now = now.Add(100 * time.Second)
	p.Within("niah", task.ID(5))(runners.Progress{Prefill: 1, Max: 10, Decoded: 0}) // nine tenths of the sixth
	said("5/10  niah length=1000,depth=50,trial=1: token 0  ETA 7m3")               // 100 s × 4.1 / 0.9 = 456 s
}

// A question that is asked by two conventions is two pieces of one name: the second, which was
// told of with the first, counts as work of this run.
func TestETAOfOneNameTwice(t *testing.T) {
	var w bytes.Buffer
	p := NewProgress(&w, false)
	for _, name := range []string{"q a/1", "q a/1", "q a/2", "q a/2"} {
		p.add(name, "q", runners.Effort{Reading: 10})
	}
	p.begin()
	p.within("q a/1", 1, 0, func() string { return "token 3" })
	p.finish("q a/1", runners.Spent{})
	p.finish("q a/1", runners.Spent{})
	if done, left, found := p.pace.state(); done != 20 || left != 20 || found != 0 || p.ready != 2 {
		t.Errorf("%v done, %v left, %v found, %d ready", done, left, found, p.ready)
	}
}
