//go:build unix

package metrics

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program writes a shell script and returns its path.
func program(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "grade")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// A program is given the row and its score is taken; what it does wrong is an error that
// names it.
func TestCommand(t *testing.T) {
	usual := patience
	t.Cleanup(func() { patience = usual })
	for _, c := range []struct {
		text string
		want float64
		err  string
	}{
		{text: "echo 0.25", want: 0.25},
		{text: `echo '{"score": 1}'`, want: 1},
		{text: `read -r line; test "$line" = '{"version":1,"sample":"7","prompt":"p","prediction":"a\"b","answers":["x","y"]}' && echo 1`, want: 1},
		{text: `cat >/dev/null; echo 0`, want: 0},
		{text: `echo '{"error": "no such city"}'`, err: "no such city"},
		{text: "true", err: "it printed nothing"},
		{text: "echo yes", err: `it printed "yes": want a number from 0 to 1`},
		{text: "echo 1.5", err: `it printed "1.5": want a number`},
		{text: "echo nan", err: `it printed "nan": want a number`},
		{text: `echo '{"value": 1}'`, err: `want {"score": …}`},
		{text: "echo 1; echo 1", err: "it printed 2 lines for one row"},
		{text: "echo broken >&2; exit 3", err: "exit status 3: broken"},
		{text: "yes", err: "no score within"},
		{text: "head -c 100000 /dev/zero | tr '\\0' a", err: "more than 65536 bytes for one row"},
		{text: "sleep 1000 & sleep 1000", err: "no score within 300ms"},
	} {
		patience = usual
		if strings.Contains(c.text, "sleep") || c.text == "yes" {
			patience = 300 * time.Millisecond
		}
		path := program(t, c.text)
		s, err := Open("command:" + path)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		got, err := s.Score(`a"b`, Reference{Answers: []string{"x", "y"}, Sample: "7", Prompt: "p"})
		if c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%s: %v, %v; want %v", c.text, got, err, c.want)
		}
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %v, %v; want an error with %q and the program's path", c.text, got, err, c.err)
		}
		if took := time.Since(began); took > 5*time.Minute {
			t.Errorf("%s: it took %v", c.text, took)
		}
	}
}

// A program that somebody kills is started again, once, and its score counts; one that ends by a fault of its own is not.
func TestCommandKilled(t *testing.T) {
	for _, c := range []struct {
		end    string
		starts int
	}{
		{"kill -TERM $$", 2}, {"kill -KILL $$", 2}, {"exit 143", 2}, {"exit 130", 2},
		{"kill -SEGV $$", 1}, {"exit 1", 1}, {"exit 139", 1},
	} {
		for _, always := range []bool{false, true} {
			dir := t.TempDir()
			starts := filepath.Join(dir, "starts")
			text := "ulimit -c 0\necho x >>'" + starts + "'\n"
			if !always {
				text += "test $(wc -l <'" + starts + "') -gt 1 && { echo 1; exit 0; }\n"
			}
			s, err := Open("command:" + program(t, text+c.end))
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Score("", Reference{})
			var failed *ProgramError
			if scores := c.starts == 2 && !always; scores && (err != nil || got != 1) || !scores && !errors.As(err, &failed) {
				t.Errorf("%s, always %v: %v, %v", c.end, always, got, err)
			}
			if made, err := os.ReadFile(starts); err != nil || strings.Count(string(made), "x") != c.starts {
				t.Errorf("%s, always %v: %d starts, want %d, %v", c.end, always, strings.Count(string(made), "x"), c.starts, err)
			}
		}
	}
}

// The name of a program's scorer has a digest of its files: another program is another
// metric, and one that changes while a run goes on is an error.
func TestCommandIdentity(t *testing.T) {
	first, second := program(t, "echo 1"), program(t, "echo 0")
	a, err := Open("command:sh " + first)
	if err != nil || !strings.HasPrefix(a.Name, "command:sh "+first+" sha256:") || !a.Free {
		t.Fatalf("%+v, %v", a, err)
	}
	if again, err := Open(a.Name); err != nil || again.Name != a.Name {
		t.Errorf("by its name: %+v, %v", again, err)
	}
	// In another process.
	clear(commands.made)
	if again, err := Open(a.Name); err != nil || again.Name != a.Name {
		t.Errorf("by its name, elsewhere: %+v, %v", again, err)
	}
	if _, err := Open("command:sh " + second + a.Name[len(a.Name)-20:]); err == nil || !strings.Contains(err.Error(), "is another program here") {
		t.Errorf("by another program's name: %v", err)
	}
	b, err := Open("command:sh " + second)
	if err != nil {
		t.Fatal(err)
	}
	if x, y := a.Name[len(a.Name)-12:], b.Name[len(b.Name)-12:]; x == y {
		t.Errorf("two programs have the digest %s", x)
	}
	if err := os.WriteFile(first, []byte("echo 0.5\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got, err := a.Score("", Reference{}); err == nil || !strings.Contains(err.Error(), first+" has changed since the run began") {
		t.Errorf("changed: %v, %v", got, err)
	}
	for text, want := range map[string]string{
		"": "which program?", "./no-such-program": `"./no-such-program": `, "sh -c 'x": "a quote", "sh | sh": "means something to a shell",
	} {
		if _, err := Open("command:" + text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// Whatever a program prints is a score from 0 to 1 or an error.
func FuzzGrade(f *testing.F) {
	for _, s := range []string{"1", "0.5\n", `{"score": 0.25}`, `{"error": "x"}`, "nan", "{", "1\n2", "0x1p-1", `{"score": "1"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, out []byte) {
		if score, err := parseGrade(out); err == nil && !(score >= 0 && score <= 1) {
			t.Errorf("%q: %v", out, score)
		}
	})
}
