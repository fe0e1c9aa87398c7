package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster"
)

// oldest is the minor version of Kubernetes 1 from which an index has retries of its own
// and podReplacementPolicy is known. An older API drops both without a word.
const oldest = 29

// probing is how long Check waits for a pod that looks into the claim.
var probing = time.Minute

// Check implements [cluster.Engine]. It asks the API for its version and the claim, has it
// hold the manifest against its schema and its admission, and starts one pod of the image
// that looks for the run's folder.
func (e engine) Check(ctx context.Context, w cluster.Work) (remarks []string, err error) {
	o, err := parseOptions(w.EngineArgs)
	if err != nil {
		return nil, err
	}
	k := o.kubectl()
	manifest, err := e.Render(w)
	if err != nil {
		return nil, err
	}
	out, err := k.run(ctx, "", "get", "--raw", "/version")
	if err != nil {
		return nil, err
	}
	if err := checkVersion(out); err != nil {
		return nil, err
	}
	if err := checkClaim(ctx, k, w); err != nil {
		return nil, err
	}
	if _, err := k.run(ctx, manifest, "create", "--dry-run=server", "--validate=strict", "--filename=-"); err != nil {
		return nil, err
	}
	if device := deviceOf(w.Arguments); device == "auto" && o.gpus < 0 {
		remarks = append(remarks, "the command names no --device, so the pods ask for no GPU: --device cuda asks for one")
	}
	err = probe(ctx, k, w)
	var waits *errWaits
	if errors.As(err, &waits) {
		return append(remarks, fmt.Sprintf("no pod could look for %s within %v (%v): each part looks when it begins", w.Out, probing, waits)), nil
	}
	return remarks, err
}

// checkVersion reads what the API says of itself at /version.
func checkVersion(text string) error {
	var v struct{ Major, Minor, GitVersion string }
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return fmt.Errorf("the version of Kubernetes: %w", err)
	}
	minor, err := strconv.Atoi(strings.TrimRight(v.Minor, "+")) // some say "30+"
	if err != nil || v.Major != "1" {
		return fmt.Errorf("the version of Kubernetes: %q.%q: want 1.%d or later", v.Major, v.Minor, oldest)
	}
	if minor < oldest {
		return fmt.Errorf("the API is of Kubernetes %s: want 1.%d or later, whose Jobs start a failed index again by itself", v.GitVersion, oldest)
	}
	return nil
}

// volumeClaim is what is read of a claim.
type volumeClaim struct {
	Metadata struct{ Name string }
	Spec     struct{ AccessModes []string }
	Status   struct{ Phase string }
}

// many is the access mode of a volume that all nodes may write.
const many = "ReadWriteMany"

// checkClaim refuses a claim that is not there, or that not all nodes may write.
func checkClaim(ctx context.Context, k kubectl, w cluster.Work) error {
	c, err := parseClaim(w.Claim)
	if err != nil {
		return err
	}
	out, err := k.run(ctx, "", "get", "persistentvolumeclaims", "--output=json")
	if err != nil {
		return err
	}
	var list struct{ Items []volumeClaim }
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return fmt.Errorf("the claims: %w", err)
	}
	return findClaim(c.Name, list.Items)
}

func findClaim(name string, list []volumeClaim) error {
	var fit []string
	for _, c := range list {
		switch ok := slices.Contains(c.Spec.AccessModes, many); {
		case c.Metadata.Name == name && !ok:
			return fmt.Errorf("claim %q is %s: the parts run on several nodes, and want %s", name, strings.Join(c.Spec.AccessModes, ", "), many)
		case c.Metadata.Name == name && c.Status.Phase == "Lost":
			return fmt.Errorf("claim %q has lost its volume", name)
		case c.Metadata.Name == name:
			return nil
		case ok:
			fit = append(fit, c.Metadata.Name)
		}
	}
	if len(fit) == 0 {
		return fmt.Errorf("no claim %q: its namespace has none that is %s", name, many)
	}
	return fmt.Errorf("no claim %q: its namespace has, as %s, %s", name, many, strings.Join(fit, ", "))
}

// probe starts a pod that reads the token of the run's folder, or makes the folder where
// this machine does not see it. That the image can be pulled is seen by the way.
func probe(ctx context.Context, k kubectl, w cluster.Work) error {
	file := path.Join(w.Out, parts.TokenFile)
	command := []string{"cat", file}
	if w.Unseen {
		command = []string{"mkdir", "-p", w.Out}
	}
	name, end, err := helper(ctx, k, w, "check", 2*probing, command...)
	if err != nil {
		return err
	}
	defer end()
	p, err := await(ctx, k, name, probing, "Succeeded", "Failed")
	if err != nil {
		return err
	}
	told, err := k.run(ctx, "", "logs", name)
	if err != nil {
		return err
	}
	told = strings.TrimSpace(told)
	switch {
	case p.Status.Phase == "Failed" && w.Unseen:
		return fmt.Errorf("a pod cannot make the run's folder in claim %s: %s", w.Claim, told)
	case p.Status.Phase == "Failed":
		return fmt.Errorf("a pod does not see the run's folder: is claim %s what this machine has there? %s", w.Claim, told)
	case !w.Unseen && told != w.Token:
		return fmt.Errorf("%s is %q in a pod, want %q: claim %s is not what this machine has there", file, told, w.Token, w.Claim)
	}
	return nil
}
