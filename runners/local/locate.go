package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/hub"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/models/embedded"
	"github.com/snapbench/snapbench/runners/weights"
)

const (
	// DefaultModel is the model inside the program.
	DefaultModel = embedded.Name
	// ModelForms lists for help and errors how a model can be named.
	ModelForms  = embedded.Name + " (ships inside), org/name[@revision] of the Hugging Face hub, a directory, a .gguf file (also by its name, where models list shows it), or shape:NAME (random weights)"
	shapePrefix = "shape:"
)

// Located is a model that was found.
type Located struct {
	Name     string // in rows
	Revision string // commit, digest, or the shape
	path     string // a directory or a .gguf file; empty for a shape
}

// Locate finds a model by one of [ModelForms]. One of the hub that is not in the cache is
// pulled; say is told how far that is.
func Locate(ctx context.Context, name string, say func(string, ...any)) (Located, error) {
	return locate(ctx, name, "", say)
}

// locate finds a model, and copies its files to the folder stage unless that is empty. What
// the model is called does not change by that: a digest or checksums are of the files that
// are read, so of the copy.
func locate(ctx context.Context, name, stage string, say func(string, ...any)) (Located, error) {
	if stage != "" && (name == embedded.Name || strings.HasPrefix(name, shapePrefix)) {
		say("--stage %s: model %s has no files to copy", stage, name)
	}
	switch {
	case name == embedded.Name:
		path, err := extract()
		return Located{name, "sha256:" + embedded.Digest()[:16], path}, err
	case strings.HasPrefix(name, shapePrefix):
		return Located{Name: name, Revision: name}, nil
	case isRepo(name):
		client, err := Hub()
		if err != nil {
			return Located{}, err
		}
		client.Progress = ReportBytes(say)
		repo, err := hub.ParseRepo(hub.Model, name)
		if err != nil {
			return Located{}, runners.Mistake(err)
		}
		snapshot, err := ensureModel(ctx, client, repo)
		if err != nil {
			return Located{}, err
		}
		if stage != "" {
			s := staging{stage, repo.ID, say}
			if snapshot.Dir, err = s.copyOnce(ctx, fmt.Sprintf("%s@%s", repo.ID, snapshot.Commit), snapshot.Dir, snapshot.Files); err != nil {
				return Located{}, err
			}
		}
		return Located{repo.ID, snapshot.Commit, snapshot.Dir}, verify(repo, snapshot, stage != "")
	}
	if path, ok := kept(name); ok {
		name = path
	}
	if _, err := os.Stat(name); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return Located{}, fmt.Errorf("model %q: there is no such file or directory: %swant %s", name, lookup.Offer(name, shownNames()), ModelForms)
		}
		return Located{}, err
	}
	if err := models.Unsupported(name); err != nil {
		return Located{}, err // before the weights are read for their digest, or copied
	}
	// The name leaves out the path: the digest says what the model is.
	base, path := filepath.Base(filepath.Clean(name)), name
	if stage != "" {
		var err error
		if path, err = (staging{stage, base, say}).stageModel(ctx, name); err != nil {
			return Located{}, err
		}
	}
	sum, err := revision(path)
	return Located{base, sum, path}, err
}

// ensureModel brings a model's files, its configuration before its weights: those of a family that is not supported stay where
// they are.
func ensureModel(ctx context.Context, client *hub.Client, repo hub.Repo) (hub.Snapshot, error) {
	texts, err := client.Ensure(ctx, repo, hub.TextFiles...)
	if err != nil {
		return hub.Snapshot{}, err
	}
	if err := models.Unsupported(texts.Dir); err != nil {
		return hub.Snapshot{}, err
	}
	return client.Ensure(ctx, repo, hub.ModelFiles...)
}

// Open opens the located model's files.
func (l Located) Open() (*models.Files, error) {
	if shape, ok := strings.CutPrefix(l.Name, shapePrefix); ok && l.path == "" {
		files, err := models.OpenShape(shape)
		return files, runners.Mistake(err)
	}
	return models.Open(l.path)
}

// extract writes the embedded model to a file, so that it can be mapped: in the user's
// cache, or in the temporary folder where that cannot be written.
func extract() (string, error) {
	if cache, err := os.UserCacheDir(); err == nil {
		if path, err := embedded.Extract(filepath.Join(cache, "snapbench")); err == nil {
			return path, nil
		}
	}
	return embedded.Extract(filepath.Join(os.TempDir(), "snapbench"))
}

// isRepo says whether a name is org/name[@revision] of the hub and no path that exists.
func isRepo(name string) bool {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err := hub.ParseRepo(hub.Model, name)
	return err == nil && strings.Count(name, "/") == 1 && !strings.HasPrefix(name, ".")
}

// decisive are the files of a model's directory that decide an answer, the weights
// excepted.
var decisive = []string{
	"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json",
}

// revision is the digest of a file, or of those files of a directory that decide an answer.
func revision(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return Digest(path)
	}
	names, err := weights.DirFiles(path)
	if err != nil {
		return "", err
	}
	texts, err := decisiveIn(path)
	if err != nil {
		return "", err
	}
	return Digest(append(names, texts...)...)
}

// decisiveIn lists those of the decisive files that a directory has.
func decisiveIn(dir string) (names []string, err error) {
	for _, name := range decisive {
		name = filepath.Join(dir, name)
		if _, err := os.Stat(name); err == nil {
			names = append(names, name)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return names, nil
}

// Hub returns the client of the Hugging Face hub that the environment describes.
func Hub() (*hub.Client, error) { return hub.FromEnv(os.Getenv) }

// ReportBytes returns a function that reports a download, each time another twentieth is
// done.
func ReportBytes(say func(string, ...any)) func(hub.Progress) {
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

// SayTo returns a function that prints lines to a writer.
func SayTo(w io.Writer) func(string, ...any) {
	return func(format string, arguments ...any) {
		fmt.Fprintln(w, results.Visible(fmt.Sprintf(format, arguments...)))
	}
}

// verify checks that the weights in the cache, or in the copy of it that is staged, are
// those of their commit, which rows will name.
func verify(repo hub.Repo, snapshot hub.Snapshot, staged bool) error {
	for _, name := range snapshot.Files {
		want, known := snapshot.SHA256[name]
		if !known {
			continue
		}
		got, err := fileDigest(snapshot.Path(name))
		if err != nil {
			return err
		}
		if got != want {
			remedy := fmt.Sprintf("snapbench models pull %s brings it again", repo)
			if staged {
				remedy += ", and without " + snapshot.Dir + " it is copied again"
			}
			return fmt.Errorf("%s is not what commit %s of %s holds (SHA-256 %s, should be %s): %s",
				snapshot.Path(name), snapshot.Commit, repo.ID, got, want, remedy)
		}
	}
	return nil
}

// SayReplaced prints which files in the cache differed from the hub's and were replaced.
// Earlier runs with those files were runs of another model.
func SayReplaced(w io.Writer, snapshot hub.Snapshot) {
	for _, name := range snapshot.Replaced {
		fmt.Fprintf(w, "%s was in the cache with another content than the hub's, and was replaced\n", name)
	}
}
