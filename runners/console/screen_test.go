package console

import (
	"bytes"
	"encoding/json"
	"testing"
)

// A screen shows characters that would control a terminal as text, however the text is cut
// into writes.
func TestScreen(t *testing.T) {
	const in = "é \x1b[2J\u009b1m\u202e\xff 漢字 👩\n\tend\xe6\xbc"
	const want = "é \\x1b[2J\\u009b1m\\u202e\\xff 漢字 👩\n\tend\\xe6\\xbc"
	for size := 1; size <= len(in); size++ {
		var b bytes.Buffer
		s := NewScreen(&b)
		for rest := []byte(in); len(rest) > 0; {
			n, err := s.Write(rest[:min(size, len(rest))])
			if err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Fatalf("in pieces of %d: %q, want %q", size, b.String(), want)
		}
	}
	// JSON keeps its meaning.
	const valid = "\x1b\a\x7f\u009b\u202e\u2028漢\n"
	var b bytes.Buffer
	var got string
	if err := json.NewEncoder(NewScreen(&b)).Encode(valid); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got != valid {
		t.Errorf("%q came back as %q, %v", valid, got, err)
	}
}

// COLUMNS says how wide tables are, also in a pipe. What is no width is not obeyed.
func TestWidth(t *testing.T) {
	for columns, want := range map[string]int{"80": 80, "20": 20, "1000": 1000, "": 100, "0": 100, "-80": 100, "eighty": 100} {
		t.Setenv("COLUMNS", columns)
		if got := Width(NewScreen(new(bytes.Buffer))); got != want {
			t.Errorf("COLUMNS=%q: %d, want %d", columns, got, want)
		}
	}
}
