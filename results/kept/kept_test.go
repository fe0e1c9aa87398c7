package kept

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func words(text string) []string { return strings.SplitAfter(text, " ") }

// batch is a prompt of n tokens, and a row for each id that keeps every third token in one head, the last in all three.
func batch(t testing.TB, n int, ids ...string) Batch {
	t.Helper()
	var tokens []string
	for i := range n {
		tokens = append(tokens, fmt.Sprintf("w%d ", i))
	}
	b := Batch{Prompt: NewPrompt(tokens, []string{"w3 w4 w5"}, []string{"w4"})}
	b.Key = b.Prompt.Key()
	var one []int32
	for i := 0; i < n; i += 3 {
		one = append(one, int32(i))
	}
	last := []int32{int32(n - 1)}
	if one[len(one)-1] != last[0] {
		one = append(one, last[0])
	}
	for _, id := range ids {
		r, err := RowOf(id, b.Key, [][][]int32{{one, last, last}, {last, last, one}}, n)
		if err != nil {
			t.Fatal(err)
		}
		b.Rows = append(b.Rows, r)
	}
	return b
}

func write(t testing.TB, dir string, list ...Batch) {
	t.Helper()
	w, err := NewWriter(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(list...); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// same holds what a folder has of rows to what was written.
func same(t testing.TB, x *Index, b Batch) {
	t.Helper()
	for _, want := range b.Rows {
		got, err := x.Row(want.ID)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("row %s: %v, %v, want %v", want.ID, got, err, want)
			continue
		}
		if p, err := x.Prompt(got); err != nil || !reflect.DeepEqual(p, b.Prompt) {
			t.Errorf("prompt of row %s: %v, %v, want %v", want.ID, p, err, b.Prompt)
		}
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	dir := t.TempDir()
	a, b := batch(t, 10, "a", "b"), batch(t, 17, "c")
	b.Prompt.Tokens[0] = "<script> & \u2028 \"\x00"
	b.Key = b.Prompt.Key()
	b.Rows[0].Prompt = b.Key
	write(t, dir, a, Batch{}, b)
	write(t, dir, batch(t, 10, "d")) // by a later process: its prompt is there twice
	x, err := Open(dir)
	if err != nil || x.Len() != 4 || !x.Has("a") || x.Has("e") {
		t.Fatalf("%+v, %v", x, err)
	}
	same(t, x, a)
	same(t, x, b)
	same(t, x, batch(t, 10, "d"))
	if _, err := x.Row("e"); err == nil {
		t.Error("a row that nobody wrote")
	}
	if x, err := Open(t.TempDir(), filepath.Join(dir, "results.parquet")); err != nil || x.Len() != 4 {
		t.Errorf("beside a parquet file: %+v, %v", x, err)
	}
}

// Counts of the layers are those of the positions.
func TestLayersCountHeads(t *testing.T) {
	r, err := RowOf("a", "p", [][][]int32{{{0, 1, 4}, {1, 4}}, {{}, {}}}, 5)
	want := []Layer{{2, []Run{{1, 1}, {1, 2}, {2, 0}, {1, 2}}}, {2, []Run{{5, 0}}}}
	if err != nil || !reflect.DeepEqual(r.Layers, want) {
		t.Errorf("%v, %v, want %v", r.Layers, err, want)
	}
	for _, bad := range []int32{-1, 5} {
		if _, err := RowOf("a", "p", [][][]int32{{{bad}}}, 5); err == nil {
			t.Errorf("position %d of 5", bad)
		}
	}
}

// A line torn at any byte is as if it had never been begun, and what follows is written after the last whole one.
func TestTornAtAnyByte(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, File)
	a, b := batch(t, 8, "a"), batch(t, 11, "b")
	write(t, dir, a)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, b)
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := len(whole); n < len(all); n++ {
		if err := os.WriteFile(path, all[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		x, err := Open(dir)
		if err != nil || x.Has("b") {
			t.Fatalf("torn at byte %d: %v, has b: %v", n, err, x.Has("b"))
		}
		same(t, x, a)
		write(t, dir, b)
		if x, err = Open(dir); err != nil {
			t.Fatal(err)
		}
		same(t, x, a)
		same(t, x, b)
	}
}

// A changed byte anywhere is an error that names file and line, or is not read.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, File)
	a := batch(t, 9, "a", "b")
	write(t, dir, a)
	all, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(all) - 1 {
		bad := slices.Clone(all)
		bad[n] ^= 1
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), path+":") {
			t.Fatalf("byte %d of %q: %v", n, all[max(n-5, 0):n+1], err)
		}
	}
	// With its prompt lost, a row says so.
	lines := strings.SplitAfter(string(all), "\n")
	if err := os.WriteFile(path, []byte(lines[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := x.Row("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Prompt(r); err == nil {
		t.Error("a prompt from nowhere")
	}
}

// Parts of a run lie where their attempts wrote them, also below a folder whose name is a pattern.
func TestPartsAreFound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs[1]*")
	for i, id := range []string{"a", "b"} {
		attempt := filepath.Join(dir, "parts", fmt.Sprintf("%d-of-2", i), "host-1")
		if err := os.MkdirAll(attempt, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, attempt, batch(t, 7+i, id))
	}
	write(t, dir, batch(t, 9, "c"))
	x, err := Open(dir)
	if err != nil || x.Len() != 3 {
		t.Fatalf("%+v, %v", x, err)
	}
	same(t, x, batch(t, 8, "b"))
	same(t, x, batch(t, 9, "c"))
}

func TestMarks(t *testing.T) {
	tokens := append(words("The number of Rome is 12"), "34 .", "", " Ask for 1234")
	p := NewPrompt(tokens, []string{"number of Rome is 1234"}, []string{"1234", "absent"})
	if fmt.Sprint(p.Needle, p.Answer) != "[[1 7]] [[5 7]]" {
		t.Errorf("needle %v, answer %v", p.Needle, p.Answer)
	}
	p = NewPrompt(words("yes and yes or no"), nil, []string{"yes", "no"})
	if fmt.Sprint(p.Needle, p.Answer) != "[] [[0 1] [2 3]]" {
		t.Errorf("needle %v, answer %v", p.Needle, p.Answer)
	}
}

// FuzzLine reads lines of strangers: an error, or what writes itself in the same way.
func FuzzLine(f *testing.F) {
	dir := f.TempDir()
	write(f, dir, batch(f, 9, "a", "b"))
	all, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.SplitSeq(string(all), "\n") {
		f.Add([]byte(line))
	}
	f.Add([]byte(`{"crc32":"00000000","row":null}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseLine(text)
		if err != nil || l.Row == nil {
			return
		}
		var r Row
		if strict(l.Row, &r) != nil {
			return
		}
		b, err := appendLine(nil, "row", r)
		if err != nil {
			t.Fatal(err)
		}
		l, err = parseLine(b)
		var again Row
		if err == nil {
			err = strict(l.Row, &again)
		}
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%+v, %v, want %+v", again, err, r)
		}
	})
}

// FuzzLayer reads layers of strangers: an error, or one that is written as it was.
func FuzzLayer(f *testing.F) {
	f.Add([]byte("BIAEBA=="))
	f.Add([]byte("BAoBEgAHAQkABwHqAgAHAQEABwEQAAIBAwICAQcCAQAFAwICAQADAwgEAgMgBA=="))
	f.Fuzz(func(t *testing.T, text []byte) {
		var l Layer
		if l.UnmarshalText(text) != nil {
			return
		}
		for _, r := range l.Runs {
			if r.Tokens < 1 || r.Heads < 0 || r.Heads > l.Heads {
				t.Fatalf("%+v", l)
			}
		}
		if again, err := l.MarshalText(); err != nil || strings.NewReplacer("\n", "", "\r", "").Replace(string(text)) != string(again) {
			t.Errorf("%q, %v, want %q", again, err, text)
		}
	})
}
