package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/console"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/outcome"
)

func newResults() *cobra.Command {
	return commands.Group(&cobra.Command{
		Use:     "results",
		Short:   "Results of runs: show, merge, join, export, columns",
		Example: "  snapbench results show runs/first\n  snapbench results export csv runs/first > first.csv",
	}, newResultsShow(), newResultsMerge(), newResultsJoin(), newResultsExport(), newResultsColumns())
}

func newResultsShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show RUN [RUN …]",
		Short:   "The tables of one or several runs",
		Example: "  snapbench results show runs/first",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := outcome.Read(cmd.ErrOrStderr(), args)
			if err != nil {
				return err
			}
			return outcome.Tables(cmd.OutOrStdout(), set)
		},
	}
}

func newResultsMerge() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:     "merge RUN RUN … --out FILE.parquet",
		Short:   "The rows of several runs in one file; a row that stands in two is one",
		Example: "  snapbench results merge runs/a runs/b --out all.parquet",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usage(fmt.Errorf("where to? --out FILE.parquet"))
			}
			set, err := outcome.Read(cmd.ErrOrStderr(), args)
			if err != nil {
				return err
			}
			if err := set.Save(out); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d rows\n", out, len(set.Rows))
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the parquet file to write")
	return cmd
}

func newResultsJoin() *cobra.Command {
	var missing, asJSON bool
	cmd := &cobra.Command{
		Use:   "join RUN",
		Short: "One run of the parts that several processes made",
		Long: `Makes one run of the parts that --shard left in a folder. The part that ends last does
so by itself; by hand it is wanted where that one was killed just then, or where some
parts are not wanted any more (--allow-missing).

It refuses, and changes nothing, where rows are missing, and where two attempts at a
part answered the same question differently.`,
		Example: "  snapbench results join runs/lb",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			joined, err := parts.Join(args[0], missing)
			if err != nil {
				return err
			}
			progress := console.NewProgress(cmd.ErrOrStderr(), false)
			console.Joined(progress.Say, args[0], joined)
			return show(cmd.OutOrStdout(), progress, args[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&missing, "allow-missing", false, "join what is there; every table then says how many rows are missing")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the summary as JSON")
	return cmd
}

func newResultsExport() *cobra.Command {
	var out string
	var spreadsheet bool
	cmd := &cobra.Command{
		Use:     "export csv|jsonl|parquet RUN [RUN …]",
		Short:   "Rows as CSV, JSON lines or parquet",
		Example: "  snapbench results export csv runs/first > first.csv\n  snapbench results export parquet runs/a runs/b --out both.parquet",
		Args:    cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			export, err := results.Exporter(args[0], spreadsheet)
			if err != nil {
				return usage(err)
			}
			set, err := outcome.Read(cmd.ErrOrStderr(), args[1:])
			if err != nil {
				return err
			}
			if out != "" {
				return results.ExportFile(out, set.Rows, export)
			}
			return export(console.Exact(cmd.OutOrStdout()), set.Rows)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file (default standard output)")
	cmd.Flags().BoolVar(&spreadsheet, "for-spreadsheet", false, "csv: a ' before text that a spreadsheet would take for a formula (= + - @, tab, CR first)")
	return cmd
}

func newResultsColumns() *cobra.Command {
	return &cobra.Command{
		Use:     "columns",
		Short:   "The columns of results.parquet, with their meaning",
		Example: "  snapbench results columns",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return results.PrintColumns(cmd.OutOrStdout())
		},
	}
}
