// Package sharedtest finds, for tests alone, what is not part of the repository:
// the reference data beside it, and the real small model.
package sharedtest

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Path returns a path inside the folder of reference data and skips the test
// where it is absent. SNAPBENCH_SHARED names the folder; by default it is
// ../shared, seen from the repository (from the working directory, where a test
// binary runs outside of it).
func Path(t testing.TB, elements ...string) string {
	t.Helper()
	dir := os.Getenv("SNAPBENCH_SHARED")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared")
	}
	path := filepath.Join(append([]string{dir}, elements...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the reference data are not there: %v (SNAPBENCH_SHARED names their folder)", err)
	}
	return path
}

// Glob returns the paths inside a folder of the reference data that match a
// pattern (path.Match's), at least one. The folder's own name is no part of the
// pattern.
func Glob(t testing.TB, folder, pattern string) []string {
	t.Helper()
	dir := Path(t, folder)
	found, err := fs.Glob(os.DirFS(dir), pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("nothing in %s is like %s (%v)", dir, pattern, err)
	}
	for i, name := range found {
		found[i] = filepath.Join(dir, filepath.FromSlash(name))
	}
	return found
}

func root(t testing.TB) string {
	t.Helper()
	start, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return start
		}
	}
}

// JSON reads a JSON file into value.
func JSON(t testing.TB, path string, value any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// SmolLM2 returns the path of SmolLM2-135M-Instruct.Q4_1.gguf, which "make
// smollm2" brings into the user's cache, and skips the test where it is absent.
// SNAPBENCH_SMOLLM2 names another place.
func SmolLM2(t testing.TB) string {
	t.Helper()
	return realModel(t, "SNAPBENCH_SMOLLM2", "SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2")
}

// Gemma3 is the same of gemma-3-270m-q4_k_m.gguf, "make gemma3" and SNAPBENCH_GEMMA3.
func Gemma3(t testing.TB) string {
	t.Helper()
	return realModel(t, "SNAPBENCH_GEMMA3", "gemma-3-270m-q4_k_m.gguf", "gemma3")
}

func realModel(t testing.TB, variable, name, target string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skipf("no user cache: %v", err)
		}
		path = filepath.Join(cache, "snapbench", name)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the real model is not here: %v (make %s brings it)", err, target)
	}
	return path
}
