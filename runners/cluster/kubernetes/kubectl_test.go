//go:build unix

package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeKubectl puts a script on the PATH as kubectl. What the engine says to the real one
// is tested against a real API; this is for how answers and failures are passed on. It
// returns what the script was called with, a call a line.
func fakeKubectl(t *testing.T, script string) (calls func() []string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "calls")
	text := "#!/bin/sh\necho \"$*\" >>" + log + "\n" + script + "\n"
	if err := os.WriteFile(filepath.Join(dir, "kubectl"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() []string {
		data, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSpace(string(data)), "\n")
	}
}

func TestWithoutKubectl(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := engine{}.Check(context.Background(), small())
	if err == nil || !strings.Contains(err.Error(), "kubectl is not on the PATH") || !strings.Contains(err.Error(), "https://") {
		t.Errorf("error %v, want one that says how to get kubectl", err)
	}
}

func TestTheUsersClusterIsAsked(t *testing.T) {
	calls := fakeKubectl(t, `cat >/dev/null; echo team/needle-lb-1`)
	w := large()
	id, err := engine{}.Submit(context.Background(), w)
	if err != nil || id != "team/needle-lb-1" {
		t.Fatalf("%q, %v", id, err)
	}
	// The namespace that Kubernetes told is meant from then on, whatever it was by default.
	id = "elsewhere/needle-lb-1"
	if _, err := (engine{}).States(context.Background(), id, w); err == nil {
		t.Error("no JSON is no error")
	}
	got := calls()
	if want := "--context=lab --namespace=team create "; !strings.HasPrefix(got[0], want) {
		t.Errorf("%s, want %s…", got[0], want)
	}
	if want := "--context=lab --namespace=elsewhere get job needle-lb-1 "; !strings.HasPrefix(got[1], want) {
		t.Errorf("%s, want %s…", got[1], want)
	}
	for _, line := range (engine{}).Advice(id, w) {
		if !strings.Contains(line, ": kubectl --context=lab --namespace=elsewhere ") || !strings.Contains(line, "needle-lb-1") {
			t.Errorf("advice %q does not name the Job's cluster, namespace and name", line)
		}
	}
}

// A Job is created once, whatever becomes of the answer; where nobody knows, the user is told how to see it.
func TestCreatedOnce(t *testing.T) {
	const broke = `*" create "*) cat >/dev/null; echo 'Unable to connect to the server: EOF' >&2; exit 1 ;;`
	for name, c := range map[string]struct {
		get string // what kubectl does when the Job is asked for
		id  string
		err []string
	}{
		"it is there":  {`echo team/needle-lb-1`, "team/needle-lb-1", nil},
		"it is not":    {`echo 'Error from server (NotFound): jobs.batch "x" not found' >&2; exit 1`, "", []string{"create", "EOF"}},
		"nobody knows": {`echo 'no route to host' >&2; exit 1`, "", []string{"may have been created", "kubectl --context=lab --namespace=team get job ", "delete job ", "EOF", "no route to host"}},
	} {
		t.Run(name, func(t *testing.T) {
			calls := fakeKubectl(t, "case \"$*\" in\n"+broke+"\n*\" get job \"*) "+c.get+" ;;\nesac")
			id, err := engine{}.Submit(t.Context(), large())
			if id != c.id || (err == nil) != (c.err == nil) {
				t.Errorf("%q, %v", id, err)
			}
			for _, word := range c.err {
				if err != nil && !strings.Contains(err.Error(), word) {
					t.Errorf("%v, want %q", err, word)
				}
			}
			if name == "it is not" && strings.Contains(err.Error(), "may have been") {
				t.Errorf("%v, which is in no doubt", err)
			}
			if n := len(calls()); n != 2 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

func TestFailuresOfKubectl(t *testing.T) {
	fakeKubectl(t, `echo 'Error from server (NotFound): jobs.batch "x" not found' >&2; exit 1`)
	if got, err := (engine{}).States(context.Background(), "team/x", small()); err != nil || len(got) != 0 {
		t.Errorf("a Job that is gone: %v, %v, want no states and no error", got, err)
	}
	fakeKubectl(t, `echo 'The connection to the server was refused' >&2; exit 1`)
	_, err := engine{}.States(context.Background(), "team/x", small())
	if err == nil || !strings.Contains(err.Error(), "kubectl --namespace=team get job x") || !strings.Contains(err.Error(), "was refused") {
		t.Errorf("error %v, want the command and what it told", err)
	}
	if _, err := (engine{}).States(context.Background(), "x", small()); err == nil || !strings.Contains(err.Error(), `"x"`) {
		t.Errorf("id x: error %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := (engine{}).States(ctx, "team/x", small()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

func TestTheLogIsOfTheLatestAttempt(t *testing.T) {
	calls := fakeKubectl(t, `case "$*" in
*" get pods "*) echo '{"items":[{"metadata":{"name":"old"},"status":{"phase":"Failed"}},{"metadata":{"name":"new"},"status":{"phase":"Failed"}}]}' ;;
*" logs new "*) echo "no such model" ;;
esac`)
	w := large()
	if got := (engine{}).Log(context.Background(), "team/x", w, 5); got != "no such model" {
		t.Errorf("log %q", got)
	}
	if got := calls(); !strings.Contains(got[0], "job-completion-index=1 ") {
		t.Errorf("part 5 of %v is index 1; asked was %s", w.Parts, got[0])
	}
	if got := (engine{}).Log(context.Background(), "team/x", w, 6); got != "" {
		t.Errorf("a part that the Job has not: log %q", got)
	}
}

// fetching is a kubectl whose pod runs, and whose exec runs the command here.
const fetching = `case "$*" in
*" get pod "*) echo '{"status":{"phase":"Running"}}' ;;
*" exec "*) while [ "$1" != -- ]; do shift; done; shift; exec "$@" ;;
*) cat >/dev/null ;;
esac`

func TestFetch(t *testing.T) {
	calls := fakeKubectl(t, fetching)
	w := large()
	there := t.TempDir()
	w.Claim, w.Out = "results="+filepath.Dir(there), there
	here := filepath.Join(t.TempDir(), "runs", "lb")
	fetch := func() error { return engine{}.Fetch(context.Background(), "team/x", w, here) }

	if err := fetch(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("not joined: error %v, want fs.ErrNotExist", err)
	}
	w.Out = filepath.Join(there, "no such folder")
	if err := fetch(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: error %v, want fs.ErrNotExist", err)
	}
	w.Out = there
	content := map[string]string{"run.json": "{}", "results.parquet": strings.Repeat("PAR1\x00", 1<<20), "summary.md": "# It", "journal.jsonl": "not to be brought"}
	for name, text := range content {
		if err := os.WriteFile(filepath.Join(there, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := fetch(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(here)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if got, err := os.ReadFile(filepath.Join(here, e.Name())); err != nil || string(got) != content[e.Name()] {
			t.Errorf("%s: %d bytes, %v; want %d", e.Name(), len(got), err, len(content[e.Name()]))
		}
	}
	if want := []string{"results.parquet", "run.json", "summary.md"}; !slices.Equal(names, want) {
		t.Errorf("brought: %v, want %v", names, want)
	}
	if got := calls(); !strings.Contains(got[len(got)-1], " delete pod ") {
		t.Errorf("the last call is %s, want the pod's deletion", got[len(got)-1])
	}
}

// The pod may have been made before the user interrupted the command that makes it.
func TestInterruptedHelperLeavesNoPod(t *testing.T) {
	made := filepath.Join(t.TempDir(), "made")
	calls := fakeKubectl(t, `case "$*" in
*" create "*) cat >/dev/null; touch '`+made+`'; exec sleep 600 ;;
esac`)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for t.Context().Err() == nil {
			if _, err := os.Stat(made); err == nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	w := large()
	w.Claim, w.Out = "results=/mnt", "/mnt/lb"
	if err := (engine{}).Fetch(ctx, "team/x", w, t.TempDir()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that it was interrupted", err)
	}
	if got := calls(); !strings.Contains(got[len(got)-1], " delete pod ") {
		t.Errorf("the last call is %s, want the pod's deletion", got[len(got)-1])
	}
}

func TestWhatBreaksOffIsNotTaken(t *testing.T) {
	there := t.TempDir()
	for _, name := range brought {
		if err := os.WriteFile(filepath.Join(there, name), []byte(strings.Repeat("x", 700)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w := large()
	w.Claim, w.Out = "results="+filepath.Dir(there), there
	// tar has 512 bytes of header and 1024 of content a file: cut within each, and between.
	for _, bytes := range []int{0, 100, 512, 1000, 1536, 3072, 4608, 5000} {
		fakeKubectl(t, strings.Replace(fetching, `exec "$@"`, fmt.Sprintf(`"$@" | head -c %d`, bytes), 1))
		err := engine{}.Fetch(context.Background(), "team/x", w, t.TempDir())
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d bytes came: error %v, want one that it broke off", bytes, err)
		}
	}
	// More than was asked for.
	fakeKubectl(t, strings.Replace(fetching, `exec "$@"`, `tar -C `+there+` -cPf - --transform 's,^,../,' run.json`, 1))
	if err := (engine{}).Fetch(context.Background(), "team/x", w, t.TempDir()); err == nil || !strings.Contains(err.Error(), `"../run.json" was not asked for`) {
		t.Errorf("a path that leads elsewhere: error %v", err)
	}
}
