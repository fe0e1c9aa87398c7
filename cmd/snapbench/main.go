// Command snapbench measures how small a language model's KV cache can get before its
// answers suffer, and what that gains in speed and memory.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/cluster"
	"github.com/snapbench/snapbench/runners/console"
)

// Exit statuses. CI jobs rely on them.
const (
	exitPass      = 0
	exitCannotRun = 1
	exitUsage     = 2
	exitFailed    = 3             // a gate failed
	exitUndecided = 4             // too little data for a verdict
	exitAgain     = cluster.Again // ended before its time limit, to be started again
)

func main() {
	crashBySignal()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the program with these arguments and returns its exit status.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // a second Ctrl-C ends the process at once
	}()
	root := newRoot()
	addLibraryCommands(root)
	root.SetArgs(args)
	out, told := console.NewScreen(stdout), console.NewScreen(stderr)
	root.SetOut(out)
	root.SetErr(told)
	err := root.ExecuteContext(ctx)
	if failed := out.Close(); err == nil {
		err = failed
	}
	if err == nil {
		return exitPass
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = errors.New("interrupted")
	}
	var exit *exitError
	var mistake *runners.MistakeError
	if !errors.As(err, &exit) {
		exit = &exitError{exitCannotRun, err}
		if errors.As(err, &mistake) {
			exit.code = exitUsage
		}
		// Errors of cobra's own: an unknown command, a missing argument.
		if strings.HasPrefix(err.Error(), "unknown command") || strings.HasPrefix(err.Error(), "accepts ") || strings.HasPrefix(err.Error(), "requires ") {
			exit.code = exitUsage
		}
	}
	if exit.err != nil {
		fmt.Fprintln(told, "snapbench: "+exit.err.Error())
	}
	told.Close()
	return exit.code
}

// exitError is an error with the exit status that it stands for.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage gives an error the exit status of a wrong call.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUsage, err}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "snapbench",
		Short: "How small can the KV cache get before my task suffers?",
		Long: `snapbench runs a model itself, under cache policies at several budgets and under
the full cache, reading each prompt once for all of them, and reports task scores
with confidence intervals, speed, memory, and pictures.

Exit status: 0 pass, 1 could not run, 2 usage, 3 a gate failed, 4 undecided,
5 ended early because SIGUSR1 asked for it (the same command continues).`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	registerUnpacked(root)
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newEval(), newNeedle(), newLongBench(), newPrompts(), newScore(), newMetrics(), newPolicies(), newModels(), newDatasets(),
		newGate(), newCompare(), newPlot(), newResults(), newDoctor(), newSpeed(), newRun(), newReport(), newVersion(), newMan())
	return root
}

// addLibraryCommands adds cobra's own help and completion, except that an unknown name is
// a usage error.
func addLibraryCommands(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	completeValues(root)
	for _, c := range root.Commands() {
		switch c.Name() {
		case "completion":
			group(c)
		case "help":
			c.Run, c.RunE = nil, func(_ *cobra.Command, args []string) error {
				cmd, rest, err := root.Find(args)
				if err != nil {
					return unknownCommand(root, args[0])
				}
				if len(rest) > 0 {
					return unknownCommand(cmd, rest[0])
				}
				return cmd.Help()
			}
		}
	}
}

// version is the module's version, or the commit that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}

// commandLine is the command as typed, without the program's path.
func commandLine() string {
	return strings.Join(append([]string{"snapbench"}, os.Args[1:]...), " ")
}
