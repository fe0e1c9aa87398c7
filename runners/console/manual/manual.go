// Package manual makes a man page of a command's help.
package manual

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Write writes one page, in the language of man, of a program and all of its commands.
// Version stands at its foot.
func Write(out io.Writer, root *cobra.Command, version string) error {
	w := bufio.NewWriter(out)
	name := root.Name()
	fmt.Fprintf(w, ".TH %s 1 \"\" \"%s\"\n", strings.ToUpper(name), quoted(version))
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", name, text(root.Short))
	fmt.Fprintf(w, ".SH SYNOPSIS\n.B %s\n.I command\n[flags]\n", name)
	fmt.Fprint(w, ".SH DESCRIPTION\n")
	literal(w, root.Long)
	fmt.Fprint(w, ".SH COMMANDS\n")
	commands(w, root)
	fmt.Fprint(w, ".SH FLAGS OF ALL COMMANDS\n")
	flags(w, root.PersistentFlags())
	return w.Flush()
}

// commands writes a section for each command that does something.
func commands(w io.Writer, parent *cobra.Command) {
	for _, c := range parent.Commands() {
		if !c.IsAvailableCommand() {
			continue
		}
		fmt.Fprintf(w, ".SS %s\n%s.\n", text(strings.TrimPrefix(c.UseLine(), parent.Root().Name()+" ")), text(c.Short))
		if c.Long != "" {
			fmt.Fprint(w, ".PP\n")
			literal(w, c.Long)
		}
		flags(w, c.LocalFlags())
		if c.Example != "" {
			fmt.Fprint(w, ".PP\nExamples:\n")
			literal(w, c.Example)
		}
		commands(w, c)
	}
}

// flags writes a paragraph for each flag.
func flags(w io.Writer, set *pflag.FlagSet) {
	set.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind != "" {
			kind = " " + kind
		}
		fmt.Fprintf(w, ".TP\n\\fB\\-\\-%s\\fR%s\n%s", text(f.Name), text(kind), text(usage))
		if f.DefValue != "" && f.DefValue != "[]" && f.DefValue != "false" && f.DefValue != "0" {
			fmt.Fprintf(w, " (default %s)", text(f.DefValue))
		}
		fmt.Fprintln(w)
	})
}

// literal writes lines as they are.
func literal(w io.Writer, lines string) {
	fmt.Fprint(w, ".nf\n")
	for line := range strings.SplitSeq(strings.TrimRight(lines, "\n"), "\n") {
		fmt.Fprintln(w, text(line))
	}
	fmt.Fprint(w, ".fi\n")
}

// text escapes what man would read as its own: backslashes, hyphens, and a dot or a quote
// at a line's start.
func text(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return strings.ReplaceAll(s, "\n", " ")
}

// quoted escapes an argument between quotes.
func quoted(s string) string { return strings.ReplaceAll(text(s), `"`, `\(dq`) }
