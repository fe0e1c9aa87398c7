package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/runners/cluster"
)

// Labels that Kubernetes gives to a Job's pods.
const (
	jobLabel   = "batch.kubernetes.io/job-name"
	indexLabel = "batch.kubernetes.io/job-completion-index"
)

// job is what is read of a Job. Whether an index is done is taken from its status, never
// from pods, which may be gone; and not from the condition Complete, for which Kubernetes
// waits until a dead node's pod is gone.
type job struct {
	Spec struct {
		Completions int `json:"completions"`
	} `json:"spec"`
	Status struct {
		CompletedIndexes string      `json:"completedIndexes"`
		FailedIndexes    string      `json:"failedIndexes"`
		Conditions       []condition `json:"conditions"`
	} `json:"status"`
}

type condition struct{ Type, Status, Reason, Message string }

// States implements [cluster.Engine].
func (engine) States(ctx context.Context, id string, w cluster.Work) (map[int]cluster.State, error) {
	k, name, err := submitted(id, w)
	if err != nil {
		return nil, err
	}
	out, err := k.run(ctx, "", "get", "job", name, "--output=json")
	if notFound(err) {
		return nil, nil // deleted, or cleaned up long after its end
	}
	if err != nil {
		return nil, err
	}
	var j job
	if err := json.Unmarshal([]byte(out), &j); err != nil {
		return nil, fmt.Errorf("the Job %s: %w", id, err)
	}
	out, err = k.run(ctx, "", "get", "pods", "--selector="+jobLabel+"="+name, "--field-selector=status.phase=Running", "--output=json")
	if err != nil {
		return nil, err
	}
	running, err := runningIndexes(out)
	if err != nil {
		return nil, fmt.Errorf("pods of Job %s: %w", id, err)
	}
	states, err := j.states(running, w.Parts)
	if err != nil {
		return nil, fmt.Errorf("the Job %s: %w", id, err)
	}
	return states, nil
}

// states says where each part is, given which indexes have a pod that runs.
func (j job) states(running map[int]bool, parts []int) (map[int]cluster.State, error) {
	if j.Spec.Completions != len(parts) {
		return nil, fmt.Errorf("%d indexes, and the run's record has %d parts for it", j.Spec.Completions, len(parts))
	}
	completed, err := parseIndexes(j.Status.CompletedIndexes, len(parts))
	if err != nil {
		return nil, fmt.Errorf("completedIndexes: %w", err)
	}
	failed, err := parseIndexes(j.Status.FailedIndexes, len(parts))
	if err != nil {
		return nil, fmt.Errorf("failedIndexes: %w", err)
	}
	over := false
	for _, c := range j.Status.Conditions {
		// Kubernetes starts no pod any more: the Job was given up as a whole, as by a deadline.
		over = over || c.Status == "True" && (c.Type == "Failed" || c.Type == "FailureTarget")
	}
	states := make(map[int]cluster.State, len(parts))
	for i, part := range parts {
		switch {
		case completed[i]:
			states[part] = cluster.Ended
		case failed[i] || over:
			states[part] = cluster.Failed
		case running[i]:
			states[part] = cluster.Running
		default:
			states[part] = cluster.Waiting
		}
	}
	return states, nil
}

// parseIndexes reads indexes as a Job's status has them, such as "0,3-5,7", of a Job with
// n of them.
func parseIndexes(text string, n int) (map[int]bool, error) {
	set := map[int]bool{}
	if text == "" {
		return set, nil
	}
	for item := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(item, "-")
		if !isRange {
			high = low
		}
		from, bad := strconv.ParseUint(low, 10, 32)
		to, worse := strconv.ParseUint(high, 10, 32)
		if bad != nil || worse != nil || from > to || to >= uint64(n) {
			return nil, fmt.Errorf("%q in %q: want indexes or ranges of them, below %d", item, text, n)
		}
		for i := from; i <= to; i++ {
			set[int(i)] = true
		}
	}
	return set, nil
}

// runningIndexes reads which indexes the pods of a list are of. A pod that is being
// deleted does not count: it may lie on a node that is dead.
func runningIndexes(text string) (map[int]bool, error) {
	pods, err := parsePods(text)
	if err != nil {
		return nil, err
	}
	set := map[int]bool{}
	for _, p := range pods {
		if p.Metadata.DeletionTimestamp != "" {
			continue
		}
		i, err := strconv.Atoi(p.Metadata.Labels[indexLabel])
		if err != nil {
			return nil, fmt.Errorf("pod %s: label %s=%q: want a number", p.Metadata.Name, indexLabel, p.Metadata.Labels[indexLabel])
		}
		set[i] = true
	}
	return set, nil
}
