package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/cluster"
)

// pod is what is read of a pod.
type pod struct {
	Metadata struct {
		Name              string            `json:"name"`
		Labels            map[string]string `json:"labels"`
		DeletionTimestamp string            `json:"deletionTimestamp"`
	} `json:"metadata"`
	Status struct {
		Phase, Reason, Message string
		Conditions             []condition
		ContainerStatuses      []struct {
			State struct {
				Waiting *struct{ Reason, Message string }
			}
		}
	} `json:"status"`
}

func parsePods(text string) ([]pod, error) {
	var list struct{ Items []pod }
	err := json.Unmarshal([]byte(text), &list)
	return list.Items, err
}

// waits says why a pod's program has not begun, empty where Kubernetes gives no reason.
// hopeless says that waiting longer does not help.
func (p pod) waits() (why string, hopeless bool) {
	for _, c := range p.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Reason != "" {
			switch w.Reason {
			case "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError":
				hopeless = true
			}
			return strings.TrimSuffix(w.Reason+": "+w.Message, ": "), hopeless
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Type == "PodScheduled" && c.Status == "False" {
			return strings.TrimSuffix(c.Reason+": "+c.Message, ": "), false
		}
	}
	return "", false
}

// Log implements [cluster.Engine]: the end of the latest attempt's output, or why it has
// not begun.
func (engine) Log(ctx context.Context, id string, w cluster.Work, part int) string {
	const lines = 20
	k, name, err := submitted(id, w)
	if err != nil {
		return ""
	}
	index, ok := indexOf(w, part)
	if !ok {
		return ""
	}
	out, err := k.run(ctx, "", "get", "pods", "--selector="+jobLabel+"="+name+","+indexLabel+"="+strconv.Itoa(index),
		"--sort-by=.metadata.creationTimestamp", "--output=json")
	if err != nil {
		return ""
	}
	pods, err := parsePods(out)
	if err != nil || len(pods) == 0 {
		return ""
	}
	latest := pods[len(pods)-1]
	if latest.Status.Phase == "Pending" {
		why, _ := latest.waits()
		return why
	}
	text, err := k.run(ctx, "", "logs", latest.Metadata.Name, "--tail="+strconv.Itoa(lines))
	if err != nil || text == "" {
		return strings.TrimSpace(latest.Status.Reason + " " + latest.Status.Message)
	}
	return strings.TrimRight(text, "\n")
}

// helper starts a pod that has the claim and runs a command, for at most lifetime. The
// caller calls end, whatever comes.
func helper(ctx context.Context, k kubectl, w cluster.Work, purpose string, lifetime time.Duration, command ...string) (name string, end func(), err error) {
	d, err := newDocument(w, w.Name+"-"+purpose+"-"+results.Random(4))
	if err != nil {
		return "", nil, err
	}
	d.Command, d.Lifetime = command, seconds(lifetime)
	manifest, err := d.execute("pod")
	if err != nil {
		return "", nil, err
	}
	end = func() {
		// Also where the user has interrupted; what cannot be deleted ends by its deadline.
		k.run(context.WithoutCancel(ctx), "", "delete", "pod", d.Name, "--wait=false", "--ignore-not-found")
	}
	if _, err := k.run(ctx, manifest, "create", "--validate=strict", "--filename=-"); err != nil {
		if ctx.Err() != nil { // the pod may have been made before kubectl ended
			end()
		}
		return "", nil, err
	}
	return d.Name, end, nil
}

// errWaits is the end of waiting for a pod that has not begun.
type errWaits struct{ pod, why string }

func (e *errWaits) Error() string {
	if e.why == "" {
		return "pod " + e.pod + " has not begun"
	}
	return fmt.Sprintf("pod %s has not begun: %s", e.pod, e.why)
}

// await asks for a pod until its phase is one of those wanted. An *errWaits says that it
// had not begun when the time was over.
func await(ctx context.Context, k kubectl, name string, most time.Duration, phases ...string) (pod, error) {
	deadline := time.Now().Add(most)
	for {
		out, err := k.run(ctx, "", "get", "pod", name, "--output=json")
		if err != nil {
			return pod{}, err
		}
		var p pod
		if err := json.Unmarshal([]byte(out), &p); err != nil {
			return pod{}, fmt.Errorf("pod %s: %w", name, err)
		}
		for _, phase := range phases {
			if p.Status.Phase == phase {
				return p, nil
			}
		}
		why, hopeless := p.waits()
		switch p.Status.Phase {
		case "Succeeded", "Failed":
			return p, fmt.Errorf("pod %s: %s, %s %s", name, p.Status.Phase, p.Status.Reason, p.Status.Message)
		}
		if hopeless {
			return p, fmt.Errorf("pod %s cannot begin: %s", name, why)
		}
		if time.Now().After(deadline) {
			return p, &errWaits{name, why}
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
