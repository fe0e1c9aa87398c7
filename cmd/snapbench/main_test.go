package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asCommand is an environment variable: with it the test binary runs as the program.
const asCommand = "SNAPBENCH_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" { // a command may have started it
		serve(os.Args[1:])
	}
	if os.Getenv(asCommand) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){
		"snapbench": main,
	})
}

// The scripts in testdata hold what a user types and what the program must print.
func TestSessions(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			if err := writePrompts(filepath.Join(e.WorkDir, "prompts.jsonl"), 4); err != nil {
				return err
			}
			return writeTinyModel(filepath.Join(e.WorkDir, "tiny"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			// status N COMMAND…: the command ends with exit status N
			"status": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 {
					ts.Fatalf("usage: status N COMMAND...")
				}
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				err = ts.Exec(args[1], args[2:]...)
				got := 0
				if exit, ok := err.(interface{ ExitCode() int }); ok {
					got = exit.ExitCode()
				} else if err != nil {
					ts.Fatalf("%v", err)
				}
				if got != want {
					ts.Fatalf("exit status %d, want %d", got, want)
				}
			},
		},
	})
}

// snapbench runs the program and returns its exit status and what it printed.
func snapbench(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(args, &out, &err)
	return status, out.String(), err.String()
}

// pass runs the program, which must succeed, and returns what it printed.
func pass(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := snapbench(args...)
	if status != exitPass {
		t.Fatalf("snapbench %s: exit status %d\n%s%s", strings.Join(args, " "), status, stdout, stderr)
	}
	return stdout
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
