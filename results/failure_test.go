package results

import (
	"slices"
	"strings"
	"testing"
)

// TestCheckBaseline: a baseline that fails in every sample is an error.
func TestCheckBaseline(t *testing.T) {
	rows := func(full ...string) (list []Row) {
		for _, e := range full {
			list = append(list, Row{Model: "m", Task: "t", Sample: "s", Variant: "full", Policy: "full", Error: e}, Row{Variant: "snapkv(cap=64)"})
		}
		return list
	}
	served := Run{Baseline: "server(kv=f16)"}
	for _, c := range []struct {
		set  Set
		want string
	}{
		{Set{Rows: rows("first", "second")}, "the full cache failed in all of its 2 samples, so there is nothing to compare the other variants with; the first: m, t, sample s, full: first"},
		{Set{Rows: rows("first", "")}, ""},
		{Set{Rows: rows("", "")}, ""},
		{Set{Rows: []Row{{Variant: "snapkv(cap=64)", Error: "x"}}}, ""},
		{Set{Run: served, Rows: []Row{{Variant: "server(kv=f16)", Error: "x"}, {Variant: "server(kv=q8_0)"}}}, "server(kv=f16) failed in all of its 1 samples"},
		{Set{Run: served, Rows: []Row{{Variant: "server(kv=f16)"}, {Variant: "server(kv=q8_0)", Error: "x"}}}, ""},
	} {
		err := CheckBaseline(c.set)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.set, err, c.want)
		}
	}
}

// TestNotes: a remark is counted in every row that has it, also among others.
func TestNotes(t *testing.T) {
	got := Notes([]Row{{Note: "b; a"}, {}, {Note: "a"}})
	want := []Note{{"b", 1}, {"a", 2}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
