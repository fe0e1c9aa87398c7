//go:build linux

package kubetest

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Paper adds a node that exists on paper only: pods are placed on it, and do what the
// test says. It lives until it is told to die.
func (c *Cluster) Paper(name string, gpus int) (dies func()) {
	c.t.Helper()
	c.Kubectl(fmt.Sprintf("apiVersion: v1\nkind: Node\nmetadata: {name: %s}\n", name), "create", "--filename=-")
	capacity := fmt.Sprintf(`{"cpu": "8", "memory": "64Gi", "pods": "110", "nvidia.com/gpu": "%d"}`, gpus)
	c.Kubectl("", statusPatch("node", name, `"capacity": `+capacity+`, "allocatable": `+capacity)...)
	since := time.Now().UTC().Format(time.RFC3339)
	beat := func() {
		now := time.Now().UTC().Format(time.RFC3339)
		// One that is late or lost is made up for by the next.
		c.Try("", statusPatch("node", name, fmt.Sprintf(`"conditions": [{"type": "Ready", "status": "True", "reason": "Test", "lastHeartbeatTime": %q, "lastTransitionTime": %q}]`, now, since))...)
	}
	beat()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(silence / 5):
				beat()
			}
		}
	}()
	dies = sync.OnceFunc(func() {
		close(end)
		<-ended
	})
	c.t.Cleanup(dies)
	return dies
}

// Pod is a pod of a Job, as far as tests look at it.
type Pod struct{ Name, Index, Node, Phase, Deleted string }

// Pods returns a Job's pods, the earliest first.
func (c *Cluster) Pods(job string) (list []Pod) {
	c.t.Helper()
	var got struct {
		Items []struct {
			Metadata struct {
				Name, DeletionTimestamp string
				Labels                  map[string]string
			}
			Spec   struct{ NodeName string }
			Status struct{ Phase string }
		}
	}
	out := c.Kubectl("", "get", "pods", "--selector=batch.kubernetes.io/job-name="+job, "--sort-by=.metadata.creationTimestamp", "--output=json")
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		c.t.Fatal(err)
	}
	for _, p := range got.Items {
		list = append(list, Pod{p.Metadata.Name, p.Metadata.Labels["batch.kubernetes.io/job-completion-index"], p.Spec.NodeName, p.Status.Phase, p.Metadata.DeletionTimestamp})
	}
	return list
}

// Phase moves a pod of a node on paper to a phase: Running, Succeeded, Failed.
func (c *Cluster) Phase(pod, phase string) {
	c.t.Helper()
	c.Kubectl("", statusPatch("pod", pod, fmt.Sprintf(`"phase": %q`, phase))...)
}

func statusPatch(kind, name, fields string) []string {
	return []string{"patch", kind, name, "--subresource=status", "--type=merge", "--patch", `{"status": {` + fields + `}}`}
}
