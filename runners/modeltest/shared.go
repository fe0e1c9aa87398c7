// Package modeltest holds a device, with the models built on it, against what
// the originals computed: the reference checkpoints (transformers and the
// authors' own SnapKV code) and a real small model.
//
// The data lie outside the repository: SNAPBENCH_SHARED names their folder,
// ../shared beside the repository where it is unset. Tests skip without it and
// take whatever cases they find.
package modeltest

import (
	"os"
	"path/filepath"
	"testing"
)

// Shared returns a path inside the folder of reference data, and skips the test
// where that is not there.
func Shared(t testing.TB, elements ...string) string {
	t.Helper()
	dir := os.Getenv("SNAPBENCH_SHARED")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared")
	}
	path := filepath.Join(append([]string{dir}, elements...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("reference data not here: %v (SNAPBENCH_SHARED names their folder)", err)
	}
	return path
}

// root walks up to go.mod; a test binary carried elsewhere has none above it,
// and then the working directory serves.
func root(t testing.TB) string {
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

// SmolLM2 returns the path of SmolLM2-135M-Instruct.Q4_1.gguf, which
// "make smollm2" brings, and skips the test where it is not there.
// SNAPBENCH_SMOLLM2 names another place.
func SmolLM2(t testing.TB) string {
	t.Helper()
	path := os.Getenv("SNAPBENCH_SMOLLM2")
	if path == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Skipf("no user cache: %v", err)
		}
		path = filepath.Join(cache, "snapbench", "SmolLM2-135M-Instruct.Q4_1.gguf")
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the model is not here: %v (make smollm2 brings it)", err)
	}
	return path
}
