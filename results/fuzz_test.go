package results

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

func FuzzJournal(f *testing.F) {
	var b []byte
	for _, r := range someRows(3) {
		b, _ = appendLine(b, &r)
	}
	f.Add(b)
	f.Add(b[:len(b)-5])
	other := someRows(1)[0]
	other.Run, other.Error, other.Score = "another", "no memory", nil
	failed, _ := appendLine(nil, &other)
	f.Add(append(failed, failed...)) // a later attempt
	f.Add(append(b[:len(b):len(b)], failed...))
	f.Add([]byte("{\"crc32\":\"00000000\",\"row\":null}\n"))
	f.Add([]byte("\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		j := Journal{at: map[string]int{}}
		n, err := parseJournal(b, j.take)
		if err != nil {
			if !strings.HasPrefix(err.Error(), ":") {
				t.Fatalf("error without a line: %v", err)
			}
			return
		}
		if n < len(b) && bytes.IndexByte(b[n:], '\n') >= 0 {
			t.Fatal("a complete line was taken for a torn one")
		}
		// Rows that were read can be written and read again.
		var out []byte
		for i := range j.rows {
			if out, err = appendLine(out, &j.rows[i]); err != nil {
				t.Fatal(err)
			}
		}
		k := Journal{at: map[string]int{}}
		if _, err := parseJournal(out, k.take); err != nil || !reflect.DeepEqual(j.rows, k.rows) {
			t.Fatalf("rows do not come back the same: %v", err)
		}
	})
}

func FuzzRun(f *testing.F) {
	run := someRun()
	if err := run.fill(); err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := run.write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"schema":1,"question":[[{"a":1}],{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		run, err := parseRun(b)
		if err != nil {
			if !strings.HasPrefix(err.Error(), ":") {
				t.Fatalf("error %v does not follow a file name", err)
			}
			return
		}
		var out bytes.Buffer
		if err := run.write(&out); err != nil {
			t.Fatal(err)
		}
		again, err := parseRun(out.Bytes())
		if err != nil {
			t.Fatalf("%v in %s", err, out.Bytes())
		}
		if diff, err := Differs(run.Question, again.Question); err != nil || len(diff) > 0 {
			t.Fatalf("another question: %q %v", diff, err)
		}
	})
}
