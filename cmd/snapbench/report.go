package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
)

func newReport() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "report RUN [RUN …]",
		Short: "One HTML file about any number of runs, without network",
		Long: `report writes one HTML file: what was run, tables with intervals, heat maps, curves,
speed and memory, fidelity, the audit, and for every sample the prompt's end, the
answers and every variant's prediction side by side.`,
		Example: `  snapbench report runs/* --out report.html`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var sets []results.Set
			for _, path := range args {
				set, err := results.Read(path)
				if err != nil {
					return err
				}
				sets = append(sets, set)
			}
			if err := plots.WriteReport(out, sets); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), out)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "report.html", "the file to write")
	return cmd
}
