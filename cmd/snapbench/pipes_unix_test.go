//go:build unix

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A named pipe, or a link to a device, in place of a file is an error that names it. The
// program does not wait for its content.
func TestPipesAndDevicesAreNoInput(t *testing.T) {
	good := tinyModel(t)
	work := t.TempDir()
	prompts := filepath.Join(work, "prompts.jsonl")
	if err := writePrompts(prompts, 1); err != nil {
		t.Fatal(err)
	}
	pipe := func(t *testing.T, path string) {
		os.Remove(path)
		if err := syscall.Mkfifo(path, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	device := func(t *testing.T, path string) {
		os.Remove(path)
		if err := os.Symlink("/dev/zero", path); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string // of the file that is replaced
		what  string
		place func(*testing.T, string)
	}{
		{"tiny/model.safetensors", "a named pipe", pipe},
		{"tiny/model.safetensors", "a device", device},
		{"tiny/model.safetensors.index.json", "a named pipe", func(t *testing.T, path string) {
			os.Remove(strings.TrimSuffix(path, ".index.json"))
			pipe(t, path)
		}},
		{"tiny/config.json", "a named pipe", pipe},
		{"tiny/config.json", "a device", device},
		{"tiny/generation_config.json", "a named pipe", pipe},
		{"tiny/tokenizer.json", "a named pipe", pipe},
		{"tiny/tokenizer_config.json", "a named pipe", pipe},
		{"tiny/special_tokens_map.json", "a named pipe", pipe},
		{"tiny/chat_template.jinja", "a named pipe", pipe},
		{"tiny/chat_template.jinja", "a device", device},
		{"model.gguf", "a named pipe", pipe},
		{"model.gguf", "a device", device},
		{"prompts.jsonl", "a named pipe", pipe},
		{"sets/qasper.jsonl", "a named pipe", pipe},
		{"sets/qasper.jsonl.gz", "a device", device},
		{"sets/qasper.parquet", "a named pipe", pipe},
		{"sets/data.zip", "a named pipe", pipe},
		{"haystack/a.txt", "a named pipe", pipe},
		{"predictions/qasper.jsonl", "a named pipe", pipe},
		{"run/run.json", "a named pipe", pipe},
		{"run/journal.jsonl", "a named pipe", pipe},
		{"run/results.parquet", "a device", device},
	} {
		t.Run(strings.ReplaceAll(c.name, "/", " ")+", "+c.what, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			model := filepath.Join(dir, "tiny")
			if err := os.CopyFS(model, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			c.place(t, path)
			if strings.HasSuffix(c.name, ".gguf") {
				model = path
			}
			out := filepath.Join(dir, "out")
			var args []string
			switch folder, _, _ := strings.Cut(c.name, "/"); folder {
			case "prompts.jsonl":
				args = []string{"prompts", path, "--model", model, "--out", out}
			case "sets":
				args = []string{"longbench", "--data", filepath.Dir(path), "--tasks", "qasper", "--model", model, "--out", out}
			case "haystack":
				args = []string{"needle", "--haystack", filepath.Dir(path), "--lengths", "512", "--model", model, "--out", out}
			case "predictions":
				args = []string{"score", filepath.Dir(path)}
			case "run":
				args = []string{"results", "show", filepath.Dir(path)}
			default:
				args = []string{"prompts", prompts, "--model", model, "--out", out}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			command := exec.CommandContext(ctx, os.Args[0], args...)
			command.Env = append(os.Environ(), asCommand+"=1", "XDG_CACHE_HOME="+filepath.Join(dir, "cache"))
			text, err := command.CombinedOutput()
			if ctx.Err() != nil {
				t.Fatalf("%v: still waiting", args)
			}
			if code := command.ProcessState.ExitCode(); code != exitCannotRun && code != exitUsage || !strings.Contains(string(text), path+": "+c.what+", want a regular file") {
				t.Errorf("%v: %v, %q; want status 1 or 2 and %q", args, err, text, c.what)
			}
		})
	}
}
