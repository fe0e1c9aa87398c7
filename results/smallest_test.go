package results

import (
	"fmt"
	"strings"
	"testing"
)

// smallestTable is a table of the full cache and two variants that take an eighth and a quarter of its bytes, of which
// so many of n samples are right.
func smallestTable(t *testing.T, n, eighth, quarter int) Table {
	t.Helper()
	var rows []Row
	for i := range n {
		for _, v := range []struct {
			budget string
			bytes  int64
			right  int
		}{{"full", 800, n}, {"128", 100, eighth}, {"256", 200, quarter}} {
			r := Row{Task: "niah", Sample: fmt.Sprint(i), Variant: v.budget, Policy: "snapkv", Budget: v.budget, CacheBytes: new(v.bytes), FullCacheBytes: new(int64(800)), Score: new(0.0)}
			if v.budget == "full" {
				r.Policy = "full"
			}
			if i < v.right {
				r.Score = new(1.0)
			}
			rows = append(rows, r)
		}
	}
	return Tables(Set{Rows: rows}, Measures()[0])[0]
}

func TestSmallest(t *testing.T) {
	for _, c := range []struct {
		n, eighth, quarter int
		variant            string
		proven             bool
		head, text         string
	}{
		// Exact bounds by hand are those of the gate's tests; here it matters which of the answers is given.
		{400, 300, 400, "256", true, "0.25 × the full cache", "loses 0.0 points"},
		{400, 400, 400, "128", true, "0.12 × the full cache", "at most 5"},
		{12, 0, 12, "256", false, "Perhaps 0.25 × the full cache", "samples would do"},
		{12, 12, 0, "128", false, "Perhaps 0.12 × the full cache", "one of 2 caches"},
		{40, 10, 20, "", false, "Not as small as any that was tried", "256 keeps 0.25 × the bytes of the full cache and loses 50.0 points ["},
	} {
		s, ok := smallestTable(t, c.n, c.eighth, c.quarter).Smallest()
		if !ok || s.Variant != c.variant || s.Proven != c.proven || s.Head != c.head || !strings.Contains(s.Text, c.text) {
			t.Errorf("%d samples, %d and %d right: %v %+v", c.n, c.eighth, c.quarter, ok, s)
		}
	}
	table := smallestTable(t, 400, 300, 400)
	for k, v := range table.Variants {
		if v == "256" {
			table.Lines[0].Cells[k].Failed = 7
		}
	}
	if s, _ := table.Smallest(); !strings.Contains(s.Text, "(400 samples; it failed in 7 more)") {
		t.Errorf("of a cache that fails: %s", s.Text)
	}
	table = smallestTable(t, 12, 0, 12)
	table.Caches = nil
	if s, ok := table.Smallest(); ok {
		t.Errorf("rows without bytes: %+v", s)
	}
}
