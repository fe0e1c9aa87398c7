package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// llamaCPP is the command that starts llama.cpp on the real small model, where sh
// .ci/llamacpp has brought it.
func llamaCPP(t *testing.T) (command, model string) {
	t.Helper()
	model = sharedtest.SmolLM2(t)
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	python := filepath.Join(cache, "snapbench", "llamacpp", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		t.Skipf("llama.cpp's server is not there (make llamacpp brings it): %v", err)
	}
	starter, err := filepath.Abs(filepath.Join("..", "..", ".ci", "llamacpp.py"))
	if err != nil {
		t.Fatal(err)
	}
	// One thread: two of them wait for one another where others work.
	return fmt.Sprintf("'%s' '%s' '%s' --threads 1 --port {port} --cache-type-k {kv} --cache-type-v {kv}", python, starter, model), model
}

// needles are the prompts of these tests: few and short, since a core reads some
// hundred tokens a second. SNAPBENCH_LONG=1 asks for those of 2K tokens.
func needles() []string {
	length, depths := "384", "3"
	if os.Getenv("SNAPBENCH_LONG") != "" {
		length, depths = "2k", "5"
	}
	return []string{"needle", "--lengths", length, "--depths", depths, "--trials", "1"}
}

func bySample(rows []results.Row, variant string) map[string]results.Row {
	of := map[string]results.Row{}
	for _, r := range rows {
		if r.Variant == variant {
			of[r.Sample] = r
		}
	}
	return of
}

// llama.cpp with three caches answers the prompts that our own engine answers: with the
// one of 16 bits alike, but for the 8 bits to which it rounds activations; the gate
// tells its caches apart as it tells ours.
func TestLlamaCPP(t *testing.T) {
	command, model := llamaCPP(t)
	work := t.TempDir()
	ours, theirs := filepath.Join(work, "ours"), filepath.Join(work, "theirs")
	pass(t, append(needles(), "--model", model, "--device", "cpu", "--budgets", "full", "--out", ours)...)
	ask := append(needles(), "--serve", command, "--set", "kv=f16,q8_0,q4_0", "--tokenizer-from", model, "--repeat", "--fidelity", "--out", theirs)
	text := pass(t, ask...)
	t.Log(text)
	a, b := rowsBesidesTimes(t, ours), rowsBesidesTimes(t, theirs)
	full, f16 := bySample(a, "full"), bySample(b, "server(kv=f16)")
	if len(full) == 0 || len(f16) != len(full) || len(b) != 3*len(full) {
		t.Fatalf("%d and %d rows", len(a), len(b))
	}
	same := 0
	for sample, r := range full {
		s := f16[sample]
		if s.Error != "" || s.PromptSHA256 != r.PromptSHA256 || *s.PromptTokens != *r.PromptTokens {
			t.Errorf("%s: not the same prompt: %+v\n%+v", sample, s, r)
			continue
		}
		t.Logf("%s: ours %q, llama.cpp's %q", sample, r.Prediction, s.Prediction)
		if *s.Score == *r.Score {
			same++
		}
		if s.RepeatEqual == nil || !strings.Contains(s.Revision, "llama.cpp") {
			t.Errorf("%s: %+v", sample, s)
		}
	}
	for sample, r := range bySample(b, "server(kv=q4_0)") {
		first := f16[sample]
		if first.KLLowerMean == nil || *first.KLLowerMean != 0 || r.KLLowerMean == nil || *r.KLLowerMean <= 0 || r.Top1Agreement == nil || *r.Top1Agreement < 0.5 {
			t.Errorf("%s: fidelity of q4_0 along the answers of f16: %+v", sample, r)
		}
	}
	if same < len(full)-1 {
		t.Errorf("%d of %d scores are those of our own engine", same, len(full))
	}

	status, stdout, stderr := snapbench("gate", theirs, "--against", "kv f16", "--max-drop", "99", "--json")
	if !slices.Contains([]int{exitPass, exitUndecided}, status) || !strings.Contains(stdout, "server(kv=q4_0)") || strings.Contains(stdout, `"variant": "server(kv=f16)"`) {
		t.Errorf("the gate: status %d\n%s%s", status, stdout, stderr)
	}
	// What is finished is not asked again: no server is started.
	before := logs(t, theirs)
	pass(t, ask...)
	if after := logs(t, theirs); after != before || strings.Count(after, "# ") != 3 {
		t.Errorf("started again: %d starts", strings.Count(after, "# "))
	}
}

func logs(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "# ") {
				all.WriteString(line)
			}
		}
	}
	return all.String()
}

// llama.cpp killed while it answers is an error of its own rows; snapbench killed takes
// llama.cpp with it; what is asked again then is what an undisturbed run has.
func TestLlamaCPPKilled(t *testing.T) {
	command, model := llamaCPP(t)
	work := t.TempDir()
	ask := func(out string, more ...string) []string {
		list := append(needles(), "--serve", command, "--set", "kv=f16,q8_0", "--tokenizer-from", model, "--max-new", "6", "--quiet", "--out", filepath.Join(work, out))
		return append(list, more...)
	}
	// amid starts it and stops it in the middle, when it has one row; where it has more then, again.
	amid := func(name string) (out string, c *exec.Cmd, ended chan struct{}) {
		t.Helper()
		for try := range 5 {
			out, ended = fmt.Sprint(name, try), make(chan struct{})
			c = exec.Command(os.Args[0], ask(out)...)
			c.Env = append(os.Environ(), asCommand+"=1")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			go func() {
				c.Wait()
				close(ended)
			}()
			waitFor(filepath.Join(work, out, "journal.jsonl"), 1, ended)
			c.Process.Signal(syscall.SIGSTOP)
			if rows, err := results.CountRows(filepath.Join(work, out)); err == nil && rows == 1 {
				return out, c, ended
			}
			c.Process.Signal(syscall.SIGCONT)
			<-ended
		}
		t.Fatal("it was too fast each time, or had no row")
		return "", nil, nil
	}
	pass(t, ask("calm")...)
	// What a server had in its cache already, and how often it was asked, is of one execution.
	rowsOf := func(out string) []results.Row {
		rows := rowsBesidesTimes(t, filepath.Join(work, out))
		for i := range rows {
			rows[i].Note, rows[i].Retries = "", nil
		}
		return rows
	}
	compare := func(out string, want []results.Row) {
		t.Helper()
		got := rowsOf(out)
		for i := range got {
			if len(got) == len(want) && !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("%s: %+v, undisturbed %+v", out, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: %d rows, undisturbed %d", out, len(got), len(want))
		}
	}
	want := rowsOf("calm")

	// The program, in the middle.
	out, c, ended := amid("killed")
	c.Process.Kill()
	<-ended
	for end := time.Now().Add(2 * time.Minute); len(serversOf(t, work)) > 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server still runs")
		}
	}
	pass(t, ask(out)...)
	compare(out, want)

	// The server, in the middle.
	out, c, ended = amid("lost")
	for _, pid := range serversOf(t, work) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	c.Process.Signal(syscall.SIGCONT)
	<-ended
	rows := rowsBesidesTimes(t, filepath.Join(work, out))
	failed := 0
	for _, r := range rows {
		if r.Error != "" {
			failed++
			if !strings.Contains(r.Error, "killed") || r.Variant != "server(kv=f16)" {
				t.Errorf("%s: %s", r.Variant, r.Error)
			}
		}
	}
	if len(rows) != len(want) || failed == 0 || failed == len(want)/2 {
		t.Errorf("%d rows, %d of them failed", len(rows), failed)
	}
	pass(t, ask(out, "--retry")...)
	compare(out, want)
}

// serversOf are the processes that write their log into a folder.
func serversOf(t *testing.T, dir string) (pids []int) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/fd/1")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		target, err := os.Readlink(link)
		var pid int
		if _, serr := fmt.Sscanf(link, "/proc/%d/", &pid); err == nil && serr == nil && strings.HasPrefix(target, dir) && strings.HasSuffix(target, ".log") {
			pids = append(pids, pid)
		}
	}
	return pids
}
