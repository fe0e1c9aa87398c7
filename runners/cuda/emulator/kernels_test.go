package emulator

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// source is the text of a file of kernels as it is loaded on compute capability 9.0.
func source(t testing.TB, name string) string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "kernels", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(b), "//sm_90 ", "")
}

// Every instruction of every kernel is known.
func TestEveryKernelDecodes(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "kernels", "*.ptx.gz"))
	if err != nil || len(files) == 0 {
		t.Fatal("no kernels", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".gz")
		m, err := Parse(source(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(m.kernels) == 0 {
			t.Errorf("%s: no kernels", name)
		}
		for _, k := range m.kernels {
			for _, i := range k.code {
				err, bad := i.f.(error)
				if !bad {
					continue
				}
				t.Errorf("%s: %s: line %d: %q: %v", name, k.name, i.line, i.text, err)
				break
			}
		}
	}
}
