package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

func newModels() *cobra.Command {
	cmd := &cobra.Command{Use: "models", Short: "Look at models: show"}
	cmd.AddCommand(newModelsShow())
	return cmd
}

func newModelsShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show MODEL",
		Short: "Shapes, parameters, bytes of weights, bytes of cache per token",
		Example: `  snapbench models show SmolLM2-135M-Instruct.Q4_1.gguf
  snapbench models show shape:llama-2-7b --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := openFiles(args[0])
			if err != nil {
				return err
			}
			defer files.Close()
			c := files.Config
			windows := slices.Max(c.Windows)
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{
					"model": args[0], "family": c.Family, "layers": c.Layers, "width": c.Width,
					"query_heads": c.Heads.Query, "kv_heads": c.Heads.KV, "head_size": c.Heads.Size,
					"feed_forward": c.FF, "vocabulary": c.Vocab, "context": c.Context, "rope_theta": c.Rope.Theta,
					"rope_scaling": c.Rope.Type, "sliding_window": windows, "experts": c.Experts, "experts_per_token": c.PerToken,
					"tied": c.Tied, "parameters": c.Parameters(), "weight_bytes": files.Bytes,
					"cache_bytes_per_token_float32": c.CacheBytesPerToken(engine.Float32), "cache_bytes_per_token_bfloat16": c.CacheBytesPerToken(engine.BFloat16),
				})
			}
			w := cmd.OutOrStdout()
			line := func(name, format string, arguments ...any) {
				fmt.Fprintf(w, "%-18s %s\n", name, fmt.Sprintf(format, arguments...))
			}
			line("model", "%s", args[0])
			line("family", "%s", c.Family)
			line("layers", "%d", c.Layers)
			line("width", "%d", c.Width)
			line("heads", "%d query, %d key/value, of %d", c.Heads.Query, c.Heads.KV, c.Heads.Size)
			if c.Experts > 0 {
				line("feed-forward", "%d, %d experts, %d per token", c.FF, c.Experts, c.PerToken)
			} else {
				line("feed-forward", "%d", c.FF)
			}
			tied := ""
			if c.Tied {
				tied = ", shared with the output"
			}
			line("vocabulary", "%d%s", c.Vocab, tied)
			line("context", "%d tokens", c.Context)
			line("rotation", "theta %g, scaling %s", c.Rope.Theta, c.Rope.Type)
			if windows > 0 {
				line("sliding window", "%d tokens", windows)
			}
			line("parameters", "%d", c.Parameters())
			line("weights", "%d bytes (%.2f GB)", files.Bytes, float64(files.Bytes)/1e9)
			line("cache per token", "%d bytes in float32, %d in bfloat16", c.CacheBytesPerToken(engine.Float32), c.CacheBytesPerToken(engine.BFloat16))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

var _ = models.Names // the families register themselves
