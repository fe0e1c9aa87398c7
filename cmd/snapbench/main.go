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
	"syscall"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/cluster"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/console/crash"
)

// Exit statuses. CI jobs rely on them.
const (
	exitPass      = 0
	exitCannotRun = commands.CannotRun
	exitUsage     = commands.Misused
	exitFailed    = 3             // a gate failed
	exitUndecided = 4             // too little data for a verdict
	exitAgain     = cluster.Again // ended before its time limit, to be started again
)

func main() {
	crash.BySignal()
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
	commands.AddLibrary(root)
	completions().Register(root)
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
	exit := commands.Exit(err)
	if exit.Err != nil {
		fmt.Fprintln(told, "snapbench: "+exit.Err.Error())
	}
	told.Close()
	return exit.Code
}

// usage gives an error the exit status of a wrong call.
func usage(err error) error { return runners.Mistake(err) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "snapbench",
		Short: "How small can the KV cache get before my task suffers?",
		Long: `snapbench runs a model itself, under cache policies at several budgets and under
the full cache, reading each prompt once for all of them, and reports task scores
with confidence intervals, speed, memory, and pictures.

Exit status: 0 pass, 1 could not run, 2 usage, 3 a gate failed, 4 undecided,
5 ended early because SIGUSR1 asked for it (the same command continues).`,
		Version:       commands.Version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	registerUnpacked(root)
	root.SetFlagErrorFunc(commands.FlagError)
	root.AddCommand(newEval(), newNeedle(), newLongBench(), newPrompts(), newQuestions(), newScore(), newMetrics(), newPolicies(), newModels(), newDatasets(),
		newObserve(), newGate(), newCompare(), newPlot(), newResults(), newDoctor(), newSpeed(), newPlan(), newRun(), newReport(), newVersion(), newMan())
	commands.SayArguments(root)
	return root
}
