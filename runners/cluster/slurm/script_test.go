package slurm

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners/cluster"
)

var regen = flag.Bool("regen", false, "write the scripts of testdata anew")

func someWork() cluster.Work {
	return cluster.Work{
		Name: "snapbench-lb", Program: "/opt/snapbench", Arguments: []string{"longbench", "--model", "org/M", "--budgets", "full,1024"},
		Out: "/shared/runs/lb", Dir: "/home/me", Parts: []int{0, 1, 2, 5, 7, 8}, Count: 9, AtOnce: 4, Token: "00ff", Grace: time.Minute,
		EngineArgs: []string{"--partition=gpu", "--gres", "gpu:1", "-t", "4:00:00"},
	}
}

func TestRender(t *testing.T) {
	odd := someWork()
	odd.Out = `/shared/it's "100% #1"`
	odd.Arguments = []string{"needle", "--variants", "full;snapkv(cap=64,w=16)", "--haystack", "a  b\nc", "", "$HOME", "`x`", "don't"}
	odd.EngineArgs = []string{`--comment=a "b" \c #d`}
	odd.Parts, odd.AtOnce, odd.Token, odd.Grace = []int{3}, 0, "", 3*time.Second
	for name, w := range map[string]cluster.Work{"usual": someWork(), "odd": odd} {
		got, err := engine{}.Render(w)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		path := filepath.Join("testdata", name+".sh")
		if *regen {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is rendered otherwise (-regen writes it anew):\n%s", path, got)
		}
	}
}

func TestRenderRefuses(t *testing.T) {
	for want, change := range map[string]func(*cluster.Work){
		"no parts":                             func(w *cluster.Work) { w.Parts = nil },
		"1s before a time limit":               func(w *cluster.Work) { w.Grace = time.Second },
		"want 2s to 18h12m15s":                 func(w *cluster.Work) { w.Grace = 24 * time.Hour },
		`folder "/a\nb" has a control`:         func(w *cluster.Work) { w.Out = "/a\nb" },
		`folder "/a\\b": a backslash`:          func(w *cluster.Work) { w.Out = `/a\b` },
		`"--array=1-9": not --array`:           func(w *cluster.Work) { w.EngineArgs = []string{"--array=1-9"} },
		`"--arr=1-9": not --array`:             func(w *cluster.Work) { w.EngineArgs = []string{"--arr=1-9"} },
		`"-a1-9": not --array`:                 func(w *cluster.Work) { w.EngineArgs = []string{"-a1-9"} },
		`"--no-requeue": not --no-requeue`:     func(w *cluster.Work) { w.EngineArgs = []string{"--no-requeue"} },
		`"-J": not --job-name`:                 func(w *cluster.Work) { w.EngineArgs = []string{"-J", "x"} },
		`directory "/a\\b": a backslash`:       func(w *cluster.Work) { w.Dir, w.Token = `/a\b`, "" },
		`directory "/a\tb" has a control`:      func(w *cluster.Work) { w.Dir = "/a\tb" },
		`"-M": not --clusters`:                 func(w *cluster.Work) { w.EngineArgs = []string{"-M", "other"} },
		`"gpu": want an option`:                func(w *cluster.Work) { w.EngineArgs = []string{"gpu"} },
		`"b": want an option`:                  func(w *cluster.Work) { w.EngineArgs = []string{"--partition", "a", "b"} },
		`"--": want an option`:                 func(w *cluster.Work) { w.EngineArgs = []string{"--"} },
		`"": want an option`:                   func(w *cluster.Work) { w.EngineArgs = []string{"--partition", ""} },
		`"--comment=\n#SBATCH -a 1" has a con`: func(w *cluster.Work) { w.EngineArgs = []string{"--comment=\n#SBATCH -a 1"} },
	} {
		w := someWork()
		change(&w)
		if script, err := (engine{}).Render(w); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q; script:\n%s", err, want, script)
		}
	}
}

// Options whose names begin as those that are refused stay the user's.
func TestOptionsOfTheUser(t *testing.T) {
	args := []string{"--wait-all-nodes=1", "--array-x", "--gpus", "2", "-pgpu", "-n", "1", "--exclusive"}
	list, err := parseOptions(args)
	if err != nil {
		t.Fatal(err)
	}
	var names, words []string
	for _, o := range list {
		names, words = append(names, o.name), append(words, o.words...)
	}
	if want := []string{"wait-all-nodes", "array-x", "gpus", "p", "n", "exclusive"}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
	if !slices.Equal(words, args) {
		t.Errorf("words %q, want %q", words, args)
	}
}

func TestRanges(t *testing.T) {
	for want, list := range map[string][]int{"0": {0}, "0-1": {0, 1}, "1,5,7": {1, 5, 7}, "0-2,4,6-9": {0, 1, 2, 4, 6, 7, 8, 9}} {
		if got := ranges(list); got != want {
			t.Errorf("ranges(%v) = %s, want %s", list, got, want)
		}
	}
}

// A shell takes a quoted word back as it was.
func TestQuote(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no sh")
	}
	for _, word := range []string{"", "a", "a b", "a'b", `a"b`, "$HOME", "`x`", "a\nb", `\`, "~", "*", "!", "#", "a;b", "-x", "é", "%s"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q became %q: %v", word, out, err)
		}
	}
}
