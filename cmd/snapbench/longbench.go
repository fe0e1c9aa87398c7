package main

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/metrics/predictions"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/hub"
)

func newLongBench() *cobra.Command {
	var v variantFlags
	var m modelFlags
	var r runFlags
	var f struct {
		tasks                             []string
		data, protocol, codeSim, maxInput string
		jieba                             string
	}
	cmd := &cobra.Command{
		Use:   "longbench",
		Short: "The LongBench sets, prompted and graded as a published protocol does",
		Long: `longbench asks the questions of LongBench v1 under every variant and prints tasks ×
variants with the averages of the six categories and of the sixteen English and
code sets, 95 % intervals, and the drop against the full cache.

A protocol says how a row becomes a prompt: ` + strings.Join(datasets.ProtocolNames(), ", ") + `.
Where a protocol is named, its authors' own policy and budgets are the defaults.`,
		Example: `  snapbench datasets pull longbench
  snapbench longbench --model M --tasks all --budgets full,1024,2048,4096 --out runs/lb
  snapbench longbench --model M --tasks all --device cuda:all --out runs/cards
  snapbench longbench --model M --tasks trec,lcc --data DIR --limit 20 --protocol snapkv-repo --budgets full,512`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			protocol, err := datasets.OpenProtocol(f.protocol)
			if err != nil {
				return usage(err)
			}
			if cmd.Flags().Changed("protocol") {
				v.adopt(cmd, protocol.Policy, protocol.Budgets)
			}
			variants, err := v.list(cmd)
			if err != nil {
				return err
			}
			names, err := setNames(f.tasks)
			if err != nil {
				return usage(err)
			}
			options := datasets.Options{Data: f.data, Protocol: f.protocol, MaxNew: r.maxNew, Limit: r.limit}
			if f.maxInput != "" {
				if options.MaxLength, err = tokens(f.maxInput); err != nil {
					return usage(err)
				}
			}
			if f.jieba != "" {
				metrics.UseJieba(f.jieba)
			}
			if options.Data == "" {
				if options.Data, err = cachedLongBench(); err != nil {
					return err
				}
			}
			j := &job{command: "longbench", out: r.out, options: options, variants: variants, codeSim: f.codeSim,
				groups: longBenchGroups(), run: r, model: m, pictures: longBenchPictures}
			for _, name := range names {
				options.Metric = ""
				if set, ok := metrics.LongBenchByName(strings.TrimSuffix(name, "_e")); ok {
					primary, _, err := set.Scorers(f.codeSim)
					if err != nil {
						return usage(err)
					}
					if primary.Ready != nil {
						if err := primary.Ready(); err != nil {
							return fmt.Errorf("%s: %w", name, err)
						}
					}
					options.Metric = primary.Name
				}
				task, err := datasets.Open(name, options)
				if err != nil {
					return err
				}
				j.tasks = append(j.tasks, task)
			}
			if err := j.execute(cmd.Context(), cmd); err != nil || r.json {
				return err
			}
			return printLengths(cmd.OutOrStdout(), j.out)
		},
	}
	m.register(cmd)
	v.register(cmd)
	r.register(cmd)
	s := cmd.Flags()
	s.StringSliceVar(&f.tasks, "tasks", []string{"all"}, "sets: all (the 16 English and code sets), zh, e, or names")
	s.StringVar(&f.data, "data", "", "folder with SET.jsonl, .jsonl.gz or .parquet, or the archive (default: what datasets pull longbench brought)")
	s.StringVar(&f.protocol, "protocol", "longbench", "protocol: "+strings.Join(datasets.ProtocolNames(), ", "))
	s.StringVar(&f.maxInput, "max-length", "", "longest prompt in tokens, instead of the protocol's own number")
	s.StringVar(&f.codeSim, "code-sim", "", "similarity of the two code sets: levenshtein (default), difflib")
	s.StringVar(&f.jieba, "jieba", "", "for the Chinese sets: folder, wheel or archive of jieba 0.42.1 (default SNAPBENCH_JIEBA)")
	return cmd
}

// printLengths prints the scores of LongBench-E's sets by length of the row, as
// its authors report them.
func printLengths(w io.Writer, dir string) error {
	set, err := results.Read(dir)
	if err != nil {
		return err
	}
	type line struct{ task, variant string }
	var lines []line
	lengths, scores := map[line][]int{}, map[line][]float64{}
	for _, r := range set.Rows {
		if !strings.HasSuffix(r.Task, "_e") || r.Score == nil || r.Length == nil {
			continue
		}
		l := line{r.Task, r.Variant}
		if scores[l] == nil {
			lines = append(lines, l)
		}
		lengths[l], scores[l] = append(lengths[l], *r.Length), append(scores[l], *r.Score)
	}
	if len(lines) == 0 {
		return nil
	}
	fmt.Fprintf(w, "LongBench-E by length\n%-24s", "task")
	for _, label := range predictions.LongBenchE.Labels() {
		fmt.Fprintf(w, " %8s", label)
	}
	fmt.Fprintln(w, "  variant")
	for _, l := range lines {
		fmt.Fprintf(w, "%-24s", l.task)
		for _, b := range predictions.LongBenchE.Group(lengths[l], scores[l]) {
			fmt.Fprintf(w, " %8s", bucketScore(b))
		}
		fmt.Fprintln(w, "  "+l.variant)
	}
	return nil
}

// setNames resolves all, zh and e.
func setNames(asked []string) ([]string, error) {
	var names []string
	add := func(list ...string) {
		for _, n := range list {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	for _, a := range asked {
		switch a {
		case "all", "zh", "e":
			for _, n := range datasets.LongBenchSets() {
				set, _ := metrics.LongBenchByName(n)
				isE := strings.HasSuffix(n, "_e")
				if a == "e" && isE || a == "zh" && set.Chinese || a == "all" && !isE && !set.Chinese {
					add(n)
				}
			}
		default:
			if !slices.Contains(datasets.LongBenchSets(), a) {
				return nil, fmt.Errorf("unknown set %q: have all, zh, e, %s", a, strings.Join(datasets.LongBenchSets(), ", "))
			}
			add(a)
		}
	}
	return names, nil
}

// longBenchRepo is where the benchmark's authors publish it.
var longBenchRepo = hub.Repo{Kind: hub.Dataset, ID: "THUDM/LongBench"}

const longBenchArchive = "data.zip"

// cachedLongBench finds the archive that datasets pull longbench brought.
func cachedLongBench() (string, error) {
	client, err := newHub()
	if err != nil {
		return "", err
	}
	snapshot, err := client.Cached(longBenchRepo, longBenchArchive)
	if err != nil {
		return "", fmt.Errorf("%w; snapbench datasets pull longbench brings it, --data DIR names another place", err)
	}
	return filepath.Join(snapshot.Dir, longBenchArchive), nil
}
