package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/local"
)

// askServers asks tasks of servers, one after the other.
func (a *asking) askServers(cmd *cobra.Command, command string, names []string, metric string) error {
	if err := a.server.refuse(cmd); err != nil {
		return usage(err)
	}
	if a.server.along != "" && !a.run.fidelity {
		return usage(errors.New("--along says what --fidelity measures against: ask for it too"))
	}
	s, err := a.server.sweep()
	if err != nil {
		return usage(err)
	}
	tasks, options, err := a.open(cmd, names, metric)
	if err != nil {
		return err
	}
	s.Name, s.Tasks, s.Retry, s.Fidelity = command, tasks, a.run.retry, a.run.fidelity
	if cmd.Flags().Changed("model") {
		s.Server.Model = a.model.model
	}
	progress := console.NewProgress(cmd.ErrOrStderr(), a.run.quiet)
	defer progress.Close()
	if a.server.tokenizer != "" {
		text, err := local.OpenText(cmd.Context(), a.server.tokenizer, progress.Say)
		if err != nil {
			return err
		}
		s.Tokens, s.Server.Tokenizer, s.Server.Chat = text.Name, text.Tokenizer, text.Chat
	}
	folder, err := a.folder()
	if err = errors.Join(err, s.Check(folder.Command)); err != nil {
		return usage(err)
	}
	job := s.Job()
	folder.Baseline = s.Settings[0].Variant.String()
	journal, err := job.Begin(folder, nil, options, s)
	if err != nil {
		return err
	}
	defer journal.Close()
	progress.Say("results in %s", journal.Dir())
	if err := s.Run(cmd.Context(), job, journal, progress); err != nil {
		if errors.Is(err, context.Canceled) && cmd.Context().Err() != nil {
			return fmt.Errorf("interrupted with %d rows finished: the same command continues", len(journal.Rows()))
		}
		return err
	}
	progress.Close()
	if err := journal.Finish(); err != nil {
		return err
	}
	return show(cmd.OutOrStdout(), progress, journal.Dir(), a.run.json)
}
