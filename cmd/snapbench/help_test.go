package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The help is the manual: every command says in a line what it does and shows
// how it is called, and every flag says what it is for.
func TestHelpIsComplete(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Short == "" {
			t.Errorf("%s: no description", cmd.CommandPath())
		}
		if cmd.HasParent() && cmd.Example == "" {
			t.Errorf("%s: no example", cmd.CommandPath())
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s: no description", cmd.CommandPath(), f.Name)
			}
		})
		for _, c := range cmd.Commands() {
			visit(c)
		}
	}
	visit(newRoot())
}

// Shells complete what a command or a flag chooses from, each name of a list.
func TestCompletion(t *testing.T) {
	for typed, want := range map[string]string{
		"run ": "quickstart", "eval ": "ruler.vt", "needle --policies ": "snapkv", "needle --task ": "multikey", "needle --gqa ": "kv_head_mean",
		"needle --cache f16,": "f16,q4_0", "needle --device ": "cuda", "needle --dtype ": "bfloat16", "needle --on ": "slurm", "plot --palette ": "grey",
		"gate --about ": "population", "gate --across model,": "model,dtype", "metrics show ": "contains", "policies show ": "tova",
	} {
		args := append([]string{"__complete"}, strings.Split(typed, " ")...)
		if list := strings.Split(pass(t, args...), "\n"); !slices.ContainsFunc(list, func(s string) bool { return s == want || strings.HasPrefix(s, want+"\t") }) {
			t.Errorf("%s completes %.300q, not %s", typed, list, want)
		}
	}
}
