package results

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAppendRefusesRowsThatBreakTheRules(t *testing.T) {
	j := mustOpen(t, t.TempDir())
	nan := 0.0
	nan /= nan
	for name, change := range map[string]func(r *Row){
		"no id":           func(r *Row) { r.ID = "" },
		"neither":         func(r *Row) { r.Score = nil },
		"both":            func(r *Row) { r.Error = "x" },
		"score NaN":       func(r *Row) { r.Score = &nan },
		"score above 1":   func(r *Row) { r.Score = new(1.01) },
		"kl NaN":          func(r *Row) { r.KLMean = &nan },
		"without variant": func(r *Row) { r.Variant = "" },
	} {
		r := someRows(1)[0]
		change(&r)
		if err := j.Append(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if len(j.Rows()) != 0 {
		t.Errorf("%d rows", len(j.Rows()))
	}
	r := someRows(1)[0]
	r.Prediction = "a\xffb"
	if err := j.Append(r); err != nil {
		t.Fatal(err)
	}
	if p := j.Rows()[0].Prediction; p != "a\uFFFDb" {
		t.Errorf("prediction %q", p)
	}
}

func TestAppendOnAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	dir := t.TempDir()
	j := mustOpen(t, dir)
	rows := someRows(3)
	if err := j.Append(rows[0]); err != nil {
		t.Fatal(err)
	}
	real := j.file
	j.file = full
	err = j.Append(rows[1])
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), "the 1 rows before it are safe") {
		t.Errorf("error %v", err)
	}
	if j.Finished(rows[1].ID) {
		t.Error("a row that was not written counts as finished")
	}
	j.file = real
	if err := j.Append(rows[1:]...); err != nil {
		t.Fatal(err)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	if set, err := Read(dir); err != nil || len(set.Rows) != 3 {
		t.Errorf("%d rows, error %v", len(set.Rows), err)
	}
}

// TestKilled kills a process that writes a run at random moments, and continues the run until it is finished. The
// parquet file must be that of an undisturbed run.
func TestKilled(t *testing.T) {
	rows := someRows(120)
	if dir := os.Getenv("SNAPBENCH_TEST_RUN_DIR"); dir != "" { // the process to be killed
		j := mustOpen(t, dir)
		for i := 0; i < len(rows); i += 4 {
			if !j.Finished(rows[i].ID) {
				if err := j.Append(rows[i : i+4]...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(2 * time.Millisecond)
			}
		}
		if err := j.Finish(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	quiet := t.TempDir()
	j := mustOpen(t, quiet)
	if err := j.Append(rows...); err != nil {
		t.Fatal(err)
	}
	if err := j.Finish(); err != nil {
		t.Fatal(err)
	}
	j.Close()
	want, err := os.ReadFile(filepath.Join(quiet, parquetFile))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	kills := 0
	for kills < 20 {
		dir := t.TempDir()
		most, had := 120, int64(0) // milliseconds, bytes
		for {
			cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
			cmd.Env = append(os.Environ(), "SNAPBENCH_TEST_RUN_DIR="+dir)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Duration(10+rng.IntN(most))*time.Millisecond, func() { cmd.Process.Kill() })
			err := cmd.Wait()
			timer.Stop()
			if err == nil {
				break
			}
			if s := fmt.Sprint(err); s != "signal: killed" {
				t.Fatalf("%s\n%s", s, out.String())
			}
			kills++
			// Where a process needs longer than that for a row, all would be killed before it: give it more time.
			size := int64(0)
			if info, err := os.Stat(filepath.Join(dir, journalFile)); err == nil {
				size = info.Size()
			}
			if size <= had {
				most += most / 4
			}
			had = size
		}
		got, err := os.ReadFile(filepath.Join(dir, parquetFile))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("after %d kills: another parquet file (error %v)", kills, err)
		}
	}
	t.Logf("%d kills", kills)
}
