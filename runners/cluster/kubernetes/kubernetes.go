// Package kubernetes places the parts of a run as the indexes of one Indexed Job.
//
// It asks kubectl, which knows how the user's cluster is reached, and needs nothing in the
// cluster but the right to create Jobs and pods in one namespace, an image, and a claim
// that many nodes may write.
//
// An attempt is a pod. Kubernetes starts another one where a pod fails, is evicted, or
// lies on a node that died; attempts write into folders of their own (package parts), so
// two pods of one index at the same time do no harm.
package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/cluster"
)

func init() {
	cluster.Register(cluster.Definition{
		Name: "kubernetes",
		Help: "an Indexed Job, by kubectl; needs --image, and --claim of a volume that many nodes may write",
		New:  func() cluster.Engine { return engine{} },
	})
}

type engine struct{}

var (
	_ cluster.Engine  = engine{}
	_ cluster.Fetcher = engine{}
	_ cluster.Placer  = engine{}
)

// Submit implements [cluster.Engine]. The id is NAMESPACE/JOB, so that it means the same
// Job when the user's current namespace is another one.
func (engine) Submit(ctx context.Context, w cluster.Work) (string, error) {
	o, err := parseOptions(w.EngineArgs)
	if err != nil {
		return "", err
	}
	// A part that is submitted again is a new Job: the last one may still be there.
	name := jobName(w, results.Random(4))
	manifest, err := render(w, name)
	if err != nil {
		return "", err
	}
	k := o.kubectl()
	const id = "--output=jsonpath={.metadata.namespace}/{.metadata.name}"
	out, err := k.run(ctx, manifest, "create", "--validate=strict", "--filename=-", id)
	if err != nil {
		// The name is ours, so a Job whose answer was lost is found by it.
		var lost error
		switch out, lost = k.run(ctx, "", "get", "job", name, id); {
		case notFound(lost):
			return "", err
		case lost != nil:
			return "", fmt.Errorf("the Job %s may have been created (%s says, and %s ends it before the same command creates another): %w",
				name, k.line("get", "job", name), k.line("delete", "job", name), errors.Join(err, lost))
		}
	}
	return strings.TrimSpace(out), nil
}

// Advice implements [cluster.Engine].
func (engine) Advice(id string, w cluster.Work) []string {
	k, name, err := submitted(id, w)
	if err != nil {
		return nil
	}
	return []string{
		"follow: " + k.line("get", "pods", "--watch", "--selector="+jobLabel+"="+name),
		"read part " + fmt.Sprint(first(w.Parts)) + ": " + k.line("logs", "--follow", "--selector="+jobLabel+"="+name+","+indexLabel+"=0"),
		"stop, and keep what is finished: " + k.line("delete", "job", name),
	}
}

func first(parts []int) int {
	if len(parts) == 0 {
		return 0
	}
	return parts[0]
}

// submitted returns how to ask for a Job, and its name.
func submitted(id string, w cluster.Work) (k kubectl, name string, err error) {
	o, err := parseOptions(w.EngineArgs)
	if err != nil {
		return kubectl{}, "", err
	}
	namespace, name, ok := strings.Cut(id, "/")
	if !ok || namespace == "" || name == "" {
		return kubectl{}, "", fmt.Errorf("kubernetes: %q names no Job: want NAMESPACE/JOB", id)
	}
	o.namespace = namespace
	return o.kubectl(), name, nil
}
