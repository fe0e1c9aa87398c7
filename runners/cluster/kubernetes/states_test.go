package kubernetes

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/cluster"
)

func TestParseIndexes(t *testing.T) {
	for text, want := range map[string][]int{
		"":          nil,
		"0":         {0},
		"7":         {7},
		"0-3":       {0, 1, 2, 3},
		"0,2-3,7":   {0, 2, 3, 7},
		"1,3-5,6-6": {1, 3, 4, 5, 6},
	} {
		got, err := parseIndexes(text, 8)
		if list := slices.Sorted(maps.Keys(got)); err != nil || !slices.Equal(list, want) {
			t.Errorf("%q: %v, %v, want %v", text, list, err, want)
		}
	}
	for _, text := range []string{",", "1,", "a", "1-", "-1", "3-1", "1-2-3", " 1", "+1", "8", "0-8", "0-4294967295", "99999999999999999999"} {
		if got, err := parseIndexes(text, 8); err == nil {
			t.Errorf("%q: %v, want an error", text, got)
		}
	}
}

// FuzzParseIndexes: what is read is below the limit, and is what the text names, one item
// after the other.
func FuzzParseIndexes(f *testing.F) {
	for _, text := range []string{"", "0-3,7", "1,3-5,7", "9-2", "0-4294967295", "-"} {
		f.Add(text, uint16(8))
	}
	f.Fuzz(func(t *testing.T, text string, n uint16) {
		got, err := parseIndexes(text, int(n))
		if err != nil {
			return
		}
		want := map[int]bool{}
		for _, item := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
			var from, to int
			if count, _ := fmt.Sscanf(item, "%d-%d", &from, &to); count == 1 {
				to = from
			} else if count != 2 {
				t.Fatalf("%q was taken in %q", item, text)
			}
			for i := from; i <= to; i++ {
				want[i] = true
			}
		}
		for i := range got {
			if i < 0 || i >= int(n) {
				t.Fatalf("%q below %d: has %d", text, n, i)
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("%q: %v, want %v", text, got, want)
		}
	})
}

// FuzzStates: whatever the API says, every part has a state or there is an error.
func FuzzStates(f *testing.F) {
	f.Add([]byte(`{"spec":{"completions":3},"status":{"completedIndexes":"0","failedIndexes":"2","conditions":[{"type":"Failed","status":"True"}]}}`),
		[]byte(`{"items":[{"metadata":{"name":"x-1-abcde","labels":{"batch.kubernetes.io/job-completion-index":"1"}}}]}`))
	f.Add([]byte(`{"spec":{"completions":3}}`), []byte(`{"items":null}`))
	f.Add([]byte(`{`), []byte(`{"items":[{}]}`))
	f.Fuzz(func(t *testing.T, jobText, podText []byte) {
		var j job
		if json.Unmarshal(jobText, &j) != nil {
			return
		}
		running, err := runningIndexes(string(podText))
		if err != nil {
			return
		}
		parts := []int{4, 5, 9}
		states, err := j.states(running, parts)
		if err != nil {
			return
		}
		for _, p := range parts {
			if s := states[p]; s < cluster.Waiting || s > cluster.Failed {
				t.Fatalf("part %d is %d by %s and %s", p, s, jobText, podText)
			}
		}
		if len(states) != len(parts) {
			t.Fatalf("states of %d parts of %d", len(states), len(parts))
		}
	})
}

func TestStates(t *testing.T) {
	const waiting, running, ended, failed = cluster.Waiting, cluster.Running, cluster.Ended, cluster.Failed
	for _, c := range []struct {
		name   string
		status string
		want   [4]cluster.State
	}{
		{"begun", `{"active":3}`, [4]cluster.State{waiting, running, waiting, waiting}},
		{"some done", `{"active":1,"completedIndexes":"0,2","failedIndexes":"3"}`, [4]cluster.State{ended, running, ended, failed}},
		// A thawed pod of an index that another has finished is not the part's state.
		{"done twice", `{"completedIndexes":"0-1"}`, [4]cluster.State{ended, ended, waiting, waiting}},
		{"given up", `{"completedIndexes":"0","conditions":[{"type":"FailureTarget","status":"True"}]}`, [4]cluster.State{ended, failed, failed, failed}},
		{"was suspended", `{"conditions":[{"type":"Suspended","status":"True"},{"type":"Failed","status":"False"}]}`, [4]cluster.State{waiting, running, waiting, waiting}},
	} {
		var j job
		if err := json.Unmarshal([]byte(`{"spec":{"completions":4},"status":`+c.status+`}`), &j); err != nil {
			t.Fatal(err)
		}
		parts := []int{3, 8, 9, 12}
		got, err := j.states(map[int]bool{1: true}, parts)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		for i, p := range parts {
			if got[p] != c.want[i] {
				t.Errorf("%s: part %d is %v, want %v", c.name, p, got[p], c.want[i])
			}
		}
	}
	var j job
	for text, want := range map[string]string{
		`{"spec":{"completions":5}}`:                                     "5 indexes, and the run's record has 4 parts",
		`{"spec":{"completions":4},"status":{"completedIndexes":"0-4"}}`: "completedIndexes",
		`{"spec":{"completions":4},"status":{"failedIndexes":"x"}}`:      "failedIndexes",
	} {
		j = job{}
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			t.Fatal(err)
		}
		if got, err := j.states(nil, []int{0, 1, 2, 3}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, error %v, want one with %q", text, got, err, want)
		}
	}
}

func TestPodsOnDeadNodesDoNotRun(t *testing.T) {
	item := func(index, deleted string) string {
		return fmt.Sprintf(`{"metadata":{"name":"n-%s","deletionTimestamp":%q,"labels":{"batch.kubernetes.io/job-completion-index":%q}}}`, index, deleted, index)
	}
	got, err := runningIndexes(`{"items":[` + item("0", "2026-01-02T03:04:05Z") + "," + item("1", "") + "," + item("0", "") + "," + item("2", "2026-01-02T03:04:05Z") + `]}`)
	if want := map[int]bool{0: true, 1: true}; err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := runningIndexes(`{"items":[` + item("x", "") + `]}`); err == nil {
		t.Errorf("a pod without an index: %v, want an error", got)
	}
}
