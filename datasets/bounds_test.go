package datasets

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/snapbench/snapbench/bounds"
)

// A line that is too long is refused by its number and without much memory, packed or not.
func TestLongLines(t *testing.T) {
	dir := t.TempDir()
	path := writeFile(t, filepath.Join(dir, "p.jsonl"), `{"prompt": "x", "answers": ["a"]}`+"\n")
	if err := os.Truncate(path, 300<<20); err != nil { // a hole, as long as the line
		t.Fatal(err)
	}
	packed := archive(t, filepath.Join(dir, "data.zip"), "qasper.jsonl", qasperRow("a", nil)+strings.Repeat(" ", bounds.MaxLine+1))
	bounds.SetUnpacked(1 << 40)
	defer bounds.SetUnpacked(0)
	for want, open := range map[string]func() error{
		path + ":2: ":                func() error { _, err := Open("prompts", Options{Own: &PromptsOptions{File: path}}); return err },
		packed + ":qasper.jsonl:2: ": func() error { _, err := Open("qasper", Options{Own: &LongBenchOptions{Data: packed}}); return err },
	} {
		var err error
		n := allocated(func() { err = open() })
		if err == nil || err.Error() != want+bounds.ErrLongLine.Error() {
			t.Errorf("%v, want %s", err, want)
		}
		if n > 8*bounds.MaxLine {
			t.Errorf("%s takes %d MB", want, n>>20)
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A small file that unpacks to too much is refused without much memory, by the default limit
// and by one that is set.
func TestUnpacked(t *testing.T) {
	dir := t.TempDir()
	bomb := strings.Repeat(qasperRow(nil, map[string]any{"context": strings.Repeat("word ", 200<<10)}), 100)
	zip := func(entries ...string) string {
		return archive(t, filepath.Join(dir, fmt.Sprint(len(entries), len(entries[1]), ".zip")), entries...)
	}
	rows := make([]modernRow, 6000)
	for i := range rows {
		rows[i] = modernRow{"q", strings.Repeat("word ", 4<<10), []string{"a"}, 1, "qasper", "en", nil, new(fmt.Sprint(i))}
	}
	type dictRow struct { // a text that all rows share is there once
		Input    string   `parquet:"input"`
		Context  string   `parquet:"context,dict,zstd"`
		Answers  []string `parquet:"answers,list"`
		Length   int64    `parquet:"length"`
		Dataset  string   `parquet:"dataset"`
		Language string   `parquet:"language"`
		Classes  []string `parquet:"all_classes,optional,list"`
		ID       *string  `parquet:"_id"`
	}
	dict := make([]dictRow, len(rows))
	for i, r := range rows {
		dict[i] = dictRow{r.Input, r.Context, r.Answers, r.Length, r.Dataset, r.Language, nil, r.ID}
	}
	packed := filepath.Dir(writeParquet(t, filepath.Join(dir, "zstd", "qasper.parquet"), rows, parquet.Compression(&parquet.Zstd), parquet.SkipPageBounds("context"), parquet.DataPageStatistics(false)))
	for name, data := range map[string]string{
		"gzip":                 filepath.Dir(writeFile(t, filepath.Join(dir, "1", "qasper.jsonl.gz"), gzipped(t, bomb))),
		"an archive":           zip("qasper.jsonl", bomb),
		"gzip in an archive":   zip("qasper.jsonl.gz", gzipped(t, bomb)),
		"parquet":              packed,
		"parquet, repetitions": filepath.Dir(writeParquet(t, filepath.Join(dir, "dict", "qasper.parquet"), dict, parquet.SkipPageBounds("context"))),
	} {
		var err error
		n := allocated(func() { _, err = Open("qasper", Options{Own: &LongBenchOptions{Data: data}}) })
		if err == nil || !strings.HasPrefix(err.Error(), data) || !strings.Contains(err.Error(), " bytes unpack to more than 67108864, ") || !strings.Contains(err.Error(), bounds.UnpackedFlag) {
			t.Errorf("%s: %v", name, err)
		}
		if n > 700<<20 {
			t.Errorf("%s takes %d MB", name, n>>20)
		}
	}
	bounds.SetUnpacked(1 << 30)
	defer bounds.SetUnpacked(0)
	if task, err := Open("qasper", Options{Own: &LongBenchOptions{Data: packed}}); err != nil || task.Len() != len(rows) {
		t.Errorf("allowed: %v", err)
	}
}

func FuzzParquet(f *testing.F) {
	b, err := os.ReadFile(writeParquet(f, filepath.Join(f.TempDir(), "x"), []modernRow{{"q", "c", []string{"a", "b"}, 1, "qasper", "en", []string{"x"}, new("i")}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, c := range []compress.Codec{&parquet.Snappy, &parquet.Gzip, &parquet.Brotli, &parquet.Zstd} {
		for version := 1; version <= 2; version++ {
			b, err := os.ReadFile(writeParquet(f, filepath.Join(f.TempDir(), "x"), []modernRow{{"q", "c", []string{"a", "b"}, 1, "qasper", "en", []string{"x"}, new("i")}},
				parquet.Compression(c), parquet.DataPageVersion(version)))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var err error
		n := allocated(func() {
			err = parquetRows("f", bytes.NewReader(b), int64(len(b)), bounds.Unpacking(int64(len(b))), func(int, longbenchRow) error { return nil })
		})
		if n > 512<<20 {
			t.Fatalf("%d MB for a file of %d bytes (%v)", n>>20, len(b), err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Fatalf("an error without the file: %v", err)
		}
	})
}

// Damaged files are errors and cost little memory, whatever the library does with them.
func TestParquetDamaged(t *testing.T) {
	whole, err := os.ReadFile(writeParquet(t, filepath.Join(t.TempDir(), "x"), []modernRow{{"q", "c", []string{"a", "b"}, 1, "qasper", "en", []string{"x"}, new("i")}}))
	if err != nil {
		t.Fatal(err)
	}
	rng := newRandom("damage")
	refused := 0
	for i := range 1000 {
		b := bytes.Clone(whole)
		if i%4 == 0 {
			b = b[:rng.intn(len(b))]
		}
		for range rng.intn(4) {
			if len(b) > 0 {
				b[rng.intn(len(b))] = byte(rng.intn(256))
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := parquetRows("f", bytes.NewReader(b), int64(len(b)), bounds.Unpacking(int64(len(b))), func(int, longbenchRow) error { return nil })
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
			t.Errorf("variant %d: %d MB for a file of %d bytes (%v)", i, n>>20, len(b), err)
		}
		if err != nil {
			refused++
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("variant %d: an error without the file: %v", i, err)
			}
		}
	}
	if refused < 200 {
		t.Errorf("%d of 1000 damaged files refused", refused)
	}
}
