package results

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// One flipped bit in a journal is an error that names the file, or leaves every row as
// it was but the last, where the flip makes its line one that a kill has torn.
func TestJournalFlippedBits(t *testing.T) {
	dir := t.TempDir()
	rows := someRows(6)
	j := mustOpen(t, dir)
	if err := j.Append(rows...); err != nil {
		t.Fatal(err)
	}
	j.Close()
	path := filepath.Join(dir, journalFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused, torn, same := 0, 0, 0
	flip(whole, 1, func(at int, flipped []byte) {
		if err := os.WriteFile(path, flipped, 0o644); err != nil {
			t.Fatal(err)
		}
		set, err := Read(dir)
		if err != nil {
			refused++
			if !strings.Contains(err.Error(), path) {
				t.Errorf("byte %d: %v does not name the file", at, err)
			}
			if j, err := Open(dir, someRun()); err == nil {
				j.Close()
				t.Errorf("byte %d: reading is refused, continuing is not", at)
			}
			return
		}
		left := rows
		if len(set.Rows) < len(rows) {
			torn++
			left = rows[:len(rows)-1]
		} else {
			same++
		}
		byID := map[string]Row{}
		for _, r := range set.Rows {
			byID[r.ID] = r
		}
		for _, r := range left {
			if got := byID[r.ID]; !reflect.DeepEqual(got, withRun(r, got.Run)) {
				t.Fatalf("byte %d: another row and no error:\n%+v\n%+v", at, got, r)
			}
		}
	})
	if refused == 0 {
		t.Error("nothing was refused")
	}
	t.Logf("%d flipped bits: %d refused, %d made the last line a torn one, %d changed nothing", refused+torn+same, refused, torn, same)
}

// withRun is a row as Append leaves it, which names its run.
func withRun(r Row, run string) Row {
	r.Run = run
	return r
}

// flip calls f with each byte changed in some of its bits, one at a time.
func flip(whole []byte, bits int, f func(at int, flipped []byte)) {
	rng := rand.New(rand.NewPCG(15, 6))
	if os.Getenv("SNAPBENCH_LONG") != "" {
		bits = 8
	}
	for at := range whole {
		for _, bit := range rng.Perm(8)[:bits] {
			flipped := bytes.Clone(whole)
			flipped[at] ^= 1 << bit
			f(at, flipped)
		}
	}
}
