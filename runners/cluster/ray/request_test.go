package ray

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster"
)

func testWork() cluster.Work {
	return cluster.Work{
		Name: "needle-lb", Program: "/opt/snapbench", Arguments: []string{"needle", "--haystack", "it's here", "--device", "cuda"},
		Dir: "/home/me", Out: "/shared/lb", Parts: []int{0, 1, 2, 5}, Count: 7, AtOnce: 2, Token: "token",
		EngineArgs: []string{"--address=http://head:8265"},
	}
}

func noEnvironment(string) (string, bool) { return "", false }

func TestRanges(t *testing.T) {
	for want, numbers := range map[string][]int{"": {}, "3": {3}, "0-2,5": {0, 1, 2, 5}, "1,3,5-6": {1, 3, 5, 6}} {
		if got := ranges(numbers); got != want {
			t.Errorf("ranges(%v) = %q, want %q", numbers, got, want)
		}
	}
}

// The programs must survive the quotes around them, and be Python.
func TestProgramsArePython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here to compile the programs by")
	}
	for name, text := range map[string]string{"driver.py": driver, "probe.py": prober} {
		if strings.Contains(text, "'") {
			t.Errorf("%s has a single quote", name)
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(python, "-m", "py_compile", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// The script hands Ray's command what Submit sends.
func TestScriptIsWhatIsSubmitted(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell here to run the script by")
	}
	w := testWork()
	o, err := parseOptions(w, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	r, err := jobOf(w, o, "the-id")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	fake := "#!/bin/sh\nfor a; do printf '%s\\0' \"$a\"; done\n"
	if err := os.WriteFile(filepath.Join(bin, "ray"), []byte(fake), 0o755); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(shell, "-c", r.script(o.address))
	c.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	args := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	runtimeEnv, err := json.Marshal(r.Runtime)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"job", "submit", "--no-wait", "--address", "http://head:8265", "--submission-id", "the-id",
		"--metadata-json", `{"snapbench":"/shared/lb"}`, "--runtime-env-json", string(runtimeEnv), "--", "python3", "-c", driver}
	if !slices.Equal(args, want) {
		t.Errorf("ray was called with\n%q\nwant\n%q", args, want)
	}
	// Ray's command joins those behind -- for a shell, as the entrypoint is written.
	if r.Entrypoint != "python3 -c '"+driver+"'" {
		t.Errorf("the entrypoint is %.100q", r.Entrypoint)
	}
}

func TestJob(t *testing.T) {
	w := testWork()
	w.EngineArgs = append(w.EngineArgs, "--num-cpus", "4", `--resources={"fast": 0.5}`, "--env", "HF_HOME=/shared/hf")
	o, err := parseOptions(w, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	r, err := jobOf(w, o, "the-id")
	if err != nil {
		t.Fatal(err)
	}
	var got jobSpec
	if err := json.Unmarshal([]byte(r.Runtime.Env[specVariable]), &got); err != nil {
		t.Fatal(err)
	}
	want := jobSpec{
		Job: "the-id", Argv: []string{"/opt/snapbench", "needle", "--haystack", "it's here", "--device", "cuda", "--out", "/shared/lb", "--shard"},
		Parts: "0-2,5", Count: 7, AtOnce: 2,
		Resources:       map[string]any{"num_cpus": 4.0, "num_gpus": 1.0, "resources": map[string]any{"fast": 0.5}},
		Environment:     map[string]string{parts.TokenVariable: "token", "HF_HOME": "/shared/hf", "GOMAXPROCS": "4"},
		AttemptVariable: parts.AttemptVariable, Dir: "/home/me", Out: "/shared/lb", Logs: filepath.Join("/shared/lb", "logs", "the-id"),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the job is\n%v\nwant\n%v", got, want)
	}
}

// Parts that ask for no GPU see none, and use no more threads than they have CPUs.
func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		device, args, threads string
		hidden                bool
	}{
		{"cpu", "", "1", true},
		{"cpu", "--num-cpus=2.5", "2", true},
		{"cpu", "--num-cpus=0", "1", true},
		{"auto", "--num-gpus=1", "1", false},
		{"cuda", "", "", false},
		{"cuda", "--num-gpus=0", "", false}, // shared by another resource
	} {
		w := cluster.Work{Arguments: []string{"needle", "--device", c.device}, EngineArgs: append(strings.Fields(c.args), "--address=http://head:8265")}
		o, err := parseOptions(w, noEnvironment)
		if err != nil {
			t.Fatal(err)
		}
		r, err := jobOf(w, o, "the-id")
		if err != nil {
			t.Fatal(err)
		}
		var got jobSpec
		if err := json.Unmarshal([]byte(r.Runtime.Env[specVariable]), &got); err != nil {
			t.Fatal(err)
		}
		_, hidden := got.Environment["CUDA_VISIBLE_DEVICES"]
		if threads := got.Environment["GOMAXPROCS"]; threads != c.threads || hidden != c.hidden {
			t.Errorf("--device %s %s: GOMAXPROCS=%s, GPUs hidden: %v; want %q, %v", c.device, c.args, threads, hidden, c.threads, c.hidden)
		}
	}
}

// A system hands no longer variable to the driver, which would fail there without a word.
func TestJobThatIsTooLong(t *testing.T) {
	w := testWork()
	w.Count, w.Parts = parts.Limit, nil
	for i := 0; i < w.Count; i += 2 {
		w.Parts = append(w.Parts, i)
	}
	o, err := parseOptions(w, noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jobOf(w, o, "the-id"); err == nil || !strings.Contains(err.Error(), "run fewer parts at a time") {
		t.Errorf("50,000 scattered parts: error %v", err)
	}
	w.Parts = nil
	for i := range w.Count {
		w.Parts = append(w.Parts, i)
	}
	if _, err := jobOf(w, o, "the-id"); err != nil {
		t.Errorf("all of %d parts: %v", w.Count, err)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		command, args string
		needs         string
		auto          bool
	}{
		{"needle", "", "1 CPU", true},
		{"needle --device cpu", "", "1 CPU", false},
		{"needle --device=cuda", "", "1 CPU, 1 GPU", false},
		{"needle --device cuda:0,cuda:1", "", "1 CPU, 2 GPU", false},
		{"needle --device cuda:all", "--num-gpus=8", "1 CPU, 8 GPU", false},
		{"needle", "--num-gpus 0.5 --num-cpus 2", "2 CPU, 0.5 GPU", false},
		{"needle --device cpu", `--num-cpus=0 --resources={"slot":1}`, "1 slot", false},
		{"needle --device cpu", "--num-cpus=0", "room for a part", false},
	} {
		w := cluster.Work{Arguments: strings.Fields(c.command), EngineArgs: strings.Fields(c.args)}
		o, err := parseOptions(w, func(name string) (string, bool) { return "http://host:1/ray/", name == "RAY_ADDRESS" })
		if err != nil {
			t.Errorf("%s %s: %v", c.command, c.args, err)
			continue
		}
		if o.needs() != c.needs || o.autoDevice != c.auto || o.address != "http://host:1/ray" {
			t.Errorf("%s %s: %s, auto %v, at %s; want %s, %v", c.command, c.args, o.needs(), o.autoDevice, o.address, c.needs, c.auto)
		}
	}
	for _, c := range []struct{ command, args, want string }{
		{"needle", "", "which Ray cluster?"},
		{"needle", "--address=ray://head:10001", "http://HOST:8265"},
		{"needle", "--address=head:6379", "http://HOST:8265"},
		{"needle", "--address=auto", "http://HOST:8265"},
		{"needle", "--address=http://me:secret@head:8265", "with a path at most"},
		{"needle", "--adress=http://head:8265", `ray has no argument "--adress": have --address=http://HOST:8265, --num-gpus=N`},
		{"needle", "--num-gpus", "want --num-gpus=N"},
		{"needle", "--num-gpus=-1", `--num-gpus="-1": no amount`},
		{"needle", "--num-gpus=NaN", "no amount"},
		{"needle", "--num-cpus=many", "no amount"},
		{"needle", "--resources=[1]", "no JSON object"},
		{"needle", "--resources=null", "no JSON object"},
		{"needle", `--resources={"a":1}{}`, "no JSON object"},
		{"needle", `--resources={"a":-1}`, `-1 of "a"`},
		{"needle", `--resources={"GPU":1}`, "an argument of its own"},
		{"needle", "--env=HOME", "no variable"},
		{"needle", "--env=SNAPBENCH_FOLDER=x", "the parts' own variables"},
		{"needle --device cuda:all", "", "how many by --num-gpus=N"},
	} {
		w := cluster.Work{Arguments: strings.Fields(c.command), EngineArgs: strings.Fields(c.args)}
		if _, err := parseOptions(w, noEnvironment); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v, want one with %q", c.command, c.args, err, c.want)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s %s: error %v", c.command, c.args, err)
		}
	}
	for _, w := range []cluster.Work{{Image: "registry/snapbench"}, {Claim: "shared"}} {
		if _, err := parseOptions(w, noEnvironment); err == nil || !strings.Contains(err.Error(), w.Image+w.Claim) {
			t.Errorf("%+v: error %v", w, err)
		}
	}
}
