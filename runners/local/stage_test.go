package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/runners/weights"
)

// tinyFile makes a model in one file, as far as its digest is concerned.
func tinyFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tiny.gguf")
	if err := os.WriteFile(path, []byte(strings.Repeat("weights ", 200)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// shardedFolder is tinyFolder with its weights in two files whose names only the index says.
func shardedFolder(t *testing.T) string {
	t.Helper()
	dir := tinyFolder(t)
	var index strings.Builder
	index.WriteString(`{"metadata": {}, "weight_map": {`)
	for i, name := range []string{"a", "b"} {
		file := fmt.Sprintf("part-%s.safetensors", name)
		if err := weights.WriteSafetensors(filepath.Join(dir, file), []weights.Entry{weights.Float32Entry(name, []float32{1}, 1)}, nil); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			index.WriteString(", ")
		}
		fmt.Fprintf(&index, "%q: %q", name, file)
	}
	index.WriteString("}}")
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(index.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A staged model has the name and the revision of the original, and is read elsewhere.
func TestStagedIsTheSameModel(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for name, source := range map[string]string{"folder": tinyFolder(t), "shards": shardedFolder(t), "file": tinyFile(t)} {
		t.Run(name, func(t *testing.T) {
			plain, err := Locate(t.Context(), source, t.Logf)
			if err != nil {
				t.Fatal(err)
			}
			stage := filepath.Join(t.TempDir(), "made", "here")
			var said []string
			say := func(format string, a ...any) { said = append(said, fmt.Sprintf(format, a...)) }
			for _, what := range []string{"copied to", "read from its copy"} {
				said = nil
				staged, err := locate(t.Context(), source, stage, say)
				if err != nil {
					t.Fatal(err)
				}
				if staged.Name != plain.Name || staged.Revision != plain.Revision {
					t.Errorf("staged it is %s %s, where it lies %s %s", staged.Name, staged.Revision, plain.Name, plain.Revision)
				}
				if !strings.HasPrefix(staged.path, stage) {
					t.Errorf("it is read at %s, not below %s", staged.path, stage)
				}
				if len(said) != 1 || !strings.Contains(said[0], what) {
					t.Errorf("said %q, want %q", said, what)
				}
			}
		})
	}
}

// A copy that is not whole, or of what the model was before, is made anew.
func TestStagedAnew(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	weightsOf := func(l Located) string { return filepath.Join(l.path, "model.safetensors") }
	for name, damage := range map[string]func(source, copied string) error{
		"cut off": func(_, copied string) error { return os.Truncate(copied, 5) },
		"absent":  func(_, copied string) error { return os.Remove(copied) },
		"changed": func(_, copied string) error {
			return os.Chtimes(copied, time.Time{}, time.Now().Add(time.Hour))
		},
		"a link": func(source, copied string) error {
			return errors.Join(os.Remove(copied), os.Symlink(source, copied))
		},
		"source has more": func(source, _ string) error { return os.WriteFile(source, []byte("others"), 0o644) },
		"source is newer": func(source, _ string) error {
			return errors.Join(os.WriteFile(source, []byte(strings.Repeat("WEIGHTS ", 200)), 0o644), os.Chtimes(source, time.Time{}, time.Now().Add(time.Second)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder, stage := tinyFolder(t), t.TempDir()
			source := filepath.Join(folder, "model.safetensors")
			first, err := locate(t.Context(), folder, stage, t.Logf)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(source, weightsOf(first)); err != nil {
				t.Fatal(err)
			}
			again, err := locate(t.Context(), folder, stage, t.Logf)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(source)
			if err != nil {
				t.Fatal(err)
			}
			got, err := inputs.ReadFile(weightsOf(again))
			if err != nil || string(got) != string(want) {
				t.Errorf("%d bytes, %v; the source has %d", len(got), err, len(want))
			}
			if info, err := os.Lstat(weightsOf(again)); err != nil || !info.Mode().IsRegular() {
				t.Errorf("%v, %v", info, err)
			}
		})
	}
}

// What a killed process left half copied goes when the next one copies.
func TestStageSweeps(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	folder, stage := tinyFolder(t), t.TempDir()
	l, err := locate(t.Context(), folder, stage, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	half := l.path + ".copying-1"
	other := filepath.Join(stage, "another.copying-1")
	for _, dir := range []string{half, other} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(l.path); err != nil {
		t.Fatal(err)
	}
	if _, err := locate(t.Context(), folder, stage, t.Logf); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", half, err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("another model's: %v", err)
	}
}

const stagingProcess = "SNAPBENCH_TEST_STAGE"

// Several processes at the same time copy once.
func TestStageOnce(t *testing.T) {
	if stage := os.Getenv(stagingProcess); stage != "" {
		_, err := locate(t.Context(), os.Getenv(stagingProcess+"_MODEL"), stage, func(format string, a ...any) {
			fmt.Printf(format+"\n", a...)
		})
		if err != nil {
			t.Fatal(err)
		}
		return
	}
	model, stage := tinyFile(t), t.TempDir()
	if err := os.Truncate(model, 64<<20); err != nil { // long enough for the others to come
		t.Fatal(err)
	}
	var all sync.Mutex
	var wait sync.WaitGroup
	copied := 0
	for range 5 {
		wait.Go(func() {
			c := exec.Command(os.Args[0], "-test.run=^TestStageOnce$")
			c.Env = append(os.Environ(), stagingProcess+"="+stage, stagingProcess+"_MODEL="+model, "XDG_CACHE_HOME="+stage)
			out, err := c.CombinedOutput()
			all.Lock()
			defer all.Unlock()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			copied += strings.Count(string(out), "copied to")
		})
	}
	wait.Wait()
	if copied != 1 {
		t.Errorf("copied %d times", copied)
	}
}

// The model inside the program, and a shape, have nothing to copy.
func TestStageNothing(t *testing.T) {
	stage := filepath.Join(t.TempDir(), "stage")
	for _, name := range []string{DefaultModel, "shape:tiny"} {
		said := ""
		if _, err := locate(t.Context(), name, stage, func(format string, a ...any) { said += fmt.Sprintf(format, a...) }); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(said, "no files to copy") {
			t.Errorf("%s: said %q", name, said)
		}
		if _, err := os.Stat(stage); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %s: %v", name, stage, err)
		}
	}
}
