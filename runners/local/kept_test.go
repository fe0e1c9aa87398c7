package local

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A .gguf file in the user's cache is listed and found by its name; one of that name in the
// current folder has priority.
func TestKeptModels(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(home, "xdg"))
	t.Setenv("LocalAppData", filepath.Join(home, "xdg"))
	t.Chdir(t.TempDir())
	if list, err := KeptModels(); err != nil || len(list) != 0 {
		t.Fatalf("without folders: %v, %v", list, err)
	}
	for _, path := range []string{filepath.Join("xdg", "snapbench", "one.gguf"), filepath.Join(".cache", "snapbench", "two.gguf"), filepath.Join(".cache", "snapbench", "note.txt")} {
		path = filepath.Join(home, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("12345"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(home, ".cache", "snapbench", "folder.gguf"), 0o777); err != nil {
		t.Fatal(err)
	}
	list, err := KeptModels()
	if err != nil || len(list) < 1 || list[len(list)-1].Model != "two.gguf" || list[0].Bytes != 5 {
		t.Fatalf("%+v, %v", list, err)
	}
	at, err := Locate(t.Context(), "two.gguf", t.Logf)
	if err != nil || at.path != filepath.Join(home, ".cache", "snapbench", "two.gguf") || at.Name != "two.gguf" || !strings.HasPrefix(at.Revision, "sha256:") {
		t.Errorf("%+v, %v", at, err)
	}
	// A tokenizer is found in the file of the same name, or the name that was meant is offered.
	if _, err := OpenText(t.Context(), "two.gguf", t.Logf); err == nil || strings.Contains(err.Error(), "no such file") {
		t.Errorf("a tokenizer in five bytes: %v", err)
	}
	if _, err := OpenText(t.Context(), "tow.gguf", t.Logf); err == nil || !strings.Contains(err.Error(), "did you mean two.gguf?") {
		t.Error(err)
	}
	if _, err := Locate(t.Context(), "three.gguf", t.Logf); err == nil || !strings.Contains(err.Error(), `model "three.gguf": there is no such file`) {
		t.Error(err)
	}
	if err := os.WriteFile("two.gguf", []byte("another"), 0o666); err != nil {
		t.Fatal(err)
	}
	if here, err := Locate(t.Context(), "two.gguf", t.Logf); err != nil || here.path != "two.gguf" || here.Revision == at.Revision {
		t.Errorf("one of that name here: %+v, %v", here, err)
	}
	var out bytes.Buffer
	if err := (&Models{Kept: list}).Print(&out); err != nil || !strings.Contains(out.String(), "two.gguf") {
		t.Errorf("%s, %v", out.String(), err)
	}
}
