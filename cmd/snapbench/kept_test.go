package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/results/kept"
)

// askKept asks for small needles under five variants.
func askKept(out string, more ...string) []string {
	return append([]string{"needle", "--lengths", "512", "--depths", "0,50,100", "--trials", "1", "--budgets", "full,64,25%",
		"--policies", "snapkv,ada,streaming", "--max-new", "4", "--quiet", "--out", out}, more...)
}

// keptOf holds the positions of all rows of a folder to what the rows say was kept.
func keptOf(t *testing.T, dir string, rows []results.Row) {
	t.Helper()
	x, err := kept.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		k, err := x.Row(r.ID)
		if err != nil {
			t.Fatalf("%s, %s: %v", r.Sample, r.Variant, err)
		}
		p, err := x.Prompt(k)
		if err != nil {
			t.Fatalf("%s, %s: %v", r.Sample, r.Variant, err)
		}
		sum, heads := 0, 0
		for _, l := range k.Layers {
			heads += l.Heads
			for _, run := range l.Runs {
				sum += run.Tokens * run.Heads
			}
		}
		if mean := float64(sum) / float64(heads); len(p.Tokens) != *r.PromptTokens || math.Abs(mean-*r.KeptMean) > 1e-9 {
			t.Errorf("%s, %s: %d tokens, %v kept; the row has %d and %v", r.Sample, r.Variant, len(p.Tokens), mean, *r.PromptTokens, *r.KeptMean)
		}
		text := strings.Join(p.Tokens, "")
		if !strings.HasSuffix(text, r.PromptTail) {
			t.Errorf("%s: the tokens' text ends with %q, the prompt with %q", r.Sample, text[len(text)-40:], r.PromptTail[len(r.PromptTail)-40:])
		}
		if len(p.Needle) != 1 || len(p.Answer) != 1 || p.Needle[0][0] > *r.NeedleToken || p.Needle[0][1] <= *r.NeedleToken {
			t.Fatalf("%s: needle %v, answer %v, the needle's first token is %d", r.Sample, p.Needle, p.Answer, *r.NeedleToken)
		}
		if answer := strings.Join(p.Tokens[p.Answer[0][0]:p.Answer[0][1]], ""); !strings.Contains(answer, r.Answer) {
			t.Errorf("%s: %q is marked as the answer %q", r.Sample, answer, r.Answer)
		}
		needle := strings.Join(p.Tokens[p.Needle[0][0]:p.Needle[0][1]], "")
		_, after, _ := strings.Cut(r.NeedleText, results.NeedleBegins)
		if within, _, ok := strings.Cut(after, results.NeedleEnds); !ok || !strings.Contains(needle, within) || !strings.Contains(within, r.Answer) {
			t.Errorf("%s: needle_text is %q, the needle's tokens %q", r.Sample, r.NeedleText, needle)
		}
	}
}

// Rows are the same with and without --keep-positions; a run that was finished without says nothing, in parts or alone
// what was kept is what the rows count.
func TestKeepPositions(t *testing.T) {
	dir := t.TempDir()
	plain, with, parts := filepath.Join(dir, "plain"), filepath.Join(dir, "with"), filepath.Join(dir, "parts")
	pass(t, askKept(plain)...)
	pass(t, askKept(with, "--keep-positions")...)
	want := rowsBesidesTimes(t, plain)
	got := rowsBesidesTimes(t, with)
	if !reflect.DeepEqual(got, want) {
		t.Error("rows are others with --keep-positions")
	}
	keptOf(t, with, got)
	if _, err := os.Stat(filepath.Join(plain, kept.File)); !os.IsNotExist(err) {
		t.Errorf("positions that nobody asked for: %v", err)
	}
	pass(t, askKept(plain, "--keep-positions")...) // the same question: nothing is left to answer
	if x, err := kept.Open(plain); err != nil || x.Len() != 0 {
		t.Errorf("%+v, %v: no answer was missing", x, err)
	}
	for _, shard := range []string{"0/2", "1/2"} {
		pass(t, askKept(parts, "--keep-positions", "--shard", shard)...)
	}
	keptOf(t, parts, rowsBesidesTimes(t, parts))

	page := filepath.Join(dir, "report.html")
	pass(t, "report", with, "--out", page)
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), `"kept":[{`) {
		t.Errorf("the report has no positions: %v", err)
	}
	if status, _, told := snapbench("needle", "--server", "http://127.0.0.1:1/v1", "--keep-positions"); status != exitUsage || !strings.Contains(told, "--keep-positions") {
		t.Errorf("of a server: exit status %d: %s", status, told)
	}
}

// Whenever the program is killed, rows that are there have their positions.
func TestKilledKeepsPositions(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	program, dir := builtProgram(t), filepath.Join(t.TempDir(), "run")
	ask := askKept(dir, "--keep-positions", "--depths", "8", "--trials", "4")
	for kills := range 9 {
		wait := time.Duration(kills*15) * time.Millisecond
		finished, err := endAfter(exec.Command(program, ask...), filepath.Join(dir, kept.File), wait, syscall.SIGKILL)
		if err != nil {
			t.Fatal(err)
		}
		left := rowsLeft(t, dir)
		var rows []results.Row
		for _, r := range left {
			rows = append(rows, r)
		}
		keptOf(t, dir, rows)
		t.Logf("after kill %d: %d rows", kills, len(rows))
		if finished {
			break
		}
	}
	if out, err := exec.Command(program, ask...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	keptOf(t, dir, rowsBesidesTimes(t, dir))
}
