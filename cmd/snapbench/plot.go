package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/plots"
	"github.com/snapbench/snapbench/runners/outcome"
	"github.com/snapbench/snapbench/runners/speed"
)

func newPlot() *cobra.Command {
	var a plots.Axes
	var out string
	var o plots.Output
	cmd := &cobra.Command{
		Use:   "plot RUN [RUN …]",
		Short: "Draw results: the usual pictures, or any column against any other",
		Long: `plot draws the pictures of a run again, or, with --x and --y, the mean of one
column with its 95 % interval against another, in panels by a third and lines by a
fourth. Columns are those of results.parquet, and the parameters of policies.
With folders of snapbench speed it also draws theirs, and the score against speed.`,
		Example: `  snapbench plot runs/first --out pictures
  snapbench plot runs/first --out paper --format pdf --font-size 10 --palette grey --no-numbers
  snapbench plot runs/first --x budget --y recalled --facet length --series k`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Check(); err != nil {
				return usage(err)
			}
			paths, speeds, err := speed.Split(args)
			if err != nil {
				return err
			}
			set, err := outcome.Read(cmd.ErrOrStderr(), paths)
			if err != nil {
				return err
			}
			dir := out
			if dir == "" {
				dir = args[0]
			}
			var files []string
			if a == (plots.Axes{}) {
				var figures []plots.Figure
				if figures, err = plots.Run(set, speeds...); err == nil {
					files, err = o.Write(dir, figures)
				}
			} else {
				if a.X == "" || a.Y == "" {
					return usage(fmt.Errorf("--x and --y belong together, and --facet and --series to them"))
				}
				var figure plots.Figure
				if figure, err = plots.XY(set.Visible(), a); err == nil {
					files, err = o.Write(dir, []plots.Figure{figure})
				} else if !errors.Is(err, plots.ErrNothing) {
					err = usage(err)
				}
			}
			if err != nil {
				return err
			}
			if len(files) == 0 {
				return fmt.Errorf("%s: nothing to draw: no row has a score", strings.Join(args, ", "))
			}
			fmt.Fprintln(cmd.OutOrStdout(), strings.Join(files, "\n"))
			return nil
		},
	}
	s := cmd.Flags()
	s.StringVar(&a.X, "x", "", "column across")
	s.StringVar(&a.Y, "y", "", "column whose mean is drawn")
	s.StringVar(&a.Facet, "facet", "", "a panel for each value of this column")
	s.StringVar(&a.Series, "series", "", "a line for each value of this column")
	s.StringVar(&out, "out", "", "folder (default the first run's)")
	s.StringSliceVar(&o.Formats, "format", []string{"png", "svg"}, "kinds of files: "+strings.Join(plots.Formats(), ", "))
	s.Float64Var(&o.Look.FontSize, "font-size", 8.5, "points of the numbers at axes; other text keeps its proportion")
	s.BoolVar(&o.Look.NoNumbers, "no-numbers", false, "heat maps without numbers in their cells")
	s.StringVar(&o.Look.Palette, "palette", plots.Palettes()[0], "colours: "+strings.Join(plots.Palettes(), ", "))
	return cmd
}
