package local

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Whatever characters a model's path has, the digest is the same as that of equal files
// elsewhere, and changes with them.
func TestRevisionOfAnyPath(t *testing.T) {
	good := tinyFolder(t)
	want, err := revision(good)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"a[b", "a[b]", "a[^b]c", "{a,b}", "50%s", "$HOME", "a b", "-a", "~"}
	if runtime.GOOS != "windows" {
		names = append(names, "*", "a?", `a\b`, `a\[`)
	}
	for _, name := range names {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		if got, err := revision(dir); err != nil || got != want {
			t.Errorf("%q: %s, %v; elsewhere the same files are %s", name, got, err, want)
		}
		flipBit(t, filepath.Join(dir, "model.safetensors"))
		if got, err := revision(dir); err != nil || got == want {
			t.Errorf("%q: %s, %v, with other weights", name, got, err)
		}
		file := filepath.Join(dir, "model.safetensors")
		if _, err := revision(file); err != nil {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// Every file that decides an answer is part of the digest.
func TestRevisionIsOfAllThatDecides(t *testing.T) {
	dir := tinyFolder(t)
	if err := os.Rename(filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "first.bin")); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("other.bin", "another shard")
	write("model.safetensors.index.json", `{"weight_map": {"model.norm.weight": "first.bin"}}`)
	seen := map[string]string{}
	look := func(what string) {
		t.Helper()
		got, err := revision(dir)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if before, ok := seen[got]; ok {
			t.Errorf("%s: the digest is that of %s", what, before)
		}
		seen[got] = what
	}
	look("as it was")
	flipBit(t, filepath.Join(dir, "first.bin"))
	look("another bit in a shard")
	write("model.safetensors.index.json", `{"weight_map": {"model.norm.weight": "other.bin"}}`)
	look("another shard in the index")
	for _, name := range []string{
		"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja",
	} {
		write(name, `{"other": 1}`)
		look("another " + name)
	}
}

// There is no digest of no files.
func TestDigestOfNothing(t *testing.T) {
	if got, err := Digest(); err == nil {
		t.Errorf("of no files: %s", got)
	}
	dir := t.TempDir()
	for _, name := range []string{"config.json", "pytorch_model.bin"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := revision(dir); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), `it has "pytorch_model.bin"`) {
		t.Errorf("of a folder without weights: %s, %v", got, err)
	}
}

// remembering makes a large file whose digest is remembered in a cache of the test's own. It
// returns the file, the file that remembers, and the digest.
func remembering(t *testing.T) (path, memo, sum string) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("nothing is remembered on this system")
	}
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	usual := settled
	settled = 0
	t.Cleanup(func() { settled = usual })
	path = filepath.Join(t.TempDir(), "weights")
	if err := os.WriteFile(path, make([]byte, 5<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	sum, err := fileDigest(path)
	if err != nil {
		t.Fatal(err)
	}
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadDir(filepath.Join(base, "snapbench", "digests"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("%d digests are remembered, %v", len(kept), err)
	}
	return path, filepath.Join(base, "snapbench", "digests", kept[0].Name()), sum
}

// editMemo changes the file that remembers a digest.
func editMemo(t *testing.T, memo string, change func(*remembered)) {
	t.Helper()
	data, err := os.ReadFile(memo)
	if err != nil {
		t.Fatal(err)
	}
	var r remembered
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	change(&r)
	if data, err = json.Marshal(r); err == nil {
		err = os.WriteFile(memo, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// An unchanged file is not read again.
func TestDigestIsRemembered(t *testing.T) {
	path, memo, _ := remembering(t)
	other := strings.Repeat("1", 64)
	editMemo(t, memo, func(r *remembered) { r.SHA256 = other })
	if got, err := fileDigest(path); err != nil || got != other {
		t.Errorf("%s, %v: what was remembered is not used", got, err)
	}
}

// Weights that changed get another digest although size and time of modification are the
// same: when changed in place, when replaced, and on a file system that makes up inodes and
// times.
func TestDigestOfWeightsInDisguise(t *testing.T) {
	disguise := func(t *testing.T, path string, change func()) {
		t.Helper()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		change()
		if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
		now, err := os.Stat(path)
		if err != nil || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime()) {
			t.Fatalf("the disguise fails: %v", err)
		}
	}
	differs := func(t *testing.T, path, sum string) {
		t.Helper()
		if got, err := fileDigest(path); err != nil || got == sum {
			t.Errorf("%s, %v: the digest of the weights before", got, err)
		}
	}
	t.Run("in place", func(t *testing.T) {
		path, _, sum := remembering(t)
		had, tick := stampOfPath(t, path).Changed, filepath.Join(t.TempDir(), "tick")
		for now := had; now <= had; { // the file system's clock
			time.Sleep(time.Millisecond)
			if err := os.WriteFile(tick, []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
			now = stampOfPath(t, tick).Changed
		}
		disguise(t, path, func() { flipBit(t, path) })
		differs(t, path, sum)
	})
	t.Run("replaced", func(t *testing.T) {
		path, memo, sum := remembering(t)
		disguise(t, path, func() {
			other := path + ".new"
			data, err := os.ReadFile(path)
			if err == nil {
				err = os.WriteFile(other, data, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			flipBit(t, other)
			if err := os.Rename(other, path); err != nil {
				t.Fatal(err)
			}
		})
		editMemo(t, memo, func(r *remembered) { r.Changed = stampOfPath(t, path).Changed })
		differs(t, path, sum)
	})
	t.Run("made-up times", func(t *testing.T) {
		path, memo, sum := remembering(t)
		data := bytes.Repeat([]byte{1}, 5<<20)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		editMemo(t, memo, func(r *remembered) {
			sample := r.Sample
			r.stamp = stampOfPath(t, path)
			r.Sample = sample
		})
		differs(t, path, sum)
	})
	t.Run("as it was remembered before", func(t *testing.T) {
		path, memo, sum := remembering(t)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		old, err := json.Marshal(map[string]any{"size": info.Size(), "changed": info.ModTime().UnixNano(), "sha256": strings.Repeat("1", 64)})
		if err == nil {
			err = os.WriteFile(memo, old, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := fileDigest(path); err != nil || got != sum {
			t.Errorf("%s, %v", got, err)
		}
	})
}

// A file that was changed just now is not remembered, since another change could get the
// same time.
func TestDigestOfAFreshFileIsNotRemembered(t *testing.T) {
	path, memo, _ := remembering(t)
	settled = time.Hour
	if err := os.Remove(memo); err != nil {
		t.Fatal(err)
	}
	if _, err := fileDigest(path); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(memo); !os.IsNotExist(err) {
		t.Errorf("%s: %v", memo, err)
	}
}

// The sample includes the first block and the last, whatever the size of the file.
func TestSample(t *testing.T) {
	for _, size := range []int64{0, 1, sampleBlock, sampleBlock + 1, 3*sampleBlock + 7, 1<<20 + 1} {
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
		plain := stampOfPath(t, path).Sample
		for _, at := range []int64{0, size - 1} {
			if size == 0 {
				continue
			}
			data := make([]byte, size)
			data[at] = 1
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			if s := stampOfPath(t, path); s.Inode != 0 && s.Sample == plain {
				t.Errorf("%d bytes: byte %d is not in the sample", size, at)
			}
		}
	}
}

func stampOfPath(t *testing.T, path string) stamp {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, _, err := stampOf(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// flipBit changes one bit in the middle of a file, which no sample includes.
func flipBit(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	at, b := info.Size()/2, make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// tinyFolder makes a folder with the files of a model that its digest includes.
func tinyFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"config.json": `{"model_type": "llama"}`, "tokenizer.json": "{}", "model.safetensors": strings.Repeat("weights ", 200)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
