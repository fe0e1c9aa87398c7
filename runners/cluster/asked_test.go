package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func init() {
	Register(Definition{Name: "asked-test", Help: "of a test", New: func() Engine { return &engine{} }})
}

func TestAsked(t *testing.T) {
	asked := Asked{On: "asked-test", Shards: 3, Grace: time.Minute, Command: "needle", Arguments: []string{"--lengths=1k", "file"},
		EngineArgs: "--a='b c' -d", Program: "/bin/snapbench", Out: filepath.Join(t.TempDir(), "run"), Date: "2026-01-02"}
	p, err := asked.Placement()
	if err != nil {
		t.Fatal(err)
	}
	if w := p.Work; !slices.Equal(w.Command("1/3"), []string{"/bin/snapbench", "needle", "--lengths=1k", "file", "--out", asked.Out, "--shard", "1/3"}) ||
		!slices.Equal(w.EngineArgs, []string{"--a=b c", "-d"}) || w.Count != 3 || w.Grace != time.Minute || w.Name != JobName(asked.Out) {
		t.Errorf("%+v", w)
	}
	// Without a day all parts are told the same one; without a folder the same words have the
	// same one, whatever the day.
	asked.Date, asked.Out = "", ""
	dirs := map[string]bool{}
	for _, arguments := range [][]string{asked.Arguments, asked.Arguments, {"--lengths=2k"}} {
		asked.Arguments = arguments
		if p, err = asked.Placement(); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(p.Work.Arguments[1], "--date=") {
			t.Errorf("%q names no day", p.Work.Arguments)
		}
		dirs[p.Dir] = true
	}
	if len(dirs) != 2 {
		t.Errorf("folders %v, want one for each of two commands", dirs)
	}
	asked.Program = ""
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]string{"": own, "registry/image": "snapbench"} {
		asked.Image = image
		if p, err = asked.Placement(); err != nil || p.Work.Program != want {
			t.Errorf("image %q: %v, program %s, want %s", image, err, p.Work.Program, want)
		}
	}
	for want, mistake := range map[string]Asked{
		"--on:":         {On: "nosuch"},
		"--out:":        {On: "asked-test", Out: "s3://bucket/run"},
		"--engine-args": {On: "asked-test", EngineArgs: "'open"},
		"--shards 0":    {On: "asked-test"},
		"--on: unknown": {},
		"--at-once -1":  {On: "asked-test", Shards: 1, AtOnce: -1},
		"--grace -1s":   {On: "asked-test", Shards: 1, Grace: -time.Second},
	} {
		if want == "--out:" || want == "--engine-args" {
			mistake.Shards = 1
		}
		err := mistake.Check()
		if err == nil {
			_, err = mistake.Placement()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
