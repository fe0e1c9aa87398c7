package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/kept"
	"github.com/snapbench/snapbench/runners/speed"
)

func newReport() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "report RUN [RUN …]",
		Short: "One HTML file about any number of runs, without network",
		Long: `report writes one HTML file: how small the cache can get, the score against memory and
speed, tables with intervals, heat maps, curves, fidelity, the audit, for every
sample the prompt's end, the answers and every variant's prediction side by side,
what each cache kept of the prompt where the run had --keep-positions, and what
was run. It takes folders of runs and of snapbench speed.`,
		Example: `  snapbench report runs/* --out report.html
  snapbench report runs/needle runs/speed`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			paths, speeds, err := speed.Split(args)
			if err != nil {
				return err
			}
			sets, err := results.ReadEach(paths)
			if err != nil {
				return err
			}
			positions, err := kept.Open(paths...)
			if err != nil {
				return err
			}
			if err := plots.WriteReport(out, sets, positions, speeds...); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), out)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "report.html", "the file to write")
	return cmd
}
