package slurm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/runners/cluster"
)

// States asks for all parts in one call. Slurm forgets a part some minutes after it
// ended (MinJobAge), so later it is absent, as is the whole job. It is asked by name too:
// a cluster that is set up anew gives the same numbers to others' jobs.
func (engine) States(ctx context.Context, id string, w cluster.Work) (map[int]cluster.State, error) {
	said, err := command(ctx, "", "squeue", "--noheader", "--array", "--states=all", "--jobs="+id, "--name="+w.Name, "--format=%K %T")
	var failed *commandError
	if errors.As(err, &failed) && strings.Contains(failed.Said, "Invalid job id specified") {
		return map[int]cluster.State{}, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := parseStates(said)
	if err != nil {
		return nil, fmt.Errorf("squeue of job %s: %w", id, err)
	}
	for part := range all {
		if !slices.Contains(w.Parts, part) {
			return nil, fmt.Errorf("job %s has an element %d, which is none of those submitted for this run: is it another run's, of a folder with the same name?", id, part)
		}
	}
	return all, nil
}

// meaning of Slurm's states. COMPLETING is any job whose processes are being ended, also
// one that then waits again.
var meaning = map[string]cluster.State{
	"PENDING":       cluster.Waiting,
	"REQUEUED":      cluster.Waiting,
	"REQUEUE_FED":   cluster.Waiting,
	"REQUEUE_HOLD":  cluster.Waiting,
	"RESV_DEL_HOLD": cluster.Waiting,
	"SPECIAL_EXIT":  cluster.Waiting,

	"COMPLETING":  cluster.Running,
	"CONFIGURING": cluster.Running,
	"RESIZING":    cluster.Running,
	"RUNNING":     cluster.Running,
	"SIGNALING":   cluster.Running,
	"STAGE_OUT":   cluster.Running,
	"STOPPED":     cluster.Running,
	"SUSPENDED":   cluster.Running,

	"COMPLETED": cluster.Ended,

	"BOOT_FAIL":     cluster.Failed,
	"CANCELLED":     cluster.Failed,
	"DEADLINE":      cluster.Failed,
	"FAILED":        cluster.Failed,
	"LAUNCH_FAILED": cluster.Failed,
	"NODE_FAIL":     cluster.Failed,
	"OUT_OF_MEMORY": cluster.Failed,
	"PREEMPTED":     cluster.Failed,
	"REVOKED":       cluster.Failed,
	"TIMEOUT":       cluster.Failed,
}

// parseStates reads lines of an element's number and its state.
func parseStates(text string) (map[int]cluster.State, error) {
	all := map[int]cluster.State{}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("%q: want the number of an array's element and a state", strings.TrimSpace(line))
		}
		part, err := strconv.Atoi(fields[0])
		if err != nil || part < 0 {
			return nil, fmt.Errorf("%q: %q is no number of an array's element", strings.TrimSpace(line), fields[0])
		}
		state, ok := meaning[fields[1]]
		if !ok {
			return nil, fmt.Errorf("%q: an unknown state", strings.TrimSpace(line))
		}
		if _, twice := all[part]; twice {
			return nil, fmt.Errorf("element %d is listed twice", part)
		}
		all[part] = state
	}
	return all, nil
}
