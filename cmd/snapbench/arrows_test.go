package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/snapbench/snapbench/"

// arrows say which packages of the project each package may import: those below its own
// path, and those below the paths listed in to.
var arrows = []struct{ from, to, reason string }{
	{"inputs", "", "what people give: files, words, names; it knows nothing of what they mean"},
	{"runners/engine", "inputs/lookup", "the contract knows no device"},
	{"compress", "inputs/lookup runners/engine", "policies are written over a device's operations, never over a device"},
	{"bounds", "", "how large a file may be depends on nobody"},
	{"metrics", "bounds inputs", "grading text needs no model"},
	{"datasets", "bounds inputs metrics", "a task names its metric; it runs no model"},
	{"datasets/ruler", "datasets/internal inputs/lookup", "texts from draws: it knows no task, model or metric"},
	{"datasets/internal", "", "other languages' random numbers depend on nobody"},
	{"results", "bounds inputs", "rows are data"},
	{"results/gate", "bounds inputs/lookup results", "verdicts over rows: no file but limits is read"},
	{"results/kept", "bounds inputs results", "what caches kept lies beside the rows, found by their ids; no row rests on it"},
	{"results/contrast", "inputs/lookup results", "runs side by side are rows of several"},
	{"plots", "inputs/lookup results", "pictures are drawn from rows alone"},
	{"configs", "bounds inputs/lookup", "presets are names, no behaviour"},
	{"runners/ref", "runners/engine", "a device knows the contract"},
	{"runners/cpu", "runners/engine", "a device knows the contract"},
	{"runners/cuda", "runners/engine", "a device knows the contract"},
	{"runners/cuda/card", "runners/engine", "a card has memory, transfers and launches in the contract's types; it knows no operation"},
	{"runners/cuda/emulator", "", "a card knows no device"},
	{"runners/enginetest", "runners/engine runners/ref", "any device is held against ref"},
	{"runners/weights", "inputs runners/engine", "files give engine.Stored"},
	{"runners/tokenizer", "inputs", "text and ids only"},
	{"runners/hub", "inputs", "files only"},
	{"runners/models", "compress inputs runners/engine runners/weights", "a model runs on any device, which it is given"},
	{"runners/sharedtest", "", "finds files for tests"},
	{"runners/wiretest", "", "a network in memory, for tests, depends on nobody"},
	{"runners/modeltest", "compress runners", "a test of everything below the command"},
	{"runners/evidence", "", "positions and attention are numbers"},
	{"runners", "datasets metrics results runners/evidence", "the sentence: samples, answers, grades, rows; whoever answers is behind Runner"},
	{"runners/runnertest", "runners", "any runner is held to the interface alone"},
	{"runners/local", "compress datasets inputs results runners", "our own engine: it finds models and devices, and knows what fits them"},
	{"runners/speed", "compress datasets inputs plots results runners", "measures the engine, and draws what it measured"},
	{"runners/forecast", "compress datasets inputs runners", "says what a job would take from the engine's own plans and measured rates; it runs nothing"},
	{"runners/observe", "compress datasets plots results runners", "studies attention on the engine, and draws what it saw"},
	{"runners/server", "datasets inputs results runners", "a server behind HTTP: it knows no engine of ours, only how text becomes tokens"},
	{"runners/cluster", "inputs results runners", "places parts by an engine that a cluster has; it knows the folder, and no model"},
	{"runners/console", "datasets results runners", "tells people how far a job or a measurement is"},
	{"runners/console/commands", "configs inputs/lookup results/gate runners", "what any program of commands needs: it knows no command by name"},
	{"runners/console/crash", "", "a process alone"},
	{"runners/console/manual", "", "a page from any program's help"},
	{"runners/scores", "compress metrics plots results runners", "rows of predictions that another program made"},
	{"runners/outcome", "inputs plots results runners/console runners/scores", "shows people rows: tables, pictures, what is wrong; it runs nothing"},
	{"cmd/snapbench", "bounds compress configs datasets inputs metrics plots results runners", "only the command knows everyone"},
}

// forTests are packages that only tests may import.
var forTests = []string{"runners/cuda/emulator", "runners/cluster/slurmtest", "runners/wiretest"}

func TestImportsPointOneWay(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	seen := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		rule := -1
		for i, a := range arrows {
			if within(name, a.from) && (rule < 0 || len(a.from) > len(arrows[rule].from)) {
				rule = i
			}
		}
		if rule < 0 {
			t.Errorf("%s: no rule says what it may import: add one here", name)
			continue
		}
		seen++
		a := arrows[rule]
		for _, imported := range p.Imports {
			to, ours := strings.CutPrefix(imported, module)
			if ours && slices.Contains(forTests, to) {
				t.Errorf("%s imports %s, which is for tests", name, to)
			}
			if !ours || within(to, a.from) && a.from != "runners" {
				continue
			}
			allowed := false
			for _, prefix := range strings.Fields(a.to) {
				allowed = allowed || within(to, prefix)
			}
			if !allowed {
				t.Errorf("%s imports %s; it may import [%s]: %s", name, to, a.to, a.reason)
			}
		}
	}
	if seen < 5 {
		t.Fatalf("go list names %d packages of the project", seen)
	}
}

func within(name, prefix string) bool {
	return name == prefix || strings.HasPrefix(name, prefix+"/")
}
