package predictions

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/metrics"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// folder writes files into a new folder. Those with the ending .gz are compressed.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		data := []byte(content)
		if strings.HasSuffix(name, ".gz") {
			var buf bytes.Buffer
			w := gzip.NewWriter(&buf)
			if _, err := w.Write(data); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			data = buf.Bytes()
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	qasper = `{"pred": "in Paris", "answers": ["Paris", "the city of Paris"], "all_classes": null, "length": 3999}
{"pred": "no", "answers": ["yes"], "all_classes": null, "length": 4000}
{"pred": "Yes.", "answers": ["yes"], "all_classes": null, "length": 8000, "_id": "x"}
`
	trec = `{"pred": "\n\nDate\nQuestion: Food", "answers": ["Date"], "all_classes": ["Food", "Date"], "length": 1}
{"pred": "Food or Date", "answers": ["Date"], "all_classes": ["Food", "Date"], "length": 2}`
	lcc = `{"pred": "# sum\nreturn a+b", "answers": ["return a + b"], "all_classes": null, "length": 17000}
`
)

func TestScore(t *testing.T) {
	dir := folder(t, map[string]string{
		"trec.jsonl": trec, "qasper_e.jsonl.gz": qasper, "lcc.jsonl": lcc, "qasper.jsonl": qasper,
		"result.json": "{", "notes.txt": "",
	})
	sets, err := ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	got := map[string]Result{}
	for _, set := range sets {
		result, err := set.Score(Options{Buckets: LongBenchE})
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, set.Name)
		got[set.Name] = result
	}
	if want := []string{"qasper", "qasper_e", "trec", "lcc"}; !slices.Equal(names, want) {
		t.Fatalf("sets %q, want %q", names, want)
	}
	q := got["qasper_e"]
	if q.Metric != "qa_f1" || q.MetricVersion < 1 || len(q.Scores) != 3 || !(math.Abs(q.Scores[0]-2.0/3) <= 1e-12) || q.Scores[1] != 0 || q.Scores[2] != 1 {
		t.Errorf("qasper_e: %+v", q)
	}
	if q.Score != 55.56 {
		t.Errorf("qasper_e: %v, want 55.56", q.Score)
	}
	if fmt.Sprint(q.Buckets) != "[{0-4k 1 66.67} {4-8k 1 0} {8k+ 1 100}]" {
		t.Errorf("buckets %v", q.Buckets)
	}
	if tr := got["trec"]; tr.Score != 75 || fmt.Sprint(tr.Buckets) != "[{0-4k 2 75} {4-8k 0 NaN} {8k+ 0 NaN}]" {
		t.Errorf("trec: %+v", tr)
	}
	text, err := json.Marshal(got["trec"].Buckets[1])
	if err != nil || string(text) != `{"label":"4-8k","rows":0,"score":null}` {
		t.Errorf("an empty bucket as JSON: %s, %v", text, err)
	}
	// "return a+b" in "return a + b": 10 characters of 22.
	l := got["lcc"]
	if l.Metric != "code_sim" || l.Scores[0] != 0.91 || len(l.Others["code_sim_difflib"]) != 1 {
		t.Errorf("lcc: %+v", l)
	}
	set, err := ReadFile(filepath.Join(dir, "lcc.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := set.Score(Options{CodeSim: "difflib"})
	if err != nil {
		t.Fatal(err)
	}
	if other.Metric != "code_sim_difflib" || !slices.Equal(other.Others["code_sim"], l.Scores) || other.Buckets != nil {
		t.Errorf("lcc by difflib: %+v", other)
	}
}

func TestEdges(t *testing.T) {
	for s, labels := range map[string]string{
		"4k,8k":           "[0-4k 4-8k 8k+]",
		"4k,8k, 16k,32k":  "[0-4k 4-8k 8-16k 16-32k 32k+]",
		"4000":            "[0-4k 4k+]",
		"500,1k":          "[0-500 500-1000 1000+]",
		"4000,8000,16000": "[0-4k 4-8k 8-16k 16k+]",
	} {
		edges, err := ParseEdges(s)
		if err != nil || fmt.Sprint(edges.Labels()) != labels {
			t.Errorf("ParseEdges(%q): labels %v, %v, want %s", s, edges.Labels(), err, labels)
		}
	}
	for _, s := range []string{"", "4k,", "8k,4k", "4k,4k", "-4k", "0", "4m", "k", "99999999999999999999"} {
		if edges, err := ParseEdges(s); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", s)) {
			t.Errorf("ParseEdges(%q) = %v, %v", s, edges, err)
		}
	}
	for length, want := range map[int]int{0: 0, 3999: 0, 4000: 1, 7999: 1, 8000: 2, 1 << 30: 2} {
		if got := LongBenchE.index(length); got != want {
			t.Errorf("length %d is in bucket %d, want %d", length, got, want)
		}
	}
}

// TestBucketPoints compares with round(100 * np.mean(scores), 2). Many of the cases
// lie at halves, where Python's own rounding gives another result.
func TestBucketPoints(t *testing.T) {
	var cases []struct {
		Scores []float64
		Points float64
	}
	sharedtest.JSON(t, "testdata/numpy.json", &cases)
	differ := 0
	for i, c := range cases {
		if got := bucketPoints(c.Scores); got != c.Points {
			t.Errorf("case %d of %d scores: %v, numpy %v", i, len(c.Scores), got, c.Points)
		}
		if metrics.Points(c.Scores) != c.Points {
			differ++
		}
	}
	if differ == 0 {
		t.Error("no case tells numpy's rounding from Python's")
	}
}

func TestMalformed(t *testing.T) {
	good := `{"pred": "a", "answers": ["a"], "all_classes": null, "length": 1}` + "\n"
	for name, c := range map[string]struct{ file, content, want string }{
		"no pred":          {"qasper.jsonl", good + `{"answers": ["a"], "all_classes": null}`, `qasper.jsonl:2: no field "pred"`},
		"Pred":             {"qasper.jsonl", `{"Pred": "a", "answers": ["a"], "all_classes": null}`, `qasper.jsonl:1: no field "pred"`},
		"no answers":       {"qasper.jsonl", `{"pred": "a", "all_classes": null}`, `:1: no field "answers"`},
		"no classes field": {"qasper.jsonl", `{"pred": "a", "answers": ["a"]}`, `:1: no field "all_classes"`},
		"pred null":        {"qasper.jsonl", `{"pred": null, "answers": ["a"], "all_classes": null}`, "pred: expected a string, found null"},
		"pred number":      {"qasper.jsonl", `{"pred": 7, "answers": ["a"], "all_classes": null}`, "pred: expected a string, found a number"},
		"answers string":   {"qasper.jsonl", `{"pred": "a", "answers": "a", "all_classes": null}`, "answers: expected a list of strings, found a string"},
		"answers of lists": {"qasper.jsonl", `{"pred": "a", "answers": ["a", ["b"]], "all_classes": null}`, "answers[1]: expected a string, found a list"},
		"answers null":     {"qasper.jsonl", `{"pred": "a", "answers": [null], "all_classes": null}`, "answers[0]: expected a string, found null"},
		"answers empty":    {"qasper.jsonl", `{"pred": "a", "answers": [], "all_classes": null}`, "answers: an empty list"},
		"classes object":   {"qasper.jsonl", `{"pred": "a", "answers": ["a"], "all_classes": {}}`, "all_classes: expected a list of strings, found an object"},
		"classes missing":  {"trec.jsonl", `{"pred": "a", "answers": ["a"], "all_classes": null}`, "all_classes: trec is graded by the class names"},
		"length string":    {"qasper.jsonl", `{"pred": "a", "answers": ["a"], "all_classes": null, "length": "9"}`, "length: expected a number, found a string"},
		"length negative":  {"qasper.jsonl", `{"pred": "a", "answers": ["a"], "all_classes": null, "length": -9}`, "length: -9 is no count"},
		"length fraction":  {"qasper.jsonl", `{"pred": "a", "answers": ["a"], "all_classes": null, "length": 9.5}`, "length: 9.5 is no count"},
		"invalid UTF-8":    {"qasper.jsonl", good + good + "{\"pred\": \"a\xff\"}", "qasper.jsonl:3: invalid UTF-8 at byte 11"},
		"no JSON":          {"qasper.jsonl", good + "pred", "qasper.jsonl:2: not JSON"},
		"cut off":          {"qasper.jsonl", good + good[:20], "qasper.jsonl:2: not JSON"},
		"a list":           {"qasper.jsonl", "[1]", "qasper.jsonl:1: expected an object, found a list"},
		"null":             {"qasper.jsonl", "null", "qasper.jsonl:1: expected an object, found null"},
		"an empty line":    {"qasper.jsonl", good + "\n" + good, "qasper.jsonl:2: an empty line"},
		"NaN":              {"qasper.jsonl", `{"pred": NaN}`, "qasper.jsonl:1: not JSON"},
		"an empty file":    {"qasper.jsonl", "", "qasper.jsonl: no rows"},
		"an empty gz":      {"qasper.jsonl.gz", "", "qasper.jsonl.gz: no rows"},
		"unknown set":      {"quasper.jsonl", good, `unknown set "quasper"`},
		"no such E set":    {"musique_e.jsonl", good, `unknown set "musique_e"`},
		"no file":          {"result.json", good, "no SET.jsonl or SET.jsonl.gz"},
	} {
		_, err := ReadDir(folder(t, map[string]string{c.file: c.content}))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestFileErrors(t *testing.T) {
	if _, err := ReadDir(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := ReadFile("qasper.json"); err == nil {
		t.Error("a .json was read")
	}
	dir := folder(t, map[string]string{"qasper.jsonl": qasper, "qasper.jsonl.gz": qasper})
	if _, err := ReadDir(dir); err == nil || !strings.Contains(err.Error(), "the set qasper is in both") {
		t.Errorf("a set twice: %v", err)
	}
	dir = folder(t, map[string]string{"trec.jsonl.gz": trec})
	path := filepath.Join(dir, "trec.jsonl.gz")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{0, 5, len(whole) - 5} {
		if err := os.WriteFile(path, whole[:n], 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadDir(dir); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%d of %d bytes of a .gz: %v", n, len(whole), err)
		}
	}
}

// TestManyErrors: every malformed row of every file is reported, up to a limit.
func TestManyErrors(t *testing.T) {
	dir := folder(t, map[string]string{
		"qasper.jsonl": "{}\n" + qasper + "[]\n",
		"trec.jsonl":   strings.Repeat("{}\n", maxErrors+7),
	})
	_, err := ReadDir(dir)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"qasper.jsonl:1: ", "qasper.jsonl:5: ", fmt.Sprintf("trec.jsonl:%d: ", maxErrors), "and 7 more malformed rows"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
	var row *RowError
	if !errors.As(err, &row) || row.Line != 1 {
		t.Errorf("no RowError in %v", err)
	}
}

func TestScoreErrors(t *testing.T) {
	dir := folder(t, map[string]string{
		"passage_retrieval_en.jsonl": `{"pred": "7", "answers": ["Paragraph 7"], "all_classes": null}` + "\n" +
			`{"pred": "7", "answers": ["seven"], "all_classes": null}`,
		"qasper.jsonl": `{"pred": "7", "answers": ["7"], "all_classes": null}`,
	})
	sets, err := ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"passage_retrieval_en": `passage_retrieval_en.jsonl:2: metrics: the answer "seven" has no number`,
		"qasper":               `qasper.jsonl:1: no field "length"`,
	}
	for _, set := range sets {
		if _, err := set.Score(Options{Buckets: LongBenchE}); err == nil || !strings.Contains(err.Error(), want[set.Name]) {
			t.Errorf("%s: %v, want an error with %q", set.Name, err, want[set.Name])
		}
		if _, err := set.Score(Options{CodeSim: "cosine"}); err == nil {
			t.Errorf("%s: an unknown similarity was taken", set.Name)
		}
	}
}

// TestChineseNeedsJieba: without jieba's dictionary a Chinese set is refused
// before a row is graded, and the error says how to get the dictionary.
func TestChineseNeedsJieba(t *testing.T) {
	metrics.UseJieba(filepath.Join(t.TempDir(), "none.tar.gz"))
	defer metrics.UseJieba("")
	set, err := ReadFile(filepath.Join(folder(t, map[string]string{
		"vcsum.jsonl": `{"pred": "会议", "answers": ["会议"], "all_classes": null}`,
	}), "vcsum.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := set.Score(Options{}); err == nil || !strings.Contains(err.Error(), "pip download") {
		t.Errorf("without the dictionary: %v", err)
	}
	// Another dictionary would give other scores.
	metrics.UseJieba(filepath.Join("..", "jieba", "testdata", "small"))
	if _, err := set.Score(Options{}); err == nil || !strings.Contains(err.Error(), "not those of jieba 0.42.1") {
		t.Errorf("with another dictionary: %v", err)
	}
}

// TestBounds: a small file that unpacks to a large one, and a very long line, fail early.
func TestBounds(t *testing.T) {
	row := func(n int) string {
		return `{"pred": "` + strings.Repeat("a", n) + `", "answers": ["a"], "all_classes": null, "length": 1}` + "\n"
	}
	defer bounds.SetUnpacked(0)
	for text, want := range map[string]string{
		strings.Repeat(row(1<<20), 70): ":64: its ",
		strings.Repeat(row(0), 500000): ":", // each row takes more memory than its text
		row(bounds.MaxLine):            ":1: " + bounds.ErrLongLine.Error(),
	} {
		bounds.SetUnpacked(0)
		if strings.HasSuffix(want, bounds.ErrLongLine.Error()) { // let it unpack, so that the line's length decides
			bounds.SetUnpacked(1 << 30)
		}
		path := filepath.Join(t.TempDir(), "qasper.jsonl.gz")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		z := gzip.NewWriter(f)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(z.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = ReadFile(path)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.HasPrefix(err.Error(), path+want) || bounds.Unpacked(1) < 1<<30 && !strings.Contains(err.Error(), bounds.UnpackedFlag) {
			t.Errorf("%v, want %s", err, want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<30 {
			t.Errorf("%s takes %d MB", want, n>>20)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(qasper), 0)
	f.Add([]byte(trec), 12)
	f.Add([]byte(lcc), 19)
	f.Add([]byte("{\"pred\":\"\\ud800\",\"answers\":[\"\"],\"all_classes\":[],\"length\":1e3}\r\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		set := metrics.LongBench[uint(n)%uint(len(metrics.LongBench))]
		rows, err := read(bytes.NewReader(data), "x.jsonl", set, bounds.Unpacking(int64(len(data))))
		if err != nil {
			if rows != nil || !strings.HasPrefix(err.Error(), "x.jsonl:") {
				t.Errorf("%d rows and the error %q", len(rows), err)
			}
			return
		}
		if len(rows) == 0 {
			t.Error("neither rows nor an error")
		}
		for i, row := range rows {
			if row.Line != i+1 || len(row.Answers) == 0 || row.Length < -1 {
				t.Errorf("row %d: %+v", i, row)
			}
		}
		// Written again, the rows are read as they were.
		var again bytes.Buffer
		for _, row := range rows {
			fields := map[string]any{"pred": row.Pred, "answers": row.Answers, "all_classes": row.Classes}
			if row.Length >= 0 {
				fields["length"] = row.Length
			}
			line, err := json.Marshal(fields)
			if err != nil {
				t.Fatal(err)
			}
			again.Write(append(line, '\n'))
		}
		second, err := read(&again, "x.jsonl", set, bounds.Unpacking(int64(len(data))))
		if err != nil || !reflect.DeepEqual(rows, second) {
			t.Errorf("%+v became %+v, %v", rows, second, err)
		}
	})
}
