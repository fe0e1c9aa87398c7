package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/configs"
	"github.com/snapbench/snapbench/runners"
)

// program is one with a group and a command that has flags of all kinds. What the command
// was asked is written to got.
func program(got *[]string) *cobra.Command {
	root := &cobra.Command{Use: "program", SilenceErrors: true, SilenceUsage: true}
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	root.SetFlagErrorFunc(FlagError)
	ask := &cobra.Command{Use: "ask", Args: cobra.MaximumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if err := NoEmptyLists(cmd); err != nil {
			return runners.Mistake(err)
		}
		switch name, _ := cmd.Flags().GetString("name"); name {
		case "nobody":
			return runners.Mistake(errors.New(`nobody is called "nobody"`))
		case "commands_tset.go":
			_, err := os.Open(name)
			return err
		}
		*got = append(Given(cmd, "quiet"), args...)
		return nil
	}}
	s := ask.Flags()
	s.Bool("quiet", false, "")
	s.Int("number", 3, "a number")
	s.Duration("wait", 0, "")
	s.Float64("share", 0, "")
	s.Uint("seed", 0, "")
	s.String("name", "", "")
	s.String("markdown", "", "")
	s.StringSlice("list", []string{"a"}, "a list (default all)")
	s.StringArray("each", nil, "")
	s.Var(&Size{Took: func(n int64) {
		if n != 4<<30 {
			panic(n)
		}
	}}, "size", "")
	root.AddCommand(Group(&cobra.Command{Use: "things"}, ask))
	AddLibrary(root)
	return root
}

func TestExitStatuses(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		words  string
	}{
		{"things ask one", 0, ""},
		{"things", 0, ""},
		{"things nosuch", Misused, `unknown command "nosuch": things has ask`},
		{"nosuch", Misused, `unknown command "nosuch"`},
		{"help nosuch", Misused, `unknown command "nosuch": program has`},
		{"help things ask more", Misused, `unknown command "more": ask has none`},
		{"completion nosuch", Misused, `unknown command "nosuch": completion has bash`},
		{"things ask one two", Misused, "accepts at most 1 arg"},
		{"things ask --numbr 3", Misused, "did you mean --number?"},
		{"things ask --zzzzzz", Misused, "program things ask --help lists those there are"},
		{"things ask --number many", Misused, `--number "many": want a whole number`},
		{"things ask --number 99999999999999999999", Misused, `--number "99999999999999999999": out of range`},
		{"things ask --quiet=perhaps", Misused, `--quiet "perhaps": want true or false`},
		{"things ask --wait ever", Misused, `--wait "ever": want a time, as 90s, 10m or 2h`},
		{"things ask --share much", Misused, `--share "much": want a number`},
		{"things ask --seed -1", Misused, `--seed "-1": want a whole number, 0 or more`},
		{"things ask --name=", Misused, `--name "": an empty value: give one, or leave the flag away`},
		{"things ask --markdown=", 0, ""},
		{"things ask --name nobody", Misused, `--name: nobody is called "nobody"`},
		{"things ask --name nobody --each nobody", Misused, `nobody is called "nobody"`}, // which of the two?
		{"things ask --name commands_tset.go", CannotRun, `--name: open commands_tset.go: no such file or directory: did you mean commands_test.go?`},
		{"things ask --list=", Misused, "--list: an empty list: want one value or more"},
		{"things ask --size 3", Misused, "want a size, such as 4GiB or 800MiB"},
	} {
		var got []string
		root := program(&got)
		root.SetArgs(strings.Fields(c.args))
		err := root.Execute()
		if err == nil {
			if c.status != 0 {
				t.Errorf("%s: no error", c.args)
			}
			continue
		}
		if exit := Exit(err); exit.Code != c.status || !strings.Contains(exit.Error(), c.words) {
			t.Errorf("%s: status %d, %v; want %d, %s", c.args, exit.Code, exit, c.status, c.words)
		}
	}
	for _, c := range []struct {
		err  error
		code int
	}{
		{context.Canceled, CannotRun},
		{fmt.Errorf("x: %w", runners.Mistake(errors.New("y"))), Misused},
		{&ExitError{Code: 4}, 4},
		{fmt.Errorf("x: %w", &ExitError{5, io.EOF}), 5},
	} {
		if exit := Exit(c.err); exit.Code != c.code {
			t.Errorf("%v: status %d, want %d", c.err, exit.Code, c.code)
		}
	}
	if e := (&ExitError{Code: 4}); e.Error() != "exit status 4" || e.Unwrap() != nil {
		t.Errorf("%q", e)
	}
}

// What one process was given reads the same in another.
func TestGiven(t *testing.T) {
	args := []string{"things", "ask", "--quiet", "--list", "b,c", "--list=d", "--each", "x,y", "--each=z", "--size", "4GiB", "--number=3", "file"}
	want := []string{"--each=x,y", "--each=z", "--list=b,c,d", "--number=3", "--size=4GiB", "file"}
	for range 2 {
		var got []string
		root := program(&got)
		root.SetArgs(args)
		if err := root.Execute(); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v: %q, want %q", err, got, want)
		}
		args = append([]string{"things", "ask"}, got...)
	}
}

func TestApply(t *testing.T) {
	var got []string
	root := program(&got)
	ask, _, err := root.Find([]string{"things", "ask"})
	if err != nil {
		t.Fatal(err)
	}
	p := configs.Preset{Source: "p.yaml", Command: "ask", Flags: []configs.Flag{{Name: "list", Values: []string{"b", "c"}, Line: 2}, {Name: "number", Values: []string{"5"}, Line: 3}}}
	if err := Apply(ask, p); err != nil {
		t.Fatal(err)
	}
	if given := Given(ask); !slices.Equal(given, []string{"--list=b,c", "--number=5"}) {
		t.Errorf("%q", given)
	}
	if err := ask.ParseFlags([]string{"--list", "d"}); err != nil {
		t.Fatal(err)
	}
	if given := Given(ask); !slices.Equal(given, []string{"--list=d", "--number=5"}) {
		t.Errorf("%q", given)
	}
	for name, want := range map[string]string{"nosuch": `p.yaml:7: ask has no flag "nosuch"`, "number": "p.yaml:7: number: "} {
		p.Flags = []configs.Flag{{Name: name, Values: []string{"many"}, Line: 7}}
		if err := Apply(ask, p); err == nil || !strings.HasPrefix(err.Error(), want) || Exit(err).Code != Misused {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestCompletions(t *testing.T) {
	var got []string
	root := program(&got)
	c := Completions{Flags: map[string][]string{"list": {"red", "green"}}, Arguments: map[string][]string{"things ask": {"one", "two"}}}
	c.Register(root)
	for typed, want := range map[string]string{
		"things ask --list blue,": "blue,red blue,green",
		"things ask ":             "one two",
		"things ask one ":         "",
	} {
		var out strings.Builder
		root.SetOut(&out)
		root.SetArgs(append([]string{"__complete"}, strings.Split(typed, " ")...))
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Fields(out.String())
		if got := strings.Join(lines[:len(lines)-1], " "); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
