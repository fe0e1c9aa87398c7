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
	var ahead []runners.Place
	for i := range task.Len() {
		ahead = append(ahead, runners.Place{Task: task, Number: i})
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
		p.Finished(task, i)
	}
	said("5/10  niah length=1000,depth=50,trial=0  ETA ?")
	p.start = time.Now().Add(-100 * time.Second)
	due()
	p.Within("niah", task.ID(5))(runners.Progress{Prefill: 1, Max: 10, Decoded: 0}) // nine tenths of the sixth
	said("5/10  niah length=1000,depth=50,trial=1: token 0  ETA 7m3")               // 100 s × 4.1 / 0.9 = 456 s
}

// A question that is asked by two conventions is two pieces of one name: the second, which was
// told of with the first, counts as work of this run.
func TestETAOfOneNameTwice(t *testing.T) {
	var w bytes.Buffer
	p := NewProgress(&w, false)
	for _, name := range []string{"q a/1", "q a/1", "q a/2", "q a/2"} {
		p.add(name, 10)
	}
	p.begin()
	p.within("q a/1", 1, "token 3")
	p.finish("q a/1")
	p.finish("q a/1")
	if p.found != 0 || p.done != 20 || p.ready != 2 || len(p.share) != 0 {
		t.Errorf("%v of %v done, %v found, %d ready, shares %v", p.done, p.total, p.found, p.ready, p.share)
	}
}
