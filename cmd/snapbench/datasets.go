package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/local"
)

func newDatasets() *cobra.Command {
	return commands.Group(&cobra.Command{
		Use:     "datasets",
		Short:   "Data sets: list what is there, pull LongBench",
		Example: "  snapbench datasets pull longbench\n  snapbench datasets list",
	}, newDatasetsList(), newDatasetsPull())
}

func newDatasetsList() *cobra.Command {
	var data string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "The LongBench sets that are there, every row checked, with counts and checksums",
		Example: "  snapbench datasets list\n  snapbench datasets list --data DIR --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if data == "" {
				var err error
				if data, err = local.CachedLongBench(); err != nil {
					return err
				}
			}
			list, err := datasets.List(data)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if asJSON {
				err = json.NewEncoder(w).Encode(list)
			} else if err = list.Print(w); err == nil && len(list) == 0 {
				err = fmt.Errorf("%s: none of LongBench's sets is there", data)
			}
			if err != nil {
				return err
			}
			return list.Err()
		},
	}
	cmd.Flags().StringVar(&data, "data", "", "folder or archive (default: what datasets pull longbench brought)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newDatasetsPull() *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use:     "pull longbench",
		Short:   "Bring LongBench into the hub cache, checked",
		Long:    "pull brings THUDM/LongBench (MIT) from the Hugging Face hub into its standard cache, which the Python tools share.\nHF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_TOKEN and HF_HUB_OFFLINE mean what they mean there.",
		Example: "  snapbench datasets pull longbench",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != "longbench" {
				return usage(fmt.Errorf("unknown dataset %q: have longbench", args[0]))
			}
			path, err := local.PullLongBench(cmd.Context(), cmd.ErrOrStderr(), quiet)
			if err != nil {
				return err
			}
			list, err := datasets.List(path)
			if err != nil {
				return err
			}
			for _, s := range list {
				if s.Err != nil {
					return s.Err
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n%d sets, %d rows, all checked\n", path, len(list), list.Rows())
			return nil
		},
	}
	cmd.Flags().BoolVar(&quiet, "quiet", false, "no progress")
	return cmd
}
