package kubernetes

import (
	"strings"
	"testing"
)

func TestCheckVersion(t *testing.T) {
	for text, want := range map[string]string{
		`{"major":"1","minor":"34","gitVersion":"v1.34.4"}`:           "",
		`{"major":"1","minor":"29","gitVersion":"v1.29.0"}`:           "",
		`{"major":"1","minor":"30+","gitVersion":"v1.30.9-eks-1"}`:    "",
		`{"major":"1","minor":"28","gitVersion":"v1.28.15"}`:          "Kubernetes v1.28.15: want 1.29 or later",
		`{"major":"1","minor":"27+","gitVersion":"v1.27.3-gke.1700"}`: "v1.27.3-gke.1700",
		`{"major":"","minor":""}`:                                     `"".""`,
		`<html>`:                                                      "the version of Kubernetes",
	} {
		err := checkVersion(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func TestFindClaim(t *testing.T) {
	claims := func(list ...string) (out []volumeClaim) {
		for _, text := range list {
			name, rest, _ := strings.Cut(text, " ")
			mode, phase, _ := strings.Cut(rest, " ")
			var c volumeClaim
			c.Metadata.Name, c.Spec.AccessModes, c.Status.Phase = name, strings.Split(mode, ","), phase
			out = append(out, c)
		}
		return out
	}
	all := claims("a ReadWriteOnce Bound", "b ReadOnlyMany,ReadWriteMany Bound", "c ReadWriteMany Pending", "d ReadWriteMany Lost", "e ReadWriteOncePod Bound")
	for name, want := range map[string]string{
		"b": "", "c": "",
		"a": `claim "a" is ReadWriteOnce`, "e": `"e" is ReadWriteOncePod`, "d": "has lost its volume",
		"f": "has, as ReadWriteMany, b, c, d",
	} {
		err := findClaim(name, all)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	if err := findClaim("f", all[:1]); err == nil || !strings.Contains(err.Error(), "has none that is ReadWriteMany") {
		t.Errorf("no claim that fits: error %v", err)
	}
}

func TestWhatAPodWaitsFor(t *testing.T) {
	for text, want := range map[string]struct {
		why      string
		hopeless bool
	}{
		`{"status":{"phase":"Pending","conditions":[{"type":"PodScheduled","status":"False","reason":"Unschedulable","message":"0/3 nodes are available: 3 Insufficient nvidia.com/gpu."}]}}`: {"Unschedulable: 0/3 nodes are available: 3 Insufficient nvidia.com/gpu.", false},
		`{"status":{"phase":"Pending","containerStatuses":[{"state":{"waiting":{"reason":"ErrImagePull","message":"not found"}}}],"conditions":[{"type":"PodScheduled","status":"True"}]}}`:   {"ErrImagePull: not found", true},
		`{"status":{"phase":"Pending","containerStatuses":[{"state":{"waiting":{"reason":"ContainerCreating"}}}]}}`:                                                                           {"ContainerCreating", false},
		`{"status":{"phase":"Running","containerStatuses":[{"state":{"running":{}}}]}}`:                                                                                                       {"", false},
	} {
		pods, err := parsePods(`{"items":[` + text + `]}`)
		if err != nil || len(pods) != 1 {
			t.Fatal(pods, err)
		}
		if why, hopeless := pods[0].waits(); why != want.why || hopeless != want.hopeless {
			t.Errorf("%s: %q, hopeless %v; want %q, %v", text, why, hopeless, want.why, want.hopeless)
		}
	}
}
