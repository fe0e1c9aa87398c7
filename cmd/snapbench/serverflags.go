package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/console/commands"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/server"
	"github.com/snapbench/snapbench/runners/server/process"
	"github.com/snapbench/snapbench/runners/server/sweep"
)

// serverFlags say which servers are asked in place of a model of our own.
type serverFlags struct {
	url, serve, label  string
	set                []string
	keyFile, tokenizer string
	along              string
	plainKey, repeat   bool
	concurrency        int
	startup, silence   time.Duration
	names              []string // of the flags that only servers have
}

func (f *serverFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.url, "server", "", "ask a server that runs, by OpenAI's interface, such as http://localhost:8000/v1")
	s.StringVar(&f.serve, "serve", "", "start a server for each combination of --set, ask it, and end it: 'vllm serve M --port {port} --kv-cache-dtype {kv}'")
	s.StringArrayVar(&f.set, "set", nil, "with --serve: what takes the place {name}, as name=a,b,c; given several times, every combination")
	s.StringVar(&f.label, "label", "", "with --server or --serve: names what is asked, as in a comparison of two runs")
	s.IntVar(&f.concurrency, "concurrency", 1, "with a server: how many prompts it has at the same time")
	s.StringVar(&f.keyFile, "api-key-file", "", "with a server: file that holds its key (default: what "+server.KeyVariable+" holds, if anything)")
	s.BoolVar(&f.plainKey, "plain-http-key", false, "with a server: allow its key to cross a network unencrypted")
	s.StringVar(&f.tokenizer, "tokenizer-from", "", "with a server: its model's tokenizer and chat template: "+local.TextForms+" (default: the server's own, where it has /tokenize)")
	s.BoolVar(&f.repeat, "repeat", false, "with a server: ask everything twice, which shows the server's own noise")
	s.DurationVar(&f.startup, "startup", process.DefaultStartup, "with --serve: how long a server may take until it answers")
	s.DurationVar(&f.silence, "silence", server.DefaultSilence, "with a server: how long it may say nothing while it is asked")
	s.StringVar(&f.along, "along", "", "with a server and --fidelity: the run whose baseline's answers it is led along (default: the first server of this run)")
	f.names = []string{"along", "set", "label", "concurrency", "api-key-file", "plain-http-key", "tokenizer-from", "repeat", "startup", "silence"}
}

// asked says whether a server is to answer.
func (f *serverFlags) asked() bool { return f.url != "" || f.serve != "" }

// alone refuses what only servers have where none is asked.
func (f *serverFlags) alone(cmd *cobra.Command) error {
	for _, name := range append([]string{"server", "serve"}, f.names...) {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s is for servers: name one by --server URL, or start some by --serve 'COMMAND'", name)
		}
	}
	return nil
}

// refuse names the first flag given that a server has no use for.
func (f *serverFlags) refuse(cmd *cobra.Command) error {
	ours := []string{"device", "dtype", "rope", "tokenizer", "stage", "policies", "budgets", "bytes", "cache", "variants", "keep-positions", "evidence", "shard", "on"}
	for _, p := range compress.Flags() {
		ours = append(ours, p.Name)
	}
	for _, name := range ours {
		switch {
		case !cmd.Flags().Changed(name):
		case name == "shard" || name == "on":
			return fmt.Errorf("--%s is for our own engine: a server answers several prompts at the same time by --concurrency", name)
		case name == "keep-positions" || name == "evidence":
			return fmt.Errorf("--%s is for our own engine: a server does not tell what its cache holds", name)
		case name == "tokenizer":
			return errors.New("--tokenizer names a backend of our own engine: a server's prompts are counted by --tokenizer-from, or by the server")
		default:
			return fmt.Errorf("--%s is for our own engine: a server has its own, which goes into its command, as in --serve 'COMMAND --kv-cache-dtype {kv}' --set kv=auto,fp8", name)
		}
	}
	if f.concurrency < 1 {
		return fmt.Errorf("--concurrency %d: want 1 or more", f.concurrency)
	}
	if f.startup <= 0 || f.silence <= 0 {
		return fmt.Errorf("--startup %v, --silence %v: want a time above 0", f.startup, f.silence)
	}
	if f.serve == "" {
		for _, name := range []string{"set", "startup"} {
			if cmd.Flags().Changed(name) {
				return fmt.Errorf("--%s belongs to --serve: the server at %s runs already", name, f.url)
			}
		}
	}
	return nil
}

// axes reads --set.
func (f *serverFlags) axes() (axes []sweep.Axis, err error) {
	for _, text := range f.set {
		name, list, ok := strings.Cut(text, "=")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return nil, fmt.Errorf("--set %q: want name=a,b,c", text)
		}
		axes = append(axes, sweep.Axis{Place: name, Values: commands.Trimmed(compress.SplitOutside(list))})
	}
	return axes, nil
}

// sweep says which servers there are and how they are asked, from the flags alone.
func (f *serverFlags) sweep() (*sweep.Sweep, error) {
	axes, err := f.axes()
	if err != nil {
		return nil, err
	}
	s := &sweep.Sweep{Startup: f.startup, Along: f.along}
	if s.Settings, err = sweep.Combine(f.label, axes); err != nil {
		return nil, fmt.Errorf("--set: %w", err)
	}
	if f.serve != "" {
		if s.Command, err = sweep.Command(f.serve, axes, f.url); err != nil {
			return nil, fmt.Errorf("--serve: %w", err)
		}
	}
	s.Server = server.Options{
		URL: f.url, Label: f.label, PlainKey: f.plainKey, Concurrency: f.concurrency, Silence: f.silence, Repeat: f.repeat,
	}
	s.Server.Key, err = server.ReadKey(f.keyFile)
	return s, err
}
