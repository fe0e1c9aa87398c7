package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners/console/commands"
)

// A flag of needle changes what it names and nothing else of the quick start.
func TestNeedleFlagsChangeWhatTheyName(t *testing.T) {
	model := tinyModel(t)
	asked := func(args ...string) (variants int, lengths, trials, said string) {
		t.Helper()
		var a asking
		var told strings.Builder
		cmd := &cobra.Command{Use: "needle"}
		cmd.SetErr(&told)
		a.register(cmd, "needle")
		commands.Default(cmd, "quickstart")
		if err := cmd.ParseFlags(args); err != nil {
			t.Fatal(err)
		}
		a.settle(cmd)
		if a.server.asked() {
			if err := a.server.refuse(cmd); err != nil {
				t.Errorf("%v: %v", args, err)
			}
		}
		list, err := a.variants.list(cmd)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return len(list), strings.Join(a.options["lengths"].values(), ","), strings.Join(a.options["trials"].values(), ","), told.String()
	}
	for _, c := range []struct {
		args            string
		variants        int // full, and 4 budgets × 3 kernels
		lengths, trials string
	}{
		{"", 13, "1k,2k,4k,8k", "2"},
		{"--lengths 1k", 13, "1k", "2"},
		{"--lengths 1k --lengths 3k", 13, "1k,3k", "2"},
		{"--trials 4", 13, "1k,2k,4k,8k", "4"},
		{"--budgets full,32", 4, "1k,2k,4k,8k", "2"},
		{"--budgets [64,64,128],25%", 6, "1k,2k,4k,8k", "2"},
		{"--kernels 7", 5, "1k,2k,4k,8k", "2"},
		{"--policies tova", 5, "1k,2k,4k,8k", "2"},
		{"--policies snapkv,tova --kernels 5,7", 13, "1k,2k,4k,8k", "2"},
		{"--variants full;tova(cap=64)", 2, "1k,2k,4k,8k", "2"},
		{"--max-len 8k", 13, "", "2"},
		{"--model " + model + " --out x", 13, "1k,2k,4k,8k", "2"},
		{"--model nowhere", 13, "1k,2k,4k,8k", "2"},
		{"--server http://127.0.0.1:1/v1", 13, "1k,2k,4k,8k", "2"},
	} {
		variants, lengths, trials, said := asked(strings.Fields(c.args)...)
		if variants != c.variants || lengths != c.lengths || trials != c.trials || said != "" {
			t.Errorf("%q: %d variants, lengths %s, %s trials, %q; want %+v", c.args, variants, lengths, trials, said, c)
		}
	}
	config, err := os.ReadFile(filepath.Join(model, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	short := strings.Replace(string(config), `"max_position_embeddings": 65536`, `"max_position_embeddings": 4096`, 1)
	if short == string(config) {
		t.Fatalf("no context of 65536 in %s", config)
	}
	write(t, filepath.Join(model, "config.json"), short)
	if _, lengths, _, said := asked("--model", model); lengths != "1k,2k" || !strings.Contains(said, "without lengths 4k, 8k: the context of "+model+" is 4096 tokens") {
		t.Errorf("a model with a short context: lengths %s, %q", lengths, said)
	}
	// The help tells the same defaults, once.
	help := strings.Split(newNeedle().Flags().FlagUsages(), "\n")
	for flag, want := range map[string]string{"--lengths": "(default [1k,2k,4k,8k])", "--kernels": "(default [1,5,13])", "--trials": `(default "2")`, "--depths": "(default [5])"} {
		i := slices.IndexFunc(help, func(line string) bool { return strings.HasPrefix(strings.TrimSpace(line), flag+" ") })
		if i < 0 || !strings.HasSuffix(help[i], want) || strings.Count(help[i], "(default") != 1 {
			t.Errorf("help of %s: %q, want %s", flag, help[max(0, i)], want)
		}
	}
}
