package kubernetes

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/snapbench/snapbench/runners/cluster"
)

var update = flag.Bool("update", false, "write the golden manifests")

// small is a run as a user may submit it.
func small() cluster.Work {
	return cluster.Work{
		Name:      "needle-lb",
		Program:   "snapbench",
		Arguments: []string{"needle", "--lengths", "1k", "--device", "cpu"},
		Dir:       "/shared/work",
		Out:       "/shared/work/runs/lb",
		Parts:     []int{0, 1, 2, 3},
		Count:     4,
		Token:     "0f1e2d",
		Image:     "registry.example/snapbench:1.2",
		Claim:     "results=/shared",
	}
}

// large has what small has not.
func large() cluster.Work {
	w := small()
	w.Arguments = []string{"needle", "--device=cuda:0,cuda:1", "--question", `What "is" $(HOME), $$5 – or: #1?` + "\n\tEnd"}
	w.Out, w.Unseen, w.Claim = "/runs/lb", true, "results"
	w.Parts, w.AtOnce = []int{1, 5, 7}, 2
	w.Count = 16
	w.Grace = 90500 * time.Millisecond
	w.EngineArgs = []string{"--namespace=team", "--context", "lab", "--cpu=8", "--memory=64Gi", "--node-selector=gpu.example/model=h200",
		"--env=HF_HOME=/runs/hub", "--env=PRICE=$5", "--secret=hub-token", "--user=1000:100"}
	return w
}

func TestRenderIsGolden(t *testing.T) {
	for name, w := range map[string]cluster.Work{"small": small(), "large": large()} {
		t.Run(name, func(t *testing.T) {
			got, err := engine{}.Render(w)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".golden.yaml", got)
		})
	}
	d, err := newDocument(large(), "needle-lb-check-1")
	if err != nil {
		t.Fatal(err)
	}
	d.Command, d.Lifetime = []string{"mkdir", "-p", "/runs/lb"}, 120
	got, err := d.execute("pod")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "pod.golden.yaml", got)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not what -update would write:\n%s", path, got)
	}
}

// jobManifest is what tests look at in a manifest.
type jobManifest struct {
	Metadata struct{ Name, Namespace string }
	Spec     struct {
		Completions, Parallelism int
		Template                 struct {
			Spec struct {
				TerminationGracePeriodSeconds int `yaml:"terminationGracePeriodSeconds"`
				Tolerations                   []struct{ Key string }
				Containers                    []struct {
					Command, Args []string
					WorkingDir    string `yaml:"workingDir"`
					Env           []struct{ Name, Value string }
					Resources     struct{ Requests, Limits map[string]string }
				}
			}
		}
	}
}

func parse(t *testing.T, w cluster.Work) jobManifest {
	t.Helper()
	text, err := engine{}.Render(w)
	if err != nil {
		t.Fatal(err)
	}
	var m jobManifest
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return m
}

func (m jobManifest) env(name string) string {
	for _, e := range m.Spec.Template.Spec.Containers[0].Env {
		if e.Name == name {
			return e.Value
		}
	}
	return "(not set)"
}

// expand is what Kubernetes' documentation says of $(NAME) and $$ in arguments.
func expand(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '$' && i+1 < len(text) {
			switch text[i+1] {
			case '$':
				b.WriteByte('$')
				i++
				continue
			case '(':
				return "a variable was put in"
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func TestArgumentsArriveAsTheyAre(t *testing.T) {
	w := large()
	c := parse(t, w).Spec.Template.Spec.Containers[0]
	want := w.Command("auto")[1:]
	if len(c.Args) != len(want) {
		t.Fatalf("%q, want %q", c.Args, want)
	}
	for i, a := range c.Args {
		if expand(a) != want[i] {
			t.Errorf("argument %d is %q after Kubernetes' expansion of %q, want %q", i, expand(a), a, want[i])
		}
	}
}

func TestTheEnvironmentSaysWhichPart(t *testing.T) {
	m, l := parse(t, small()), parse(t, large())
	for _, c := range []struct{ what, got, want string }{
		{"all parts: count", m.env("SNAPBENCH_SHARDS"), "4"},
		{"all parts: list", m.env("SNAPBENCH_PARTS"), "(not set)"},
		{"seen: token", m.env("SNAPBENCH_FOLDER"), "0f1e2d"},
		{"some parts: count", l.env("SNAPBENCH_SHARDS"), "16"},
		{"some parts: list", l.env("SNAPBENCH_PARTS"), "1,5,7"},
		{"unseen: token", l.env("SNAPBENCH_FOLDER"), "(not set)"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.what, c.got, c.want)
		}
	}
	if m.Spec.Completions != 4 || m.Spec.Parallelism != 4 || l.Spec.Completions != 3 || l.Spec.Parallelism != 2 {
		t.Errorf("completions, parallelism: %+v, %+v", m.Spec, l.Spec)
	}
	// The same number of parts, but others.
	w := small()
	w.Parts = []int{3, 2, 1, 0}
	if got := parse(t, w).env("SNAPBENCH_PARTS"); got != "3,2,1,0" {
		t.Errorf("parts in another order: %s", got)
	}
}

func TestPodsAskForTheDevicesOfTheCommand(t *testing.T) {
	for _, c := range []struct {
		arguments, engine []string
		want              string
	}{
		{[]string{"needle", "--device", "cuda"}, nil, "1"},
		{[]string{"needle", "--device=cuda:3"}, nil, "4"},
		{[]string{"needle", "--device", "cuda:0,cuda:1"}, nil, "2"},
		{[]string{"needle", "--device", "cpu,cpu"}, nil, ""},
		{[]string{"needle"}, nil, ""},
		{[]string{"needle", "--", "--device", "cuda"}, nil, ""},
		{[]string{"needle"}, []string{"--gpus=2"}, "2"},
		{[]string{"needle", "--device", "cuda:all"}, []string{"--gpus", "8"}, "8"},
		{[]string{"needle", "--device", "cuda"}, []string{"--gpus=0"}, ""},
	} {
		w := small()
		w.Arguments, w.EngineArgs = c.arguments, c.engine
		s := parse(t, w).Spec.Template.Spec
		r := s.Containers[0].Resources
		if r.Limits["nvidia.com/gpu"] != c.want || r.Requests["nvidia.com/gpu"] != c.want {
			t.Errorf("%v %v: %+v, want %q GPUs", c.arguments, c.engine, r, c.want)
		}
		if tolerated := s.Tolerations[len(s.Tolerations)-1].Key == "nvidia.com/gpu"; tolerated != (c.want != "") {
			t.Errorf("%v %v: tolerates the taint of GPUs: %v", c.arguments, c.engine, tolerated)
		}
	}
}

func TestTheNameIsOfTheWork(t *testing.T) {
	name := func(w cluster.Work) string { return parse(t, w).Metadata.Name }
	first, other := small(), small()
	other.Parts = other.Parts[:3]
	if name(first) != name(small()) {
		t.Errorf("the same work is %s and %s", name(first), name(small()))
	}
	if name(first) == name(other) {
		t.Errorf("other parts have the name %s too", name(first))
	}
	long := small()
	long.Name = strings.Repeat("n", 40)
	if got := len(name(long)) + len("-99999"); got > 63 {
		t.Errorf("a pod's host name would have %d characters, and Kubernetes allows 63", got)
	}
}

func TestGraceIsAtLeastKubernetesOwn(t *testing.T) {
	for grace, want := range map[time.Duration]int{0: 30, time.Second: 30, 90500 * time.Millisecond: 91} {
		w := small()
		w.Grace = grace
		if got := parse(t, w).Spec.Template.Spec.TerminationGracePeriodSeconds; got != want {
			t.Errorf("grace %v: %d s, want %d", grace, got, want)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	for _, c := range []struct {
		change func(*cluster.Work)
		want   string
	}{
		{func(w *cluster.Work) { w.Image = "" }, "--image NAME"},
		{func(w *cluster.Work) { w.Claim = "" }, "--claim NAME"},
		{func(w *cluster.Work) { w.Claim = "x=relative" }, `"relative"`},
		{func(w *cluster.Work) { w.Claim = "=/x" }, `"=/x"`},
		{func(w *cluster.Work) { w.Claim = "x=/" }, `"/"`},
		{func(w *cluster.Work) { w.Out = "/elsewhere/lb" }, "/elsewhere/lb is not below /shared"},
		{func(w *cluster.Work) { w.Out = "/shared-not/lb" }, "is not below /shared"},
		{func(w *cluster.Work) { w.Parts = nil }, "no parts"},
		{func(w *cluster.Work) {
			w.Parts, w.Count = nil, 100_000
			for i := range 40_000 {
				w.Parts = append(w.Parts, 2*i)
			}
		}, "40000 parts"},
		{func(w *cluster.Work) { w.Arguments = []string{"needle", "--device", "cuda:all"} }, "--gpus=N"},
		{func(w *cluster.Work) { w.Arguments = []string{"needle", "--device", "cuda:x"} }, `"cuda:x"`},
		{func(w *cluster.Work) { w.EngineArgs = []string{"--partition=gpu"} }, "--namespace, --cpu"},
		{func(w *cluster.Work) { w.EngineArgs = []string{"gpu"} }, `"gpu"`},
		{func(w *cluster.Work) { w.EngineArgs = []string{"--gpus=-1"} }, "--gpus=-1"},
		{func(w *cluster.Work) { w.EngineArgs = []string{"--env=X"} }, `--env="X"`},
		{func(w *cluster.Work) { w.EngineArgs = []string{"--node-selector==x"} }, `--node-selector="=x"`},
		{func(w *cluster.Work) { w.EngineArgs = []string{"--user=me"} }, `--user="me"`},
		{func(w *cluster.Work) { w.EngineArgs = []string{"--user=1:-5"} }, `--user="1:-5"`},
	} {
		w := small()
		c.change(&w)
		_, err := engine{}.Render(w)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}
