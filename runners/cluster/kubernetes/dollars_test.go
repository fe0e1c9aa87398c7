//go:build linux

package kubernetes

import (
	"context"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/cluster/kubernetes/kubetest"
)

// TestNodesKeepDollars: what Kubernetes makes of $ in a command is undone beforehand.
func TestNodesKeepDollars(t *testing.T) {
	c := kubetest.Start(t)
	c.Nodes(1)
	c.Load(c.Image("localhost/snapbench:test", "sh"))
	c.Claim("runs", "ReadWriteMany", t.TempDir())
	w := onTheCluster(1)
	w.Image = "localhost/snapbench:test"
	const text = `$(HOSTNAME) $$(HOSTNAME) $ $$ $$$ $( "q" é #1 $`
	ctx := context.Background()
	name, end, err := helper(ctx, kubectl{}, w, "dollars", time.Minute, "sh", "-c", `printf %s "$0"`, text)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if _, err := await(ctx, kubectl{}, name, 2*time.Minute, "Succeeded"); err != nil {
		t.Fatal(err)
	}
	if got := c.Kubectl("", "logs", name); got != text {
		t.Errorf("a program was given %q, want %q", got, text)
	}
}
