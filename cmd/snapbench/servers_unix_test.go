//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/server"
)

// workshop is what the tests of servers share: prompts, a tokenizer, a command.
type workshop struct {
	t                      *testing.T
	dir, prompts, tiny, is string
}

func newWorkshop(t *testing.T, n int) workshop {
	w := workshop{t: t, dir: t.TempDir(), tiny: tinyModel(t)}
	w.prompts = filepath.Join(w.dir, "prompts.jsonl")
	if err := writePrompts(w.prompts, n); err != nil {
		t.Fatal(err)
	}
	w.is = fmt.Sprintf("%s=1 '%s' {is} {port} '%s'", asServer, os.Args[0], w.dir)
	return w
}

func (w workshop) ask(out, is string, more ...string) []string {
	return append([]string{"prompts", w.prompts, "--serve", w.is, "--set", "is=" + is, "--max-new", "8", "--out", filepath.Join(w.dir, out)}, more...)
}

func (w workshop) rows(out string) map[string][]results.Row {
	of := map[string][]results.Row{}
	for _, r := range rowsBesidesTimes(w.t, filepath.Join(w.dir, out)) {
		of[r.Params["is"]] = append(of[r.Params["is"]], r)
	}
	return of
}

// starts counts how often a server was started, and its processes that still run.
func (w workshop) starts(out, is string) (starts, running int) {
	text, err := os.ReadFile(filepath.Join(w.dir, out, "server-is="+is+".log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "# ") {
			starts++
		}
		if rest, ok := strings.CutPrefix(line, "workers "); ok {
			for _, word := range strings.Fields(rest) {
				pid, err := strconv.Atoi(word)
				if err != nil {
					w.t.Fatal(err)
				}
				stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // on Linux it says of one that has ended that nobody asked how
				if !strings.Contains(string(stat), ") Z ") && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
					running++
				}
			}
		}
	}
	return starts, running
}

// One server after the other answers into one run, which is held to the first; one that
// ends is an error of its own rows, with the end of its log; and with its cause removed
// --retry starts that one alone.
func TestServe(t *testing.T) {
	w := newWorkshop(t, 12)
	ask := w.ask("run", "good,bad,mortal,early,brittle", "--tokenizer-from", w.tiny)
	status, stdout, stderr := snapbench(ask...)
	if status != exitPass {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	for _, want := range []string{"Drop against is good", "first token, median", "Throughput", "requests/s"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	rows := w.rows("run")
	if len(rows) != 5 {
		t.Fatalf("%d variants", len(rows))
	}
	for is, want := range map[string]struct {
		score float64
		fails int
		why   string
	}{"good": {1, 0, ""}, "bad": {0, 0, ""}, "mortal": {1, 9, "Aborted (core dumped)"}, "early": {1, 12, "CUDA out of memory"}, "brittle": {1, 12, "Segmentation fault"}} {
		if len(rows[is]) != 12 {
			t.Errorf("%s: %d rows", is, len(rows[is]))
		}
		fails := 0
		for _, r := range rows[is] {
			if r.Error != "" {
				fails++
				if !strings.HasSuffix(r.Error, want.why) || !strings.Contains(r.Error, "server-is="+is+".log") {
					t.Errorf("%s: %s", is, r.Error)
				}
			} else if *r.Score != want.score || r.Device != "server" || r.Model != "tiny" {
				t.Errorf("%s: %+v", is, r)
			}
		}
		if fails != want.fails {
			t.Errorf("%s: %d rows with an error, want %d", is, fails, want.fails)
		}
		if starts, running := w.starts("run", is); starts != 1 || running > 0 {
			t.Errorf("%s: started %d times, %d processes left", is, starts, running)
		}
	}

	if err := os.WriteFile(filepath.Join(w.dir, "cured"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if status, stdout, stderr := snapbench(append(ask, "--retry")...); status != exitPass {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	for is, want := range map[string]int{"good": 1, "bad": 1, "mortal": 2, "early": 2, "brittle": 2} {
		if starts, running := w.starts("run", is); starts != want || running > 0 {
			t.Errorf("%s: started %d times, want %d; %d processes left", is, starts, want, running)
		}
		rows := w.rows("run")[is]
		if len(rows) != 12 || slices.ContainsFunc(rows, func(r results.Row) bool { return r.Error != "" }) {
			t.Errorf("%s: %d rows, or some with an error", is, len(rows))
		}
	}
	if status, stdout, stderr := snapbench("gate", filepath.Join(w.dir, "run"), "--against", "baseline", "--max-drop", "20"); status != exitFailed || !strings.Contains(stdout, "is bad") {
		t.Errorf("the gate: status %d\n%s%s", status, stdout, stderr)
	}
}

// Where nobody but the servers makes prompts, one that never answers, or ends while it is
// asked, has errors for the prompts that another made, and its rows say so; asked again,
// it is asked alone.
func TestServeWithoutTokenizer(t *testing.T) {
	for _, order := range []string{"bad,early,good,mortal", "good,mortal,early"} {
		w := newWorkshop(t, 6)
		ask := w.ask("run", order)
		pass(t, ask...)
		rows := w.rows("run")
		good := map[string]results.Row{}
		for _, r := range rows["good"] {
			good[r.Sample] = r
		}
		for is, want := range map[string]struct {
			fails int
			why   string
		}{"good": {0, ""}, "early": {6, "CUDA out of memory"}, "mortal": {3, "Aborted (core dumped)"}} {
			fails := 0
			for _, r := range rows[is] {
				if g := good[r.Sample]; r.PromptSHA256 != g.PromptSHA256 || r.PromptTail != g.PromptTail || r.PromptTail == "" || r.Answer != g.Answer {
					t.Errorf("%s, %s: not the prompt of the other server: %+v", order, is, r)
				}
				if r.Error == "" {
					continue
				}
				// What the mortal one had in hand as it ended may be a prompt of its own.
				own := is == "mortal" && r.Note == ""
				if fails++; !strings.HasSuffix(r.Error, want.why) || !own && !strings.Contains(r.Note, "as server(is=good) had it") {
					t.Errorf("%s, %s: %s (%s)", order, is, r.Error, r.Note)
				}
			}
			if len(rows[is]) != 6 || fails != want.fails {
				t.Errorf("%s, %s: %d rows, %d of them failed", order, is, len(rows[is]), fails)
			}
		}
		if err := os.WriteFile(filepath.Join(w.dir, "cured"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		pass(t, append(ask, "--retry")...)
		for is, want := range map[string]int{"good": 1, "early": 2, "mortal": 2} {
			if starts, _ := w.starts("run", is); starts != want {
				t.Errorf("%s, %s: started %d times, want %d", order, is, starts, want)
			}
			if rows := w.rows("run")[is]; len(rows) != 6 || slices.ContainsFunc(rows, func(r results.Row) bool { return r.Error != "" || r.Note != "" }) {
				t.Errorf("%s, %s: cured it has %d rows, or some with an error: %+v", order, is, len(rows), rows[0])
			}
		}
	}
}

// Where no server ever came up, nobody knows the prompts: the run is left unfinished, with
// all that was said in it, and goes on.
func TestServeUnfinished(t *testing.T) {
	w := newWorkshop(t, 6)
	ask := w.ask("run", "early,mortal")
	status, stdout, stderr := snapbench(ask...)
	if status != exitCannotRun || !strings.Contains(stderr, "2 of 2 servers could not be asked") || !strings.Contains(stderr, "CUDA out of memory") || stdout != "" {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	if set, err := results.Read(filepath.Join(w.dir, "run")); err != nil || !set.Partial || len(set.Rows) != 3 {
		t.Errorf("%d rows, %v: %+v\n%s", len(set.Rows), err, set.Rows, stderr)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "cured"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	pass(t, ask...)
	for _, is := range []string{"early", "mortal"} {
		if starts, _ := w.starts("run", is); starts != 2 || len(w.rows("run")[is]) != 6 {
			t.Errorf("%s was started %d times", is, starts)
		}
	}
}

// Whatever ends the program ends the server and its workers, and the same command goes
// on where it was.
func TestServeEnded(t *testing.T) {
	w := newWorkshop(t, 12)
	command := func(out string) *exec.Cmd {
		c := exec.Command(os.Args[0], w.ask(out, "patient,good", "--tokenizer-from", w.tiny, "--quiet")...)
		c.Env = append(os.Environ(), asCommand+"=1")
		return c
	}
	free := filepath.Join(w.dir, "released")
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		out := fmt.Sprint("run", int(s))
		c := command(out)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		finished, err := endAfter(c, filepath.Join(w.dir, out, "journal.jsonl"), 0, s)
		if finished {
			t.Fatalf("%v: it ended by itself: %v\n%s", s, err, stderr.String())
		}
		if s != syscall.SIGKILL && !strings.Contains(stderr.String(), "the same command continues") {
			t.Errorf("%v: %v, %s", s, err, stderr.String())
		}
		for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
			if starts, running := w.starts(out, "patient"); starts != 1 {
				t.Fatalf("%v: started %d times", s, starts)
			} else if running == 0 {
				break
			} else if time.Now().After(end) {
				t.Fatalf("%v: %d processes of the server still run", s, running)
			}
		}
		part := len(w.rows(out)["patient"])
		if part == 0 || part == 12 {
			t.Fatalf("%v: %d rows of 12", s, part)
		}
		write(t, free, "")
		if text, err := command(out).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if err := os.Remove(free); err != nil {
			t.Fatal(err)
		}
	}
	write(t, free, "")
	if text, err := command("calm").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		if got, want := w.rows(fmt.Sprint("run", int(s))), w.rows("calm"); !reflect.DeepEqual(got, want) {
			t.Errorf("%v: other rows than undisturbed", s)
		}
	}
}

// A key stands in nothing that a run leaves, and where a command line would bring it there
// nothing is written.
func TestKeysAreLeftNowhere(t *testing.T) {
	w := newWorkshop(t, 2)
	const key = "sk-wholly-secret"
	ask := func(arguments ...string) (string, error) {
		c := exec.Command(os.Args[0], arguments...)
		c.Env = append(os.Environ(), asCommand+"=1", server.KeyVariable+"="+key)
		text, err := c.CombinedOutput()
		return string(text), err
	}
	if text, err := ask(w.ask("well", "good", "--tokenizer-from", w.tiny)...); err != nil || strings.Contains(text, key) {
		t.Fatalf("%v\n%s", err, text)
	}
	files := 0
	err := filepath.WalkDir(filepath.Join(w.dir, "well"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if files++; bytes.Contains(data, []byte(key)) {
			t.Errorf("%s has the key", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Fatalf("%d files, %v", files, err)
	}
	out := filepath.Join(w.dir, "ill")
	for _, arguments := range [][]string{
		{"prompts", w.prompts, "--out", out, "--server", "http://me:another-secret@127.0.0.1:1/v1"},
		{"prompts", w.prompts, "--out", out, "--server", "http://192.0.2.1/v1"}, // unencrypted
		{"prompts", w.prompts, "--out", out, "--serve", w.is + " --api-key " + key, "--set", "is=good"},
		{"prompts", w.prompts, "--out", out, "--serve", w.is, "--set", "is=good," + key},
	} {
		var exit *exec.ExitError
		text, err := ask(arguments...)
		if !errors.As(err, &exit) || exit.ExitCode() != exitUsage || strings.Contains(text, "secret") {
			t.Errorf("%v: %v\n%s", arguments[4:], err, text)
		}
		if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%v: there is a folder, %v", arguments[4:], err)
		}
	}
}

// Two servers that run are two runs under two labels, and the gate holds one to the
// other.
func TestServerLabels(t *testing.T) {
	w := newWorkshop(t, 30)
	for _, is := range []string{"good", "bad"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command(os.Args[0], is, inherited, w.dir)
		c.ExtraFiles = []*os.File{listener}
		c.Env = append(os.Environ(), asServer+"=1")
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
		address := l.Addr().String()
		listener.Close()
		l.Close() // the server's own stays, and with it whoever connects before it is ready
		for _, run := range []string{"1", "2"} {
			pass(t, "prompts", w.prompts, "--server", "http://"+address, "--label", is+run, "--tokenizer-from", w.tiny, "--concurrency", "3", "--max-new", "8",
				"--out", filepath.Join(w.dir, is+run))
		}
	}
	for _, c := range []struct {
		a, b   string
		status int
	}{{"good1", "good2", exitPass}, {"good1", "bad1", exitFailed}, {"bad1", "bad2", exitUndecided}} {
		status, stdout, stderr := snapbench("gate", filepath.Join(w.dir, c.a), filepath.Join(w.dir, c.b), "--max-drop", "20")
		if status != c.status {
			t.Errorf("%s, %s: status %d, want %d\n%s%s", c.a, c.b, status, c.status, stdout, stderr)
		}
	}
	if status, stdout, stderr := snapbench("report", filepath.Join(w.dir, "good1"), filepath.Join(w.dir, "bad1"), "--out", filepath.Join(w.dir, "report.html")); status != exitPass {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}
