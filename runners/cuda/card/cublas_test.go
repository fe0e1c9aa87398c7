package card

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What a variable names is a folder, whatever characters it has; the pattern is
// what follows.
func TestCublasInAnyFolder(t *testing.T) {
	t.Setenv(cublasVariable, "")
	for _, c := range []struct{ variable, below string }{
		{"CUDA_HOME", "lib64"},
		{"VIRTUAL_ENV", "lib/python3.12/site-packages/nvidia/cublas/lib"},
	} {
		root := filepath.Join(t.TempDir(), "cuda[12")
		file := filepath.Join(root, filepath.FromSlash(c.below), cublasNames[1])
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Setenv(c.variable, root)
		if found := cublasCandidates(); !slices.Contains(found, file) {
			t.Errorf("%s=%s: %q is not among %q", c.variable, root, file, found)
		}
	}
}
