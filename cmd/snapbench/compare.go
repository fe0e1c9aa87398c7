package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/contrast"
	"github.com/snapbench/snapbench/runners/console"
)

func newCompare() *cobra.Command {
	var against, out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "compare RUN [RUN …]",
		Short: "Runs side by side: models, policies, machines, engines",
		Long: `compare puts every variant of every run side by side: one table of scores and of
differences over shared samples with 95 % intervals, one picture of them, and a
sentence for each of what shows.

The first run is the reference: its variants are held to its full cache (or to
the variant that it names, or its only one), and another run's to the first
run's of the same policy, budget and parameters where there is one. A mean stands
in the table only where it is over the reference's samples.`,
		Example: `  snapbench compare runs/bf16 runs/fp8
  snapbench compare runs/quickstart --out pictures           # the variants of one run
  snapbench compare runs/cpu runs/gpu runs/server --against cpu --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sets, err := results.ReadEach(args)
			if err != nil {
				return err
			}
			c, err := contrast.Of(sets, against)
			var unknown *contrast.UnknownError
			if errors.As(err, &unknown) {
				return usage(fmt.Errorf("--against: %w", err))
			} else if err != nil {
				return err
			}
			var files []string
			if out != "" {
				figure, err := plots.Contrast(c)
				if err != nil {
					return err
				}
				if files, err = plots.Write(out, []plots.Figure{figure}); err != nil {
					return err
				}
			}
			if asJSON {
				return c.WriteJSON(cmd.OutOrStdout())
			}
			if _, err := io.WriteString(console.Bare(cmd.OutOrStdout()), c.Text(console.Width(cmd.OutOrStdout()))); err != nil {
				return err
			}
			if out != "" {
				fmt.Fprintln(cmd.OutOrStdout(), "\n"+strings.Join(files, "\n"))
			}
			return nil
		},
	}
	s := cmd.Flags()
	s.StringVar(&against, "against", "", "hold everything to this one: a run's or a variant's name as in the table")
	s.StringVar(&out, "out", "", "folder for the picture, compare.png and compare.svg (default: none is drawn)")
	s.BoolVar(&asJSON, "json", false, "print JSON: scores and differences are points of 0–100")
	return cmd
}
