package manual

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// A page has every command and flag, and nothing of their texts is read as man's own.
func TestWrite(t *testing.T) {
	root := &cobra.Command{Use: "tool", Short: "does things", Long: "tool does\n.things\n'quoted' \\n"}
	root.PersistentFlags().String("limit", "1k", "most `bytes`")
	run := func(*cobra.Command, []string) {}
	group := &cobra.Command{Use: "things", Short: "Things"}
	show := &cobra.Command{Use: "show NAME", Short: "One thing", Example: "  tool things show x", Run: run}
	show.Flags().Bool("json", false, "print JSON")
	hidden := &cobra.Command{Use: "secret", Short: "Not told", Hidden: true, Run: run}
	group.AddCommand(show)
	root.AddCommand(group, hidden)
	var b strings.Builder
	if err := Write(&b, root, `v1 "x"`); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{
		".TH TOOL 1 \"\" \"v1 \\(dqx\\(dq\"\n", "tool \\- does things\n", "\ntool does\n\\&.things\n\\&'quoted' \\en\n",
		".SS things show NAME [flags]\nOne thing.\n", ".TP\n\\fB\\-\\-json\\fR\nprint JSON\n", "\\fB\\-\\-limit\\fR bytes\nmost bytes (default 1k)\n",
		"Examples:\n.nf\n  tool things show x\n.fi\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Contains(page, "secret") {
		t.Error("a hidden command is told")
	}
}
