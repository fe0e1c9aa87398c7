package main

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/local"
)

func newDoctor() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "What this machine can do, and what is missing",
		Example: "  snapbench doctor\n  snapbench doctor --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d, err := cpu.New()
			if err != nil {
				return err
			}
			defer d.Close()
			gpu := cuda.Probe()
			cache := "none"
			client, err := local.Hub()
			if err == nil {
				cache = client.Cache
			}
			w := cmd.OutOrStdout()
			if asJSON {
				return json.NewEncoder(w).Encode(map[string]any{
					"version": version(), "os": runtime.GOOS, "arch": runtime.GOARCH, "cpu": d.Describe(), "memory_free": d.Memory().Free,
					"cuda": gpu, "hub_cache": cache,
				})
			}
			fmt.Fprintf(w, "snapbench  %s, %s, %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			fmt.Fprintf(w, "cpu        %s, %.1f GiB free\n", d.Describe(), float64(d.Memory().Free)/(1<<30))
			if gpu.Driver != "" {
				fmt.Fprintf(w, "driver     CUDA %s\n", gpu.Driver)
			}
			for i, c := range gpu.Cards {
				fmt.Fprintf(w, "cuda:%d     %s\n", i, c)
			}
			if gpu.Cublas != "" {
				fmt.Fprintf(w, "cuBLAS     %s\n", gpu.Cublas)
			}
			if len(gpu.Cards) > 1 {
				fmt.Fprintln(w, "cards      --device cuda:0,cuda:1 spreads samples over them, cuda:all over every one")
			}
			for _, m := range gpu.Missing {
				fmt.Fprintf(w, "missing    for --device cuda: %s\n", m)
			}
			fmt.Fprintf(w, "hub cache  %s\n", cache)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
