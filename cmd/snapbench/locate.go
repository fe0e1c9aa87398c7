package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/hub"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/models/embedded"
)

const (
	defaultModel = embedded.Name
	modelForms   = embedded.Name + " (ships inside), org/name[@revision] of the Hugging Face hub, a directory, a .gguf file, or shape:NAME (random weights)"
	shapePrefix  = "shape:"
)

// located is where a model lies and what it is called in results.
type located struct {
	name     string // as rows have it
	path     string // a directory or a .gguf file; empty for a shape
	revision string // commit, digest or shape
}

// locate finds what --model names. A model of the hub that is not in the cache
// is brought there.
func locate(ctx context.Context, name string, say func(string, ...any)) (located, error) {
	switch {
	case name == embedded.Name:
		path, err := extract()
		return located{name, path, "sha256:" + embedded.Digest()[:16]}, err
	case strings.HasPrefix(name, shapePrefix):
		return located{name: name, revision: name}, nil
	case isRepo(name):
		client, err := newHub()
		if err != nil {
			return located{}, err
		}
		client.Progress = reportBytes(say)
		repo, err := hub.ParseRepo(hub.Model, name)
		if err != nil {
			return located{}, usage(err)
		}
		snapshot, err := client.Ensure(ctx, repo, hub.ModelFiles...)
		return located{repo.ID, snapshot.Dir, snapshot.Commit}, err
	}
	if _, err := os.Stat(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return located{}, fmt.Errorf("model %q: there is no such file or directory: want %s", name, modelForms)
		}
		return located{}, err
	}
	sum, err := revision(name)
	// Where it lies plays no part; the digest says what it is.
	return located{filepath.Base(filepath.Clean(name)), name, sum}, err
}

// open opens the located model's files.
func (l located) open() (*models.Files, error) {
	if shape, ok := strings.CutPrefix(l.name, shapePrefix); ok && l.path == "" {
		files, err := models.OpenShape(shape)
		return files, usage(err)
	}
	return models.Open(l.path)
}

// extract puts the embedded model where it can be mapped: the user's cache, or a
// temporary folder where there is none to write to.
func extract() (string, error) {
	if cache, err := os.UserCacheDir(); err == nil {
		if path, err := embedded.Extract(filepath.Join(cache, "snapbench")); err == nil {
			return path, nil
		}
	}
	return embedded.Extract(filepath.Join(os.TempDir(), "snapbench"))
}

// isRepo tells org/name[@revision] from a path: nothing of that name lies here.
func isRepo(name string) bool {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err := hub.ParseRepo(hub.Model, name)
	return err == nil && strings.Count(name, "/") == 1 && !strings.HasPrefix(name, ".")
}

// revision is the digest of a file, or of a directory's files that decide an
// answer.
func revision(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return digest(path)
	}
	var names []string
	for _, pattern := range []string{"*.safetensors", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"} {
		found, err := filepath.Glob(filepath.Join(path, pattern))
		if err != nil {
			return "", err
		}
		names = append(names, found...)
	}
	return digest(names...)
}

func newHub() (*hub.Client, error) { return hub.FromEnv(os.Getenv) }

// reportBytes says every twentieth of a download.
func reportBytes(say func(string, ...any)) func(hub.Progress) {
	told := int64(-1)
	return func(p hub.Progress) {
		if p.Total == 0 {
			return
		}
		if step := 20 * p.AllDone / p.Total; step != told {
			told = step
			waiting := ""
			if p.Waiting {
				waiting = ", another process is downloading it"
			}
			say("downloading: %d %% of %.2f GB, %s%s", 5*step, float64(p.Total)/1e9, p.File, waiting)
		}
	}
}

// sayTo says lines to a writer.
func sayTo(w io.Writer) func(string, ...any) {
	return func(format string, arguments ...any) {
		fmt.Fprintln(w, results.Visible(fmt.Sprintf(format, arguments...)))
	}
}
