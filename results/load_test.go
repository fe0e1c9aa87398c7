package results

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// loads are two starts of one server, and one of another.
func loads() []Load {
	return []Load{
		{Variant: "full", Concurrency: 4, Requests: 10, Failed: 1, PromptTokens: 1000, NewTokens: 50, BusySeconds: 2, CacheUse: new(0.25), Running: new(2.0)},
		{Variant: "64", Concurrency: 4, Requests: 8, PromptTokens: 800, NewTokens: 80, BusySeconds: 0},
		{Variant: "full", Concurrency: 4, Requests: 30, PromptTokens: 3000, NewTokens: 350, BusySeconds: 6, Running: new(4.0), Waiting: new(1.0)},
	}
}

// The starts of one server add up: its rates are of the whole time, not means of rates.
func TestLoads(t *testing.T) {
	dir := t.TempDir()
	for _, l := range loads() {
		if err := AppendLoad(dir, l); err != nil {
			t.Fatal(err)
		}
	}
	list, err := readLoads(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []Load{
		{Variant: "full", Concurrency: 4, Requests: 40, Failed: 1, PromptTokens: 4000, NewTokens: 400, BusySeconds: 8, CacheUse: new(0.25), Running: new(4.0), Waiting: new(1.0)},
		loads()[1],
	}
	if !reflect.DeepEqual(list, want) {
		t.Errorf("%+v", list)
	}
	// Merged with itself a run is the same; with another one of the same server it is both.
	set := grid([]string{"a"}, []string{"full", "64"}, 2, func(string, string, int) float64 { return 1 })
	set.Loads = list
	if twice, err := Merge(set, set); err != nil || !reflect.DeepEqual(twice.Loads, want) {
		t.Errorf("%+v, %v", twice.Loads, err)
	}
	if both := mergeLoads([]Set{set, {Loads: loads()[:1]}}); both[0].Requests != 50 {
		t.Errorf("%+v", both)
	}

	g, ok := set.LoadGrid(set.Rows)
	if !ok || len(g.Rows) != 2 {
		t.Fatalf("%+v", g)
	}
	for i, want := range []string{"full 4 40 (1 failed) 5 500 50 25 % 4 1", "64 4 8 n/a n/a n/a n/a n/a n/a"} {
		if got := strings.Join(g.Rows[i], " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if len(g.Notes) != 1 {
		t.Errorf("%q", g.Notes)
	}
	measured := append([]Row(nil), set.Rows...)
	measured[0].Top1Agreement = new(1.0)
	if g, _ := set.LoadGrid(measured); len(g.Notes) != 2 || !strings.Contains(g.Notes[1], "for fidelity") {
		t.Errorf("%q", g.Notes)
	}
	if g, _ := (Set{Rows: set.Rows, Loads: list[1:]}).LoadGrid(set.Rows); len(g.Rows) != 1 || len(g.Head) != 6 {
		t.Errorf("without metrics: %+v", g)
	}
	if _, ok := (Set{Rows: set.Rows}).LoadGrid(set.Rows); ok {
		t.Error("a table of what nobody saw")
	}
	s := Summarize(set).Subjects[0].Loads
	if len(s) != 2 || *s[0].NewTokensPerSecond != 50 || s[1].RequestsPerSecond != nil {
		t.Errorf("in the summary: %+v", s)
	}
	if text := Markdown(set); !strings.Contains(text, "### Throughput") || !strings.Contains(text, "| 25 % |") {
		t.Errorf("%s", text)
	}
}

// What a crash has torn is cut off by the next line; what is damaged elsewhere is named by file and line.
func TestLoadsDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, loadFile)
	for _, l := range loads()[:2] {
		if err := AppendLoad(dir, l); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-9], 0o644); err != nil {
		t.Fatal(err)
	}
	if list, err := readLoads(dir); err != nil || len(list) != 1 {
		t.Errorf("torn: %+v, %v", list, err)
	}
	if err := AppendLoad(dir, loads()[1]); err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(path); err != nil || string(again) != string(whole) {
		t.Errorf("after it: %s, %v", again, err)
	}

	good := strings.Split(string(whole), "\n")[0]
	for change, want := range map[string]string{
		`"failed":1→"failed":11`:                      "11 failed",
		`"requests":10→"requests":-1`:                 "-1 requests",
		`"variant":"full"→"variant":""`:               "no variant",
		`"busy_seconds":2→"busy_seconds":-2`:          "busy_seconds -2",
		`"prompt_tokens":1000→"prompt_tokens":1e30`:   "prompt_tokens",
		`"peak_running":2→"peak_running":-2`:          "a peak of -2",
		`"concurrency":4→"concurrency":0`:             "concurrency 0",
		`"failed":1→"fails":1`:                        `unknown field "fails"`,
		`"peak_waiting":null}→"peak_waiting":null}{}`: "more than one",
	} {
		old, now, _ := strings.Cut(change, "→")
		bad := strings.Replace(good, old, now, 1)
		if bad == good {
			t.Fatalf("%s: not there", old)
		}
		if err := os.WriteFile(path, []byte(good+"\n"+bad+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readLoads(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), loadFile+":2: ") {
			t.Errorf("%s: %v, want %q in it", now, err, want)
		}
	}
	if err := os.Truncate(path, mostLoad+1); err != nil {
		t.Fatal(err)
	}
	if _, err := readLoads(dir); err == nil || !strings.Contains(err.Error(), fmt.Sprint(mostLoad+1)) {
		t.Errorf("a long file: %v", err)
	}
	if err := AppendLoad(dir, Load{Variant: "full"}); err == nil || !strings.Contains(err.Error(), "concurrency 0") {
		t.Errorf("of nothing: %v", err)
	}
}

func FuzzLoads(f *testing.F) {
	f.Add([]byte(`{"variant":"server(kv=fp8)","concurrency":4,"requests":40,"failed":1,"prompt_tokens":4000,"new_tokens":400,"busy_seconds":8.5,"peak_cache_use":0.2,"peak_running":4,"peak_waiting":null}` + "\n"))
	f.Add([]byte(`{"variant":"a","concurrency":1,"requests":1,"failed":0,"prompt_tokens":0,"new_tokens":0,"busy_seconds":0}` + "\n{"))
	f.Add([]byte("{}\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := parseLoads(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), ":") {
				t.Fatalf("error without a line: %v", err)
			}
			return
		}
		seen := map[string]bool{}
		for _, l := range list {
			if seen[l.Variant] || l.Requests < 1 || l.Failed > l.Requests || l.NewTokensPerSecond() < 0 {
				t.Fatalf("%+v", l)
			}
			seen[l.Variant] = true
		}
	})
}
