package jieba

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// smallDir has the project's own dictionary and tables, in the format of jieba's.
// small.json has texts and the words that jieba cuts with these.
const smallDir = "testdata/small"

type vector struct {
	Text  string
	Words []string
}

func compare(t *testing.T, s *Segmenter, vectors []vector) {
	t.Helper()
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	wrong := 0
	for _, v := range vectors {
		if got := s.Cut(v.Text); !slices.Equal(got, v.Words) {
			if wrong++; wrong <= 5 {
				t.Errorf("Cut(%q)\n got %q\nwant %q", v.Text, got, v.Words)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d differ", wrong, len(vectors))
	}
}

// TestSmall cuts with the small dictionary, read in each form.
func TestSmall(t *testing.T) {
	var vectors []vector
	sharedtest.JSON(t, "testdata/small.json", &vectors)
	packed := t.TempDir()
	writeTar(t, filepath.Join(packed, "jieba-1.tar.gz"), "jieba-1/jieba/", Files[:])
	writeZip(t, filepath.Join(packed, "jieba-1.whl"), "jieba/", Files[:])
	site := filepath.Join(packed, "site", "jieba")
	if err := os.MkdirAll(filepath.Dir(site), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(site, os.DirFS(smallDir)); err != nil {
		t.Fatal(err)
	}
	prints := map[string]bool{}
	for _, path := range []string{smallDir, filepath.Dir(site), filepath.Join(packed, "jieba-1.tar.gz"), filepath.Join(packed, "jieba-1.whl")} {
		s, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		prints[s.Fingerprint()] = true
		compare(t, s, vectors)
	}
	if len(prints) != 1 {
		t.Errorf("%d fingerprints for the same data", len(prints))
	}
}

// TestShared cuts with jieba's own dictionary.
func TestShared(t *testing.T) {
	vectorsPath := sharedtest.Path(t, "vectors", "jieba.json")
	path, err := Locate()
	if err != nil {
		t.Skip(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.Fingerprint() != Fingerprint0421 {
		t.Fatalf("%s: fingerprint %s, of 0.42.1 %s", path, s.Fingerprint(), Fingerprint0421)
	}
	var vectors []vector
	sharedtest.JSON(t, vectorsPath, &vectors)
	compare(t, s, vectors)
}

// TestTies: of two equally probable paths the one with the longer word wins, also
// if a logarithm with a wrong last bit would break the tie; and a word that the
// path rejects does not go to the model. The expected words are jieba's.
func TestTies(t *testing.T) {
	small, err := Open(smallDir)
	if err != nil {
		t.Fatal(err)
	}
	for dict, want := range map[string][]string{
		"大 10\n学 10\n大学 1\n的 79\n":       {"大学"},
		"大 9\n学 9\n大学 3\n的 6\n":          {"大学"},
		"大 1000\n学 1000\n大学 1\n":         {"大", "学"},
		"大 1000\n学 1000\n大学 0\n":         {"大学"}, // the model's word
		"大 1000\n学 1000\n大学 1\n的 2000\n": {"大", "学"},
	} {
		d, err := parseDictionary("dict.txt", []byte(dict))
		if err != nil {
			t.Fatal(err)
		}
		s := Segmenter{dict: d, model: small.model}
		if got := s.Cut("大学"); !slices.Equal(got, want) {
			t.Errorf("with %q: %q, want %q", dict, got, want)
		}
	}
}

func writeTar(t *testing.T, path, prefix string, names []string) {
	t.Helper()
	var buf bytes.Buffer
	zipped := gzip.NewWriter(&buf)
	archive := tar.NewWriter(zipped)
	for _, name := range append([]string{"setup.py"}, names...) {
		data, err := os.ReadFile(filepath.Join(smallDir, name))
		if err != nil {
			data = []byte("# nothing\n")
		}
		if err := archive.WriteHeader(&tar.Header{Name: prefix + name, Size: int64(len(data)), Mode: 0o644, Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

func writeZip(t *testing.T, path, prefix string, names []string) {
	t.Helper()
	var buf bytes.Buffer
	archive := zip.NewWriter(&buf)
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(smallDir, name))
		if err != nil {
			t.Fatal(err)
		}
		w, err := archive.Create(prefix + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, buf.Bytes(), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// with copies the small data and replaces one file.
	with := func(name, content string) string {
		copied, err := os.MkdirTemp(dir, "with")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(copied, "jieba"), os.DirFS(smallDir)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, "jieba", name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		return copied
	}
	lacking := filepath.Join(dir, "lacking.tar.gz")
	writeTar(t, lacking, "jieba-1/jieba/", []string{"dict.txt", "finalseg/prob_start.py"})
	half, err := os.ReadFile(lacking)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"absent":          {filepath.Join(dir, "none"), "no such file"},
		"an empty folder": {t.TempDir(), "dict.txt"},
		"another file":    {file("x.txt", "x"), "neither a directory nor"},
		"no gzip":         {file("x.tar.gz", "x"), "x.tar.gz"},
		"half a tar":      {file("half.tar.gz", string(half[:len(half)/2])), "half.tar.gz"},
		"no zip":          {file("x.whl", "x"), "not a valid zip file"},
		"a poor archive":  {lacking, "the archive lacks jieba/finalseg/prob_trans.py, jieba/finalseg/prob_emit.py"},
		"no words":        {with("dict.txt", ""), "dict.txt: the dictionary has no words"},
		"no frequency":    {with("dict.txt", "一 2 n\n二\n"), `dict.txt:2: a dictionary line is a word, a space and a frequency: "二"`},
		"text frequency":  {with("dict.txt", "一 x n\n"), `dict.txt:1: "x" is no frequency`},
		"negative":        {with("dict.txt", "一 -2\n"), `"-2" is no frequency`},
		"too frequent":    {with("dict.txt", "一 9007199254740992\n二 1\n"), "dict.txt:2: the frequencies add up to more than 2^53"},
		"invalid UTF-8":   {with("dict.txt", "一 2\n\xff 3\n"), "dict.txt:2: invalid UTF-8"},
		"no P":            {with("finalseg/prob_start.py", "Q={}\n"), "no line assigns to P"},
		"code":            {with("finalseg/prob_start.py", "P=load()\n"), "prob_start.py:1: expected a dictionary"},
		"cut off":         {with("finalseg/prob_start.py", "P={'B': -1,\n'E'"), "prob_start.py:2: expected : after the key"},
		"not a number":    {with("finalseg/prob_start.py", "P={'B': nan}"), "expected a number"},
		"infinite":        {with("finalseg/prob_start.py", "P={'B': -1e999}"), "expected a number"},
		"a state missing": {with("finalseg/prob_start.py", "P={'B': -1, 'M': -2, 'E': -3}"), `prob_start.py: no entry "S"`},
		"wrong shape":     {with("finalseg/prob_trans.py", "P={'B': -1, 'M': -2, 'E': -3, 'S': -1}"), `"B" is not a dictionary`},
		"a long key":      {with("finalseg/prob_emit.py", "P={'B': {'ab': -1}, 'M': {}, 'E': {}, 'S': {}}"), "not one character"},
		"a surrogate":     {with("finalseg/prob_emit.py", `P={'B': {'\ud840': -1}}`), `\ud840 is no character`},
		"text after it":   {with("finalseg/prob_start.py", "P={'B': -1}\nprint(P)"), "expected the end"},
		"too deep":        {with("finalseg/prob_start.py", "P="+strings.Repeat("{'B':", 9)), "nested deeper"},
	} {
		_, err := Open(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestLocate(t *testing.T) {
	t.Setenv(Env, "somewhere")
	if path, err := Locate(); path != "somewhere" || err != nil {
		t.Errorf("Locate = %q, %v", path, err)
	}
	t.Setenv(Env, "")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	_, err := Locate()
	if err == nil || !strings.Contains(err.Error(), "pip download") || !strings.Contains(err.Error(), Env) {
		t.Errorf("without the data: %v, want how to get them", err)
	}
}

// TestLogInt uses logarithms that the C library rounds correctly, unlike math.Log.
func TestLogInt(t *testing.T) {
	for n, want := range map[int64]float64{
		1: 0, 2: math.Ln2, 3: 1.0986122886681098, 14: 2.6390573296152584, 48: 3.871201010907891, 74: 4.30406509320417,
	} {
		if got := logInt(n); got != want {
			t.Errorf("logInt(%d) = %v, want %v", n, got, want)
		}
	}
	for n := int64(1); n < 1<<52; n += 1 + n/7 {
		if got, near := logInt(n), math.Log(float64(n)); !(math.Abs(got-near) <= 4e-16*math.Max(1, near)) {
			t.Errorf("logInt(%d) = %v, math.Log %v", n, got, near)
		}
	}
}

func FuzzDictionary(f *testing.F) {
	data, err := os.ReadFile(filepath.Join(smallDir, "dict.txt"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, "上下文的压缩100%。x-ray")
	f.Add([]byte("一 1\n一个 0\r\n"), "一个")
	f.Add([]byte(" 一 1"), "\xff一")
	small, err := Open(smallDir)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		d, err := parseDictionary("dict.txt", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "dict.txt:") {
				t.Errorf("the error %q does not name the file", err)
			}
			return
		}
		s := Segmenter{dict: d, model: small.model}
		if joined := strings.Join(s.Cut(text), ""); joined != text {
			t.Errorf("the words of %q joined are %q", text, joined)
		}
	})
}

func FuzzTable(f *testing.F) {
	for _, name := range Files[1:] {
		data, err := os.ReadFile(filepath.Join(smallDir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("P = {u\"\\x41\\U0001f600\": 1e3, # note\n'B': {}}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := parseTable("prob.py", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "prob.py:") {
				t.Errorf("the error %q does not name the file", err)
			}
			return
		}
		if _, err := json.Marshal(table); err != nil { // fails on NaN and infinity
			t.Errorf("%v", err)
		}
	})
}
