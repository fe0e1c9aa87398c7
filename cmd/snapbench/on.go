package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners/cluster"
	"github.com/snapbench/snapbench/runners/console"
)

// place submits a run's parts, or attaches to those that were submitted, follows them,
// and shows the run. It opens no model: the machine of a person who submits may have no
// card.
func (a *asking) place(cmd *cobra.Command, command string) error {
	if _, err := a.variants.list(cmd); err != nil {
		return err
	}
	p, err := a.placement(cmd, command)
	if err != nil {
		return usage(err)
	}
	if a.cluster.print {
		text, err := p.Print()
		if err == nil {
			_, err = fmt.Fprint(cmd.OutOrStdout(), text)
		}
		return err
	}
	progress := console.NewProgress(cmd.ErrOrStderr(), a.run.quiet)
	defer progress.Close()
	p.Say = progress.Say
	p.Told = func(s cluster.Status) {
		if s.Expected > 0 {
			progress.Count(s.Rows, s.Expected, "rows; "+s.String())
		} else {
			progress.Count(s.Ended, s.Parts, s.String())
		}
	}
	follower, err := p.Submit(cmd.Context())
	if err != nil {
		return err
	}
	if a.cluster.detach {
		progress.Say("not followed: the same command without --detach attaches")
		return nil
	}
	err = follower.Wait(cmd.Context())
	progress.Close()
	if errors.Is(err, context.Canceled) {
		return errors.New("not followed any more, and left running: the same command attaches")
	}
	if err != nil {
		return err
	}
	joined, err := p.Collect(cmd.Context(), follower)
	if err != nil {
		return err
	}
	if joined != nil {
		console.Joined(progress.Say, p.Dir, *joined)
	}
	return show(cmd.OutOrStdout(), progress, p.Dir, a.run.json)
}
