package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/local"
)

func newDatasets() *cobra.Command {
	return commands.Group(&cobra.Command{
		Use:     "datasets",
		Short:   "Data sets: what is in the program, what must be brought, what is there",
		Example: "  snapbench datasets list\n  snapbench datasets pull longbench\n  snapbench datasets list longbench",
	}, newDatasetsList(), newDatasetsPull())
}

func newDatasetsList() *cobra.Command {
	var data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [NAME…]",
		Short: "Every family of tasks: source, licence, what is inside, to pull and here, published scores",
		Long: `list says of each family of tasks where it is from, what of it is in the program, and
what must be brought. Of those named it prints the published scores of full caches, too,
and checks every row that is there, with counts and checksums.`,
		Example: "  snapbench datasets list\n  snapbench datasets list babilong\n  snapbench datasets list longbench --data DIR --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := local.Catalogue(args, data)
			if err != nil {
				return err
			}
			if err := commands.Tell(cmd, asJSON, list); err != nil {
				return err
			}
			return list.Err()
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "folder, file or archive with the rows (default: what datasets pull brought)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newDatasetsPull() *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use:     "pull NAME",
		Short:   "Bring a benchmark's rows into the hub cache, checked",
		Long:    "pull brings the rows of a benchmark from the Hugging Face hub into its standard cache, which the Python tools share.\ndatasets list says which, and their licences. HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN and HF_HUB_OFFLINE mean what they mean there.",
		Example: "  snapbench datasets pull longbench\n  snapbench datasets pull babilong",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := datasets.Pullable(args[0])
			if err != nil {
				return usage(err)
			}
			path, err := local.PullData(cmd.Context(), d, cmd.ErrOrStderr(), quiet)
			if err != nil {
				return err
			}
			list, err := d.Copy().Check(path)
			if err == nil {
				err = list.Err()
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n%d sets, %d rows, all checked\n", path, len(list), list.Rows())
			return nil
		},
	}
	cmd.Flags().BoolVar(&quiet, "quiet", false, "no progress")
	return cmd
}
