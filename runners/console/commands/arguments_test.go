package commands

import (
	"errors"
	"io"
	"testing"

	"github.com/spf13/cobra"
)

func TestSayArguments(t *testing.T) {
	own := errors.New("one of a kind")
	for _, c := range []struct {
		args  cobra.PositionalArgs
		given []string
		want  string
	}{
		{cobra.MinimumNArgs(2), []string{"all", "export", "csv"}, "all export: 1 given, want export csv|jsonl RUN [RUN …]"},
		{cobra.ExactArgs(1), []string{"all", "export"}, "all export: 0 given, want export csv|jsonl RUN [RUN …]"},
		{cobra.RangeArgs(0, 1), []string{"all", "export", "a", "b", "c"}, "all export: 3 given, want export csv|jsonl RUN [RUN …]"},
		{func(*cobra.Command, []string) error { return own }, []string{"all", "export"}, own.Error()},
		{cobra.ExactArgs(1), []string{"all", "export", "csv"}, ""},
	} {
		root := &cobra.Command{Use: "snapbench", SilenceErrors: true, SilenceUsage: true}
		all := &cobra.Command{Use: "all"}
		all.AddCommand(&cobra.Command{Use: "export csv|jsonl RUN [RUN …]", Args: c.args, RunE: func(*cobra.Command, []string) error { return nil }})
		root.AddCommand(all)
		SayArguments(root)
		root.SetArgs(c.given)
		root.SetOut(io.Discard)
		got := ""
		if err := root.Execute(); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.given, got, c.want)
		}
	}
}
