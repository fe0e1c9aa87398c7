package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/sys/unix"
)

// On a terminal, where there is a bar, neither it nor an export lets a name or a row
// steer.
func TestNothingSteersARealTerminal(t *testing.T) {
	const evil, shown = "evil\x1b]0;title\a\x7f\u009b31m\u202e", `evil\x1b]0;title\x07\u007f\u009b31m\u202e`
	work := t.TempDir()
	model := filepath.Join(work, evil)
	if err := os.CopyFS(model, os.DirFS(tinyModel(t))); err != nil {
		t.Fatal(err)
	}
	prompts := filepath.Join(work, "prompts.jsonl")
	var lines strings.Builder
	for i := range 20 {
		fmt.Fprintf(&lines, `{"id": "evil\u001b]0;title\u0007\u007f\u009b31m\u202e%d", "prompt": %q, "answers": ["x"]}`+"\n", i, strings.Repeat("some text ", 300))
	}
	if err := os.WriteFile(prompts, []byte(lines.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(work, "out")
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"prompts", prompts, "--model", model, "--device", "cpu", "--budgets", "full,24", "--windows", "8", "--max-new", "20", "--out", out},
			[]string{"ETA", "prompts " + shown, shown + " on cpu"}},
		{[]string{"results", "export", "csv", out}, []string{"schema,id", shown}},
		{[]string{"results", "export", "jsonl", out}, []string{`"model":"evil\u001b]0;title\u0007\u007f\u009b31m\u202e"`}},
	} {
		text := onTerminal(t, c.args)
		for _, r := range text {
			if r != '\n' && r != '\t' && r != '\r' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
				t.Fatalf("%q printed %q:\n%q", c.args[:2], r, text)
			}
		}
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%q did not print %q:\n%.3000q", c.args[:2], want, text)
			}
		}
	}
}

// onTerminal runs a command on a pseudo-terminal and returns what it printed there.
func onTerminal(t *testing.T, args []string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminal can be made here: %v", err)
	}
	defer master.Close()
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 200})
	}
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal can be made here: %v", err)
	}
	code := make(chan int, 1)
	go func() {
		code <- run(args, terminal, terminal)
		terminal.Close()
	}()
	text, _ := io.ReadAll(master) // ends in an error where the other side is closed
	if got := <-code; got != exitPass {
		t.Errorf("%q: status %d\n%s", args[:2], got, text)
	}
	return string(text)
}
