package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/bounds"
)

// The limit on unpacking holds for every command, and so does the flag that sets it.
func TestMaxUnpacked(t *testing.T) {
	defer bounds.SetUnpacked(0)
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "qasper.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	row := `{"pred": "` + strings.Repeat("a ", 512<<10) + `", "answers": ["a"], "all_classes": null, "length": 1}` + "\n"
	for range 65 {
		if _, err := z.Write([]byte(row)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"score", dir}, exitCannotRun, "qasper.jsonl.gz:64: its "},
		{[]string{"score", dir, "--max-unpacked", "1MiB"}, exitCannotRun, "unpack to more than 1048576, "},
		{[]string{"--max-unpacked", "1MiB", "datasets", "list", "--data", dir}, exitCannotRun, "unpack to more than 1048576, "},
		{[]string{"run", "ci", "--max-unpacked", "many"}, exitUsage, "want a size, such as 4GiB"},
		{[]string{"score", dir, "--max-unpacked", "2"}, exitUsage, "want a size, such as 4GiB"},
		{[]string{"score", dir, "--max-unpacked", "80MiB"}, exitPass, ""},
	} {
		var out, errs bytes.Buffer
		if code := run(c.args, &out, &errs); code != c.code || !strings.Contains(errs.String(), c.want) {
			t.Errorf("%q: status %d, %s; want %d and %q", c.args, code, errs.String(), c.code, c.want)
		}
	}
}
