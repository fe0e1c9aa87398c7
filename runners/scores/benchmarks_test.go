package scores

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results"
)

// Rows of runs give the tables of their benchmarks' authors.
func TestBenchmarkTables(t *testing.T) {
	var rows []results.Row
	add := func(task, protocol, variant, sample string, score float64) {
		rows = append(rows, results.Row{Task: task, Protocol: protocol, Variant: variant, Sample: sample, Score: &score})
	}
	add("longbench-v2", "kvpress", "full", "hard/long/a", 1)
	add("longbench-v2", "kvpress", "full", "easy/short/b", 0)
	add("longbench-v2", "kvpress", "small", "easy/short/b", 1)
	for i := range 5 {
		add(fmt.Sprintf("babilong-qa%d", i+1), "run", "full", "16k/1", float64(i%2))
	}
	add("babilong-qa1", "run", "full", "4k/1", 1)
	add("babilong-qa1", "run", "full", "4k/2", 0)
	add("scbench-kv", "scdq", "full", "0/2", 0)
	add("scbench-kv", "scdq", "full", "0/1", 1)
	add("niah", "", "full", "x/y", 1)
	rows = append(rows, results.Row{Task: "scbench-kv", Sample: "0/3", Error: "no"})
	var b bytes.Buffer
	PrintBenchmarks(&b, rows)
	got := strings.Join(strings.Fields(b.String()), " ")
	if want := "LongBench v2 by kvpress overall easy hard short long full 50.00 0.00 100.00 0.00 100.00 small 100.00 100.00 – 100.00 – " +
		"BABILong, run, full 4k 16k qa1 50.00 0.00 qa2 – 100.00 qa3 – 0.00 qa4 – 100.00 qa5 – 0.00 mean of qa1 to qa5 – 40.00 " +
		"scbench-kv, scdq turn 1 turn 2 all turns full 100.00 0.00 50.00"; got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
}
