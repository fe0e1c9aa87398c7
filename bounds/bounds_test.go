package bounds

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/goccy/go-yaml/parser"
)

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestUnpacked(t *testing.T) {
	defer SetUnpacked(0)
	for _, c := range []struct{ size, set, want int64 }{
		{0, 0, 64 << 20}, {600 << 10, 0, 64 << 20}, {1 << 20, 0, 100 << 20}, {21 << 20, 0, 1 << 30}, {1 << 62, 0, 1 << 30},
		{0, 7, 7}, {1 << 40, 5 << 30, 5 << 30},
	} {
		SetUnpacked(c.set)
		if got := Unpacked(c.size); got != c.want {
			t.Errorf("%d bytes, %d set: %d, want %d", c.size, c.set, got, c.want)
		}
	}
}

func TestBudget(t *testing.T) {
	defer SetUnpacked(0)
	SetUnpacked(10)
	b := Unpacking(3)
	text, err := io.ReadAll(b.Reader(strings.NewReader("12345678")))
	if err != nil || string(text) != "12345678" {
		t.Fatalf("%q, %v", text, err)
	}
	if err := b.Fits(2); err != nil {
		t.Error(err)
	}
	text, err = io.ReadAll(b.Reader(strings.NewReader("123")))
	var over *UnpackedError
	if !errors.As(err, &over) || over.Size != 3 || over.Limit != 10 || len(text) > 0 {
		t.Errorf("3 bytes where 2 are left: %q, %v", text, err)
	}
	for _, want := range []string{"3 bytes", "more than 10", "--max-unpacked 4GiB"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if b.Take(2) != nil || b.Take(1) == nil || b.Take(-1) == nil || b.Take(0) != nil {
		t.Error("the last two bytes, and no more")
	}
}

// zeros reads as n bytes without holding them.
type zeros struct{ n int64 }

func (z *zeros) Read(p []byte) (int, error) {
	if z.n == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), z.n)
	clear(p[:n])
	z.n -= n
	return int(n), nil
}

func TestReadLine(t *testing.T) {
	in := bufio.NewReaderSize(strings.NewReader("a\n\n"+strings.Repeat("b", 100)+"\nlast"), 16)
	for _, want := range []string{"a\n", "\n", strings.Repeat("b", 100) + "\n"} {
		if got, err := ReadLine(in); err != nil || string(got) != want {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
	if got, err := ReadLine(in); err != io.EOF || string(got) != "last" {
		t.Errorf("%q, %v", got, err)
	}
	n := allocated(func() {
		if _, err := ReadLine(bufio.NewReaderSize(&zeros{1 << 31}, 1<<16)); !errors.Is(err, ErrLongLine) {
			t.Errorf("a line of 2 GiB: %v", err)
		}
	})
	if n > 8*MaxLine {
		t.Errorf("a line of 2 GiB takes %d MB", n>>20)
	}
	got, err := ReadLine(bufio.NewReader(io.MultiReader(&zeros{MaxLine - 1}, strings.NewReader("\n"))))
	if err != nil || len(got) != MaxLine {
		t.Errorf("the longest line: %d bytes, %v", len(got), err)
	}
}

func TestCheckYAML(t *testing.T) {
	deepest := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	var long strings.Builder // keys that begin ever further to the right do not nest
	for i := range 100 {
		long.WriteString(strings.Repeat("k", i+1) + ": {a: 1, bb: [2, 3], ccc: 4}\n")
	}
	for _, text := range []string{"", "a: 1\nb:\n  - c\n  - {d: e, f: [1, 2]}\n", deepest, long.String(), "a: 'b [[[[ {{{{ - - -'\n# [[[[[[\n" + strings.Repeat("b", maxYAML/2), "a: 25%\nb: \"x & y * z\"\n"} {
		if err := CheckYAML([]byte(text)); err != nil {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	for want, text := range map[string]string{
		":2: lists and mappings more than 32 deep": "a: 1\nb: " + strings.Repeat("[", 50000),
		":1: lists and mappings more than 32":      "[" + deepest + "]",
		":1: lists":                                strings.Repeat("- ", 1000),
		":1: lists ":                               strings.Repeat("{a: ", 40),
		":1: lists a":                              strings.Repeat("? ", 1000),
		":1: lists an":                             strings.Repeat("a: ", 1000),
		":33: lists":                               indented(40),
		":3: \"&\": anchors":                       "a: 1\n\nb: &x [1]\nc: *x\n",
		":1: \"*\": anchors":                       "c: *x\n",
		":1: \"!!float\": anchors":                 "c: !!float 1\n",
		": longer than the 64 KiB":                 strings.Repeat("[", 100000),
	} {
		n := allocated(func() {
			if err := CheckYAML([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%.40q: %v, want %q", text, err, want)
			}
		})
		if n > 64<<20 {
			t.Errorf("%.40q takes %d MB", text, n>>20)
		}
	}
}

func indented(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestReadYAML(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.yaml")
	if err := os.WriteFile(path, []byte("a: [1]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadYAML(path); err != nil || string(b) != "a: [1]\n" {
		t.Errorf("%q, %v", b, err)
	}
	if err := os.WriteFile(path, bytes.Repeat([]byte("#"), 1<<20), 0o666); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadYAML(path); err != nil || len(b) != maxYAML+1 || CheckYAML(b) == nil {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if _, err := ReadYAML(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// FuzzCheckYAML parses what was found to be within bounds: that takes little memory.
func FuzzCheckYAML(f *testing.F) {
	for _, text := range []string{"a: 1\nb:\n  - c\n  - {d: e, f: [1, 2]}\n", "- - ? - [[{a: b}]]\n", "a: |\n  b\nc: \"d\"\n", "? a\n: b\n---\n...\n", indented(40)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := CheckYAML(text); err != nil {
			if !strings.HasPrefix(err.Error(), ":") {
				t.Fatalf("error %v does not follow a file's name", err)
			}
			return
		}
		n := allocated(func() {
			defer func() { _ = recover() }() // the parser's panics are its callers' affair
			_, _ = parser.ParseBytes(text, 0)
		})
		if n > 512<<20 {
			t.Fatalf("%d MB for %d bytes", n>>20, len(text))
		}
	})
}
