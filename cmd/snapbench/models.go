package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models/card"
)

func newModels() *cobra.Command {
	return commands.Group(&cobra.Command{
		Use:     "models",
		Short:   "Models: list those in the hub cache, pull, show",
		Example: "  snapbench models list\n  snapbench models show embedded",
	}, newModelsList(), newModelsPull(), newModelsShow())
}

func newModelsList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Models in the hub cache, and the shapes for speed",
		Example: "  snapbench models list --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, failed := local.ListModels()
			if list == nil {
				return failed
			}
			if err := commands.Tell(cmd, asJSON, list); err != nil {
				return err
			}
			return failed
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newModelsPull() *cobra.Command {
	var quiet bool
	cmd := &cobra.Command{
		Use:   "pull ORG/NAME[@REVISION]",
		Short: "Bring a model from the hub into its standard cache, checked",
		Example: `  snapbench models pull HuggingFaceTB/SmolLM2-135M-Instruct
  HF_TOKEN=… snapbench models pull meta-llama/Llama-3.1-8B-Instruct@main`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			repo, snapshot, err := local.PullModel(cmd.Context(), args[0], cmd.ErrOrStderr(), quiet)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n%d files of %s at %s, all checked\n", snapshot.Dir, len(snapshot.Files), repo, snapshot.Commit)
			return nil
		},
	}
	cmd.Flags().BoolVar(&quiet, "quiet", false, "no progress")
	return cmd
}

func newModelsShow() *cobra.Command {
	var asJSON bool
	var rope string
	cmd := &cobra.Command{
		Use:   "show MODEL",
		Short: "Shapes, parameters, bytes of weights, bytes of cache per token",
		Example: `  snapbench models show SmolLM2-135M-Instruct.Q4_1.gguf
  snapbench models show shape:llama-2-7b --json
  snapbench models show ./Qwen3-8B --rope yarn:4,original=32768`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			say := local.SayTo(cmd.ErrOrStderr())
			at, err := local.Locate(cmd.Context(), args[0], say)
			if err != nil {
				return err
			}
			files, _, err := at.OpenAs(rope, say)
			if err != nil {
				return err
			}
			defer files.Close()
			return commands.Tell(cmd, asJSON, card.Of(args[0], files))
		},
	}
	registerRope(cmd, &rope)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
