package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Wherever a name is looked up, a mistyped one is answered with the one that was meant.
func TestMistypedNames(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	dir := t.TempDir()
	needle := []string{"needle", "--lengths", "256", "--trials", "1", "--depths", "1", "--budgets", "full,64", "--kernels", "5", "--max-new", "1", "--quiet"}
	run := filepath.Join(dir, "first")
	pass(t, append(needle, "--out", run)...)
	prompts := filepath.Join(dir, "prompts.jsonl")
	if err := os.WriteFile(prompts, []byte(`{"prompt": "one", "anwsers": ["two"]}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	limits := filepath.Join(dir, "limits.yaml")
	if err := os.WriteFile(limits, []byte("max_drp: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tasks := filepath.Join(dir, "tasks.yaml")
	if err := os.WriteFile(tasks, []byte("tasks:\n  niha:\n    max_drop: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ typed, meant string }{
		{"gate " + run + " --against full --limits " + limits, "max_drop"},
		{"gate " + run + " --against full --limits " + tasks, "niah"},
		{"gate " + run + " --against full --limits " + filepath.Join(dir, "limit.yaml"), limits},
		{"nedle", "needle"},
		{"help nedle", "needle"},
		{"completion fsh", "fish"},
		{"results shwo", "show"},
		{"needle --lenghts 1k", "--lengths"},
		{"run quikstart", "quickstart"},
		{"eval naih", "niah"},
		{"eval longbnech", "longbench"},
		{"plan naih --device h200", "niah"},
		{"needle --task multykey", "multikey"},
		{"longbench --tasks qaspr", "qasper"},
		{"longbench --dry-text --protocol kvpres", "kvpress"},
		{"eval ruler.vt --protocol kvpres", "kvpress"},
		{"eval babilong-qa1 --dry-text --parts exmples", "examples"},
		{"datasets list rulr", "ruler"},
		{"datasets pull lonbench", "longbench"},
		{"metrics show rogue_l", "rouge_l"},
		{"prompts " + prompts, "answers"},
		{"prompts " + prompts + " --metric contians", "contains"},
		{"questions " + prompts + " --convention insde", "inside"},
		{"needle --policies snpkv", "snapkv"},
		{"needle --policies snapkv(pol=max)", "pool"},
		{"needle --policies snapkv(pool=avgg)", "avg"},
		{"policies show tvoa", "tova"},
		{"needle --cache q4_O", "q4_0"},
		{"needle --device cdua", "cuda"},
		{"needle --dtype float", "float"},
		{"needle --tokenizer natve", "native"},
		{"needle --model embeded", "embedded"},
		{"needle --model shape:tny", "tiny"},
		{"needle --on slrum --shards 2", "slurm"},
		{"plan needle --device h20", "h200"},
		{"plot " + run + " --palette gray", "grey"},
		{"plot " + run + " --format pgn", "png"},
		{"plot " + run + " --x budgte --y score", "budget"},
		{"results export jsnl " + run, "jsonl"},
		{"gate " + run + " --against fulll --max-drop 1", "full"},
		{"gate " + run + " " + run + " --across modle --max-drop 1", "model"},
		{"gate " + run + " --against full --about sett --max-drop 1", "set"},
		{"compare " + run + " --against ful", "full"},
		{"score " + dir + " --task babylong", "babilong"},
		{"score " + dir + " --code-sim diflib", "difflib"},
		{"results show " + filepath.Join(dir, "frist"), run},
	} {
		status, stdout, stderr := snapbench(strings.Fields(c.typed)...)
		if status != exitUsage && status != exitCannotRun || stdout != "" || !strings.Contains(stderr, "did you mean "+c.meant) {
			t.Errorf("%s: status %d, printed %.200q, %.600q; want did you mean %s", c.typed, status, stdout, stderr, c.meant)
		}
	}
}

// A verdict is printed although a file of it cannot be written; the status says that it could not.
func TestVerdictOutlastsItsFiles(t *testing.T) {
	run := filepath.Join(t.TempDir(), "run")
	pass(t, "needle", "--lengths", "256", "--trials", "1", "--depths", "1", "--budgets", "full", "--kernels", "5", "--max-new", "1", "--quiet", "--out", run)
	for _, flag := range []string{"--junit", "--markdown"} {
		status, stdout, stderr := snapbench("gate", run, run, "--max-drop", "1", flag, run)
		if status != exitCannotRun || !strings.Contains(stdout, "UNDECIDED, about these samples") || !strings.Contains(stderr, flag+": open "+run+": is a directory") {
			t.Errorf("%s: status %d, printed %.300q, %q", flag, status, stdout, stderr)
		}
	}
	status, _, stderr := snapbench("report", run, "--out", run)
	if status != exitCannotRun || !strings.Contains(stderr, run+": a folder, and a file is to be written") {
		t.Errorf("report: status %d, %q", status, stderr)
	}
	status, _, stderr = snapbench("plot", run, "--facet", "length")
	if status != exitUsage || !strings.Contains(stderr, "--facet and --series to them") {
		t.Errorf("plot: status %d, %q", status, stderr)
	}
}
