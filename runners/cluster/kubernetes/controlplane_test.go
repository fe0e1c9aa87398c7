//go:build linux

package kubernetes

import (
	"context"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/cluster"
	"github.com/snapbench/snapbench/runners/cluster/kubernetes/kubetest"
)

// onTheCluster is a run whose claim is "runs".
func onTheCluster(n int) cluster.Work {
	w := small()
	w.Claim, w.Out, w.Dir = "runs=/shared/runs", "/shared/runs/lb", "/home/me"
	w.Parts, w.Count = nil, n
	for i := range n {
		w.Parts = append(w.Parts, i)
	}
	return w
}

// TestAControlPlaneTakesTheJob holds the manifests against the API itself: its schema, and
// the rules that it has for Jobs.
func TestAControlPlaneTakesTheJob(t *testing.T) {
	c := kubetest.Start(t)
	c.Claim("runs", "ReadWriteMany", t.TempDir())
	c.Claim("single", "ReadWriteOnce", t.TempDir())
	ctx := context.Background()

	t.Run("printed manifests", func(t *testing.T) {
		all := large()
		all.EngineArgs = append(all.EngineArgs[3:], "--namespace=default") // without the context that is not there
		for name, w := range map[string]cluster.Work{"small": onTheCluster(4), "large": all, "one part": onTheCluster(1)} {
			text, err := engine{}.Render(w)
			if err != nil {
				t.Fatal(err)
			}
			if out, err := c.Try(text, "apply", "--dry-run=server", "--validate=strict", "--filename=-"); err != nil || !strings.Contains(out, "created (server dry run)") {
				t.Errorf("%s: %s %v", name, out, err)
			}
		}
	})
	t.Run("what the program prints", func(t *testing.T) {
		program := c.Build("github.com/snapbench/snapbench/cmd/snapbench")
		printed, err := exec.Command(program, "needle", "--device", "cuda", "--on", "kubernetes", "--shards", "4", "--image", "x", "--claim", "runs", "--print").Output()
		if err != nil {
			t.Fatal(err)
		}
		if out, err := c.Try(string(printed), "apply", "--dry-run=server", "--validate=strict", "--filename=-"); err != nil || !strings.Contains(out, "created (server dry run)") {
			t.Errorf("%s %v, of\n%s", out, err, printed)
		}
	})
	t.Run("an applied manifest is applied once", func(t *testing.T) {
		text, err := engine{}.Render(onTheCluster(2))
		if err != nil {
			t.Fatal(err)
		}
		c.Kubectl(text, "apply", "--filename=-")
		if out := c.Kubectl(text, "apply", "--filename=-"); !strings.Contains(out, "unchanged") {
			t.Errorf("applied again: %s", out)
		}
		c.Kubectl("", "delete", "jobs", "--all")
	})
	t.Run("most parts", func(t *testing.T) {
		w := onTheCluster(100_000)
		text, err := engine{}.Render(w)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Try(text, "create", "--dry-run=server", "--validate=strict", "--filename=-"); err != nil {
			t.Error(err)
		}
	})
	t.Run("what is wrong is found before anything is submitted", func(t *testing.T) {
		for _, f := range []struct {
			change func(*cluster.Work)
			want   string
		}{
			{func(w *cluster.Work) { w.Claim = "rums=/shared/runs" }, `no claim "rums": its namespace has, as ReadWriteMany, runs`},
			{func(w *cluster.Work) { w.Claim = "single=/shared/runs" }, `claim "single" is ReadWriteOnce`},
			{func(w *cluster.Work) { w.EngineArgs = []string{"--cpu=many"} }, "quantities must match"},
			{func(w *cluster.Work) { w.EngineArgs = []string{"--namespace=nowhere"} }, `no claim "runs": its namespace has none`},
			{func(w *cluster.Work) { w.EngineArgs = []string{"--context=nowhere"} }, `context "nowhere" does not exist`},
		} {
			w := onTheCluster(4)
			f.change(&w)
			checking, cancel := context.WithTimeout(ctx, 20*time.Second)
			remarks, err := engine{}.Check(checking, w)
			cancel()
			if err == nil || !strings.Contains(err.Error(), f.want) {
				t.Errorf("error %v, remarks %q; want an error with %q", err, remarks, f.want)
			}
		}
		if out := c.Kubectl("", "get", "jobs", "--output=name"); out != "" {
			t.Errorf("there is a Job: %s", out)
		}
	})
	t.Run("where no node is free", func(t *testing.T) {
		defer func(had time.Duration) { probing = had }(probing)
		probing = 3 * time.Second
		w := onTheCluster(4)
		w.Arguments = []string{"needle"}
		remarks, err := engine{}.Check(ctx, w)
		if err != nil {
			t.Fatal(err)
		}
		told := strings.Join(remarks, "\n")
		for _, want := range []string{"--device cuda asks for one", "no pod could look", "no nodes available"} {
			if !strings.Contains(told, want) {
				t.Errorf("remarks %q: want %q", told, want)
			}
		}
		c.Until("the pod that looked is gone", func() bool { return c.Kubectl("", "get", "pods", "--output=name") == "" })
	})
}

// TestStatesAreThoseOfARealJob moves the pods of a Job through their lives on nodes that
// exist on paper; what becomes of the Job is Kubernetes' own doing.
func TestStatesAreThoseOfARealJob(t *testing.T) {
	c := kubetest.Start(t)
	c.Claim("runs", "ReadWriteMany", t.TempDir())
	ctx := context.Background()
	w := onTheCluster(16)
	w.Parts = []int{2, 3, 5, 7, 11}
	w.Arguments = []string{"needle", "--device", "cuda"}
	id, err := engine{}.Submit(ctx, w)
	if err != nil {
		t.Fatal(err)
	}
	job, ok := strings.CutPrefix(id, "default/")
	if !ok {
		t.Fatalf("id %q", id)
	}
	become := func(what string, want map[int]cluster.State) {
		t.Helper()
		var got map[int]cluster.State
		c.Until(what, func() bool {
			if got, err = (engine{}).States(ctx, id, w); err != nil {
				t.Fatal(err)
			}
			return maps.Equal(got, want)
		})
		t.Logf("%s: %v", what, got)
	}
	latest := func(index string) (last kubetest.Pod) {
		for _, p := range c.Pods(job) {
			if p.Index == index {
				last = p
			}
		}
		return last
	}
	const waiting, running, ended, failed = cluster.Waiting, cluster.Running, cluster.Ended, cluster.Failed
	become("no node", map[int]cluster.State{2: waiting, 3: waiting, 5: waiting, 7: waiting, 11: waiting})
	c.Until("the log says what is waited for", func() bool {
		return strings.Contains(engine{}.Log(ctx, id, w, 5), "no nodes available")
	})

	// One GPU each: four pods find a place, the fifth waits.
	dies := c.Paper("n1", 2)
	c.Paper("n2", 2)
	placed := func() (n int, on map[string]string) {
		on = map[string]string{}
		for _, p := range c.Pods(job) {
			if p.Node != "" {
				on[p.Index] = p.Node
				n++
			}
		}
		return n, on
	}
	c.Until("four pods are placed", func() bool { n, _ := placed(); return n == 4 })
	if n, on := placed(); n != 4 {
		t.Fatalf("two nodes of two GPUs have %d pods that ask for one each: %v", n, on)
	}
	for _, p := range c.Pods(job) {
		if p.Node != "" {
			c.Phase(p.Name, "Running")
		}
	}
	_, on := placed()
	want := map[int]cluster.State{}
	for i, index := range []string{"0", "1", "2", "3", "4"} {
		want[w.Parts[i]] = waiting
		if on[index] != "" {
			want[w.Parts[i]] = running
		}
	}
	become("four run", want)

	// A node dies without a word: its pods are started elsewhere, and it keeps the dead.
	var lost []string
	for index, node := range on {
		if node == "n1" {
			lost = append(lost, index)
		} else {
			c.Phase(latest(index).Name, "Succeeded")
			want[w.Parts[index[0]-'0']] = ended
		}
	}
	c.Paper("n3", 4)
	died := time.Now()
	dies()
	dead := map[string]string{}
	for _, index := range lost {
		dead[index] = latest(index).Name
		want[w.Parts[index[0]-'0']] = waiting
	}
	c.Until("the dead node's pods have successors", func() bool {
		for index, name := range dead {
			if p := latest(index); p.Name == name || p.Node == "" || p.Node == "n1" {
				return false
			}
		}
		return true
	})
	t.Logf("a pod of a node that died has a successor on another after %.0f s", time.Since(died).Seconds())
	for _, p := range c.Pods(job) {
		if name := dead[p.Index]; p.Name == name && (p.Deleted == "" || p.Phase != "Running") {
			t.Errorf("the dead node's pod is not Terminating: %+v", p)
		}
	}
	become("their successors have not begun", want)

	// One part fails again and again, the others end: the Job is over for every part,
	// though the dead node's pods are still there.
	for _, index := range []string{"0", "1", "2", "3", "4"} {
		if want[w.Parts[index[0]-'0']] == ended {
			continue
		}
		if index != lost[0] {
			c.Until("index "+index+" is placed", func() bool { return latest(index).Node != "" })
			c.Phase(latest(index).Name, "Running")
			c.Phase(latest(index).Name, "Succeeded")
			want[w.Parts[index[0]-'0']] = ended
		}
	}
	attempts := 0
	for want[w.Parts[lost[0][0]-'0']] != failed {
		p := latest(lost[0])
		if p.Node != "" && p.Phase == "Pending" {
			c.Phase(p.Name, "Failed")
			attempts++
		}
		states, err := engine{}.States(ctx, id, w)
		if err != nil {
			t.Fatal(err)
		}
		if states[w.Parts[lost[0][0]-'0']] == failed {
			want[w.Parts[lost[0][0]-'0']] = failed
		} else if attempts > retries+1 {
			t.Fatalf("%d pods failed, and the part is not given up", attempts)
		}
		time.Sleep(time.Second)
	}
	t.Logf("given up after %d pods that failed and one whose node died", attempts)
	if attempts != retries {
		t.Errorf("given up after %d pods that failed and one whose node died, want %d", attempts, retries)
	}
	become("all is over", want)
	t.Logf("the Job's status: %s", c.Kubectl("", "get", "job", job, "--output=jsonpath={.status}"))

	c.Kubectl("", "delete", "job", job, "--cascade=background")
	become("deleted", map[int]cluster.State{})
}
