// Package sharedtest finds, for tests alone, the reference data that lie beside
// the repository and are not part of it.
package sharedtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Path returns the path of a file or folder of the reference data and skips the
// test where it is absent. The environment variable SNAPBENCH_SHARED says where
// the data are; by default they lie in ../shared, seen from the repository.
func Path(t *testing.T, elem ...string) string {
	t.Helper()
	dir := os.Getenv("SNAPBENCH_SHARED")
	if dir == "" {
		root, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
				break
			}
			if root == filepath.Dir(root) {
				t.Fatal("no go.mod above the test")
			}
			root = filepath.Dir(root)
		}
		dir = filepath.Join(root, "..", "shared")
	}
	path := filepath.Join(append([]string{dir}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the reference data are not there (SNAPBENCH_SHARED says where): %v", err)
	}
	return path
}

// JSON reads a JSON file into value.
func JSON(t *testing.T, path string, value any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, value); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}
