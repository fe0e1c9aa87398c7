package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/metrics/card"
	"github.com/snapbench/snapbench/runners/console/commands"
)

func newMetrics() *cobra.Command {
	return commands.Group(&cobra.Command{
		Use:     "metrics",
		Short:   "Metrics: list them, show how one's score comes about",
		Example: "  snapbench metrics list\n  snapbench metrics show qa_f1\n  snapbench metrics show regex",
	}, newMetricsList(), newMetricsShow())
}

func newMetricsList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Every metric, and the two kinds of your own",
		Example: "  snapbench metrics list\n  snapbench metrics list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := card.List()
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(list)
			}
			return card.PrintList(cmd.OutOrStdout(), list)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newMetricsShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show METRIC",
		Short:   "A metric's definition, with an example",
		Example: "  snapbench metrics show contains\n  snapbench metrics show command\n  snapbench metrics show 'regex:(?i)paris' --json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := card.Show(args[0])
			if err != nil {
				return usage(err)
			}
			return commands.Tell(cmd, asJSON, m)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
