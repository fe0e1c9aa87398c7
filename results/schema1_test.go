package results

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/snapbench/snapbench/bounds"
)

// schema1 reads a fixture. The last version that wrote schema 1 made them: a finished run, and one that was killed.
func schema1(t *testing.T, name string) (string, Set) {
	t.Helper()
	dir := filepath.Join("testdata", "schema1", name)
	s, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir, s
}

func TestSchema1IsRead(t *testing.T) {
	for _, c := range []struct {
		name    string
		partial bool
		rows    int
	}{{"finished", false, 6}, {"unfinished", true, 8}} {
		dir, s := schema1(t, c.name)
		if s.Partial != c.partial || len(s.Rows) != c.rows || s.Run.Schema != 1 {
			t.Fatalf("%s: %d rows, partial %v, schema %d", dir, len(s.Rows), s.Partial, s.Run.Schema)
		}
		for i := range s.Rows {
			r := &s.Rows[i]
			if r.Schema != Schema || r.FullCacheBytes == nil || *r.FullCacheBytes != 3<<20 || r.Host != nil {
				t.Errorf("%s: row %d: schema %d, full_cache_bytes %v, host %v", dir, i, r.Schema, r.FullCacheBytes, r.Host)
			}
			if r.Policy == "full" {
				if r.Params != nil || r.Share != nil || *r.TimesFull() != 1 {
					t.Errorf("%s: full: %+v", dir, r)
				}
				continue
			}
			// The variant's own text says what the parameters must be.
			want := fmt.Sprintf("snapkv(cap=64,w=%s,k=%s,pool=%s,gqa=%s)", r.Params["w"], r.Params["k"], r.Params["pool"], r.Params["gqa"])
			if want != r.Variant || len(r.Params) != 4 {
				t.Errorf("%s: params %v of %s", dir, r.Params, r.Variant)
			}
			if r.Share == nil || *r.Share != 64.0/512 || *r.TimesFull() != 0.25 { // of 64 of 512 positions two copies, one per query head
				t.Errorf("%s: share %v, cache %v × full", dir, *r.Share, *r.TimesFull())
			}
		}
	}
}

// TestKeyIsThatOfSchema1: a key does not change with the schema.
func TestKeyIsThatOfSchema1(t *testing.T) {
	_, s := schema1(t, "finished")
	for i := range s.Rows {
		r := s.Rows[i]
		got := r.Key("tokenizer=native", "max_new=24", "min_new=0", "end=generation config", "stop=[][]", "fidelity=false", "metric=exact/1", "code_sim=")
		if got != r.ID {
			t.Errorf("row %d: key %.12s, schema 1 had %.12s", i, got, r.ID)
		}
	}
}

// TestSchema1IsNotContinued: an old run is read, but not continued, because its rows would have two schemas.
func TestSchema1IsNotContinued(t *testing.T) {
	for _, name := range []string{"finished", "unfinished"} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "schema1", name))); err != nil {
			t.Fatal(err)
		}
		_, s := schema1(t, name)
		files := func() string {
			var all strings.Builder
			for _, f := range []string{runFile, journalFile, parquetFile} {
				b, _ := os.ReadFile(filepath.Join(dir, f))
				fmt.Fprintf(&all, "%s %x\n", f, b)
			}
			return all.String()
		}
		before := files()
		_, err := Open(dir, Run{Question: s.Run.Question})
		if err == nil || !strings.Contains(err.Error(), dir+" holds a run of schema 1") {
			t.Errorf("%s: %v", name, err)
		}
		if files() != before {
			t.Errorf("%s: the refused folder changed", name)
		}
	}
}

// TestSchema1MeetsSchema2: a row in both schemas becomes one row with the values of both.
func TestSchema1MeetsSchema2(t *testing.T) {
	_, old := schema1(t, "finished")
	now := old
	now.Name = "now"
	now.Rows = nil
	for _, r := range old.Rows {
		r.Params = maps.Clone(r.Params)
		r.Host = new(false)
		now.Rows = append(now.Rows, r)
	}
	for i := range old.Rows {
		old.Rows[i].FullCacheBytes = nil
	}
	for _, sets := range [][]Set{{old, now}, {now, old}} {
		all, err := Merge(sets...)
		if err != nil {
			t.Fatal(err)
		}
		if len(all.Rows) != len(old.Rows) {
			t.Errorf("%d rows, want %d", len(all.Rows), len(old.Rows))
		}
		for i := range all.Rows {
			if r := &all.Rows[i]; r.Host == nil || r.FullCacheBytes == nil {
				t.Errorf("row %d lost what schema 2 knows: host %v, full_cache_bytes %v", i, r.Host, r.FullCacheBytes)
			}
		}
	}
}

// TestSchema1Damage: damage in an old file is still found.
func TestSchema1Damage(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "schema1", "unfinished", journalFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	for name, c := range map[string]struct {
		from, to, want string
	}{
		"a column of schema 2 in schema 1": {`"budget":"64"`, `"budget":"64","params":{"k":"5"}`, `unknown field "params"`},
		"a column of schema 1 in schema 2": {`{"schema":1`, `{"schema":2`, `unknown field "window"`},
		"a schema that is not known":       {`{"schema":1`, `{"schema":3`, "schema 3, this snapbench reads 1 to 2"},
		"a text where there was a number":  {`"kernel":5`, `"kernel":"5"`, "kernel"},
	} {
		var row []byte
		for _, line := range lines {
			if bytes.Contains(line, []byte(`"kernel":5`)) {
				row = line[bytes.Index(line, []byte(`{"schema"`)) : len(line)-2]
				break
			}
		}
		if _, err := parseRow(row); err != nil {
			t.Fatal(err)
		}
		_, err := parseRow(bytes.Replace(row, []byte(c.from), []byte(c.to), 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	whole, err := os.ReadFile(filepath.Join("testdata", "schema1", "finished", parquetFile))
	if err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(whole), int64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Lookup(keyRows); !ok {
		t.Fatal("the fixture has no checksum of rows")
	}
	// The checksum of the rows is over schema 1's columns.
	old, err := readRows[row1](f, columns1, bounds.Unpacking(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	old[0].Prediction += "x"
	if got, _ := digest(old); got == mustLookup(f) {
		t.Error("another prediction has the same checksum")
	}
	if _, err := readParquet(bytes.NewReader(whole[:len(whole)-1]), int64(len(whole)-1)); err == nil {
		t.Errorf("cut off: %v", err)
	}
}

func mustLookup(f *parquet.File) string { v, _ := f.Lookup(keyRows); return v }
