package ray

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/runners/cluster"
)

// The lines that driver.py and probe.py print begin so.
const (
	partMark = "snapbench-part "
	nodeMark = "snapbench-node "
)

// event is what the driver says about a part.
type event struct {
	Part    *int   `json:"part"`
	State   string `json:"state"`
	Attempt string `json:"attempt"` // while it runs
	Text    string `json:"text"`    // where it failed
}

var states = map[string]cluster.State{
	"waiting": cluster.Waiting, "running": cluster.Running, "ended": cluster.Ended, "failed": cluster.Failed,
}

func (e event) state() cluster.State { return states[e.State] }

// node is what the probe says about a node.
type node struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	Host    string `json:"host"`
	Silent  bool   `json:"silent"`
	Token   string `json:"token"`
	Error   string `json:"error"` // of reading the token
	Program bool   `json:"program"`
	Dir     bool   `json:"dir"`
}

func (n node) String() string { return fmt.Sprintf("%s (%s, node %.8s)", n.Host, n.Address, n.ID) }

// lastEvents returns the latest event of each of count parts in a job's log. The log has
// lines of Ray's, too, and while the job runs its last one may be half written: what is no
// event is passed over.
func lastEvents(log string, count int) map[int]event {
	last := map[int]event{}
	marked(log, partMark, func(text string) {
		var e event
		if json.NewDecoder(strings.NewReader(text)).Decode(&e) != nil || e.Part == nil || *e.Part < 0 || *e.Part >= count || e.state() == 0 {
			return
		}
		if e.State != "running" {
			e.Attempt = last[*e.Part].Attempt
		}
		last[*e.Part] = e
	})
	return last
}

// nodes returns what the probe said about nodes.
func nodes(log string) (list []node) {
	marked(log, nodeMark, func(text string) {
		var n node
		if json.NewDecoder(strings.NewReader(text)).Decode(&n) == nil && n.ID != "" {
			list = append(list, n)
		}
	})
	return list
}

// marked calls f with what follows the mark in each whole line of a log that has one. It
// may have another writer's text before it.
func marked(log, mark string, f func(text string)) {
	for line := range strings.Lines(log) {
		line, whole := strings.CutSuffix(line, "\n")
		if _, text, ok := strings.Cut(line, mark); ok && whole {
			f(text)
		}
	}
}

// plain returns a log without our lines.
func plain(log string) string {
	var b strings.Builder
	for line := range strings.Lines(log) {
		if !strings.Contains(line, partMark) && !strings.Contains(line, nodeMark) {
			b.WriteString(line)
		}
	}
	return b.String()
}
