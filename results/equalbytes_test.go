package results

import (
	"fmt"
	"strings"
	"testing"
)

// TestEqualBytesSentence: what is lost at the same bytes is said by format, the least first.
func TestEqualBytesSentence(t *testing.T) {
	var rows []Row
	add := func(policy, budget, cache string, right int) {
		variant := policy
		if budget != "full" {
			variant += "(cap=" + budget + ")"
		}
		if cache != "" {
			policy, variant = policy+"+"+cache, variant+"+"+cache
		}
		for i := range 20 {
			score := 0.0
			if i < right {
				score = 1
			}
			rows = append(rows, Row{Schema: Schema, ID: fmt.Sprint(len(rows)), Task: "niah", Sample: fmt.Sprint(i), Variant: variant, Policy: policy, Budget: budget, Cache: cache,
				Metric: "exact", Score: &score, CacheBytes: new(int64(100)), FullCacheBytes: new(int64(200))})
		}
	}
	add("full", "full", "", 20)
	add("full", "full", "q4_0", 19)
	add("full", "full", "kivi2", 10)
	add("snapkv", "bytes:12%", "f16", 14)
	add("snapkv", "bytes:12%", "q8_0", 18)
	add("tova", "bytes:12%", "q8_0", 18) // alone, it is compared with nothing
	add("tova", "bytes:64", "f16", 9)
	add("tova", "bytes:64", "q8_0", 9)
	tables := Tables(Set{Rows: rows}, Measures()[0])
	if len(tables) != 1 {
		t.Fatalf("%d tables", len(tables))
	}
	got := tables[0].EqualBytes()
	if len(got) != 3 {
		t.Fatalf("%d sentences: %q", len(got), got)
	}
	for i, want := range []string{"with every token, the cache loses 5.0 [", "at 12% of the bytes, snapkv loses 10.0 [", "at the bytes of 64 tokens in 16 bits, tova loses 55.0 ["} {
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("sentence %d is %q, want it to begin %q", i, got[i], want)
		}
	}
	for i, words := range [][]string{{" in q4_0 (0.50 × the bytes), 50.0 [", " in kivi2 (0.50 × the bytes)"}, {" in q8_0, 30.0 [", " in f16"}} {
		for _, want := range words {
			if !strings.Contains(got[i], want) {
				t.Errorf("sentence %d is %q, want %q in it", i, got[i], want)
			}
		}
	}
	grid, ok := tables[0].DropGrid()
	if !ok || !strings.Contains(strings.Join(grid.Notes, "\n"), got[1]) {
		t.Errorf("the notes of the drops are %q, want the sentence %q in them", grid.Notes, got[1])
	}
	if plain := Tables(Set{Rows: rows[:20]}, Measures()[0])[0].EqualBytes(); len(plain) > 0 {
		t.Errorf("without formats: %q", plain)
	}
}
