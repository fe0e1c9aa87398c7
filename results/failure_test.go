package results

import (
	"slices"
	"strings"
	"testing"
)

// A full cache that fails wherever it is asked leaves nothing to hold the others to.
func TestCheckFull(t *testing.T) {
	rows := func(full ...string) (list []Row) {
		for _, e := range full {
			list = append(list, Row{Model: "m", Task: "t", Sample: "s", Variant: "full", Error: e}, Row{Variant: "snapkv(cap=64)"})
		}
		return list
	}
	for _, c := range []struct {
		rows []Row
		want string
	}{
		{rows("first", "second"), "failed in all of its 2 samples, and nothing is left to hold the other variants to; the first: m, t, sample s, full: first"},
		{rows("first", ""), ""},
		{rows("", ""), ""},
		{[]Row{{Variant: "snapkv(cap=64)", Error: "x"}}, ""},
	} {
		err := CheckFull(c.rows)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.rows, err, c.want)
		}
	}
}

// A remark counts in every row that has it, among others too.
func TestNotes(t *testing.T) {
	got := Notes([]Row{{Note: "b; a"}, {}, {Note: "a"}})
	want := []Note{{"b", 1}, {"a", 2}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
