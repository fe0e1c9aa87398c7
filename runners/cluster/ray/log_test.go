package ray

import (
	"fmt"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/cluster"
)

const sampleLog = `2026-11-29 18:00:00,000	INFO worker.py:1832 -- Connecting to existing Ray cluster at address: 10.0.0.1:6379...
snapbench-part {"part": 0, "state": "running", "attempt": "0a", "node": "ab"}
snapbench-part {"part": 1, "state": "running", "attempt": "0a", "node": "cd"}
(raylet) a warning without an end snapbench-part {"part": 2, "state": "running", "attempt": "3b", "node": "cd"} and after it
snapbench-part {"part": 0, "state": "ended"}
snapbench-part {"part": 1, "state": "waiting", "lost": "cd"}
snapbench-part {"part": 2, "state": "failed", "text": "exit status 1"}
snapbench-part {"part": 99, "state": "ended"}
snapbench-part {"part": -1, "state": "ended"}
snapbench-part {"state": "ended"}
snapbench-part {"part": 3, "state": "melted"}
snapbench-part {"part": 3
snapbench-part {"part": 4, "state": "running"}
snapbench-part {"part": 4, "state": "ended"}`

func TestLastEvents(t *testing.T) {
	want := map[int]cluster.State{0: cluster.Ended, 1: cluster.Waiting, 2: cluster.Failed, 4: cluster.Running} // the last line is not whole
	got := lastEvents(sampleLog, 5)
	for i := range 5 {
		if got[i].state() != want[i] {
			t.Errorf("part %d: %v, want %v", i, got[i].state(), want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d parts, want %d", len(got), len(want))
	}
	if e := got[2]; e.Attempt != "3b" || e.Text != "exit status 1" {
		t.Errorf("part 2: %+v, want its attempt 3b and its text", e)
	}
	if p := plain(sampleLog); strings.Count(p, "\n") != 1 || !strings.Contains(p, "Connecting") {
		t.Errorf("without our lines: %q", p)
	}
}

// Whatever the log holds, an event that comes after it on a line of its own counts, and
// no part that the run does not have appears.
func FuzzEvents(f *testing.F) {
	f.Add(sampleLog, uint8(5))
	f.Add(partMark+`{"part": 1e9, "state": "ended"}`+"\n", uint8(1))
	f.Add(strings.Repeat(partMark, 3)+`{"part": 0, "state": "ended"}`+"\n", uint8(1))
	f.Add(nodeMark+`{"id": "ab", "token": 3}`+"\n", uint8(0))
	f.Fuzz(func(t *testing.T, log string, n uint8) {
		count := int(n) + 1
		for i, e := range lastEvents(log, count) {
			if i < 0 || i >= count || e.state() == 0 || *e.Part != i {
				t.Errorf("part %d of %d: %+v", i, count, e)
			}
		}
		for _, n := range nodes(log) {
			if n.ID == "" {
				t.Errorf("a node without a name: %+v", n)
			}
		}
		log += fmt.Sprintf("\n%s{\"part\": %d, \"state\": \"failed\", \"text\": \"x\"}\n", partMark, n)
		if e := lastEvents(log, count)[int(n)]; e.state() != cluster.Failed || e.Text != "x" {
			t.Errorf("the last event of part %d was passed over: %+v", n, e)
		}
	})
}
