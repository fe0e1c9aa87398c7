package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
)

func newLongBench() *cobra.Command {
	var a asking
	var sets []string
	cmd := &cobra.Command{
		Use:   "longbench",
		Short: "The LongBench sets, prompted and graded as a published protocol does",
		Long: `longbench asks the questions of LongBench v1 under every variant and prints tasks ×
variants with the averages of the six categories and of the sixteen English and
code sets, 95 % intervals, and the drop against the full cache.

A protocol says how a row becomes a prompt: ` + strings.Join(datasets.ProtocolNames(), ", ") + `.
Where a protocol is named, its authors' own policy and budgets are the defaults.`,
		Example: `  snapbench datasets pull longbench
  snapbench longbench --model org/name --tasks all --budgets full,1024,2048,4096 --out runs/lb
  snapbench longbench --model org/name --tasks all --device cuda:all --out runs/cards
  snapbench longbench --model org/name --tasks trec,lcc --data DIR --limit 20 --protocol snapkv-repo --budgets full,512
  snapbench longbench --server http://localhost:8001/v1 --label fp8 --tasks all --concurrency 16 --out runs/fp8`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if asked := a.options["protocol"].values(); len(asked) == 1 {
				protocol, err := datasets.OpenProtocol(asked[0])
				if err != nil {
					return usage(err)
				}
				a.variants.adopt(cmd, protocol.Policy, protocol.Budgets)
			}
			names, err := datasets.ExpandSets(sets)
			if err != nil {
				return usage(err)
			}
			return a.ask(cmd, "longbench", names, "")
		},
	}
	a.register(cmd, "longbench")
	cmd.Flags().StringSliceVar(&sets, "tasks", []string{"all"}, "sets: all (the 16 English and code sets), zh, e, or names")
	return cmd
}
