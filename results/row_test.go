package results

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// someRows makes n distinct rows. Most nullable columns are null in some and not in others.
func someRows(n int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		r := &rows[i]
		*r = Row{
			Schema: Schema, Run: "r", Model: "m", Revision: "abc", Task: []string{"niah", "trec"}[i%2], TaskVersion: 2,
			Sample: fmt.Sprintf("s%d", i/4), Protocol: "longbench", PromptSHA256: "00ff",
			Variant: []string{"full", "snapkv(cap=64,w=32,k=7,pool=max,gqa=query_head)"}[i/2%2], Policy: "snapkv", Budget: "64",
			Device: "ref", DType: "float32", Prediction: fmt.Sprintf("Die Antwort ist „%d“\n\t\"x\" <b>", i), Metric: "qa_f1", MetricVersion: 1,
			Score: new(float64(i%5) / 4),
		}
		if i%3 == 0 {
			r.Capacity, r.Share, r.Host, r.FullCacheBytes = new(64), new(0.25), new(i%2 == 0), new(int64(1)<<42)
			r.Params = map[string]string{"w": "32", "k": "7", "pool": "max", "gqa": "query_head"}
			r.PromptTokens, r.NewTokens, r.PromptTail = new(0), new(5), "…tail"
			r.KeptMin, r.KeptMean, r.KeptMax = new(64), new(64.5), new(65)
			r.CacheBytes, r.PeakBytes = new(int64(1)<<40), new(int64(0))
			r.PrefillSeconds, r.DecodeSeconds = new(0.1), new(1e-9)
			r.Length, r.Depth, r.NeedleToken = new(4096), new(0.0), new(7)
			r.Recalled, r.Rouge1R, r.Rouge1F = new(0.0), new(1.0), new(1.0/3)
			r.LMEvalF1 = new(2.0 / 3)
			r.CodeSimLevenshtein, r.CodeSimDifflib = new(0.25), new(0.5)
			r.Loose, r.Followed = new(0.5), map[string]string{"no_comma": FollowedStrictly, "title": FollowedLoosely, "quotation": NotFollowed}
			r.LeakedInstructions, r.LeakedDefence, r.LeakedBoth = new(0.0), new(1.0), new(1.0/3)
			r.KLMean, r.KLP99, r.Top1Agreement, r.FirstDivergence = new(0.0), new(1.5), new(1.0), new(3)
			r.SetAnswers([]string{"a", "b\nc"})
			r.Note, r.Audit = "n < cap", "kept 65, the budget says 64"
		}
		if i%7 == 6 {
			r.Score, r.Error = nil, "too long"
		}
		r.ID = r.Key("max_new=5")
	}
	return rows
}

func TestKeyDependsOnWhatCouldChangeTheText(t *testing.T) {
	base := someRows(1)[0]
	key := base.Key("a=1", "b=2")
	changes := map[string]func(r *Row){
		"model":         func(r *Row) { r.Model += "x" },
		"revision":      func(r *Row) { r.Revision += "x" },
		"task":          func(r *Row) { r.Task += "x" },
		"task_version":  func(r *Row) { r.TaskVersion++ },
		"sample":        func(r *Row) { r.Sample += "x" },
		"protocol":      func(r *Row) { r.Protocol += "x" },
		"prompt_sha256": func(r *Row) { r.PromptSHA256 += "x" },
		"variant":       func(r *Row) { r.Variant += "x" },
		"device":        func(r *Row) { r.Device += "x" },
		"rope":          func(r *Row) { r.Rope += "x" },
		"dtype":         func(r *Row) { r.DType += "x" },
	}
	seen := map[string]string{key: "base"}
	for name, change := range changes {
		r := base
		change(&r)
		k := r.Key("a=1", "b=2")
		if other, ok := seen[k]; ok {
			t.Errorf("changing %s gives the key of %s", name, other)
		}
		seen[k] = name
	}
	for _, extra := range [][]string{{"a=1"}, {"a=1b=2"}, {"a=1", "b=3"}, {"b=2", "a=1"}} {
		k := base.Key(extra...)
		if other, ok := seen[k]; ok {
			t.Errorf("extra %q gives the key of %s", extra, other)
		}
		seen[k] = fmt.Sprint(extra)
	}
	r := base
	r.Prediction, r.Score, r.Run, r.MetricVersion, r.ID = "other", nil, "other", 9, ""
	if r.Key("a=1", "b=2") != key {
		t.Error("the key depends on what was measured")
	}
	// Letters that move from one field to the next must change the key.
	a, b := base, base
	a.Task, a.Sample = "ab", "c"
	b.Task, b.Sample = "a", "bc"
	if a.Key() == b.Key() {
		t.Error("fields run together")
	}
}

func TestAnswersRoundTrip(t *testing.T) {
	for _, answers := range [][]string{nil, {"a"}, {""}, {"a", ""}, {"[1]"}, {`["x"]`}, {"a\nb", "c"}, {"[not json"}, {"日本"}} {
		var r Row
		r.SetAnswers(answers)
		if got := r.Answers(); !reflect.DeepEqual(got, answers) {
			t.Errorf("SetAnswers(%q) came back as %q (stored as %q)", answers, got, r.Answer)
		}
	}
	if got := (&Row{Answer: "[foreign"}).Answers(); !reflect.DeepEqual(got, []string{"[foreign"}) {
		t.Errorf("got %q", got)
	}
}

func TestColumnsAreDocumentedAndConsistent(t *testing.T) {
	rt := reflect.TypeFor[Row]()
	for i, c := range Columns() {
		f := rt.Field(i)
		jsonName, jsonOpts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if jsonName != c.Name {
			t.Errorf("%s: parquet %q, json %q", f.Name, c.Name, jsonName)
		}
		if (jsonOpts == "omitempty") != c.Nullable {
			t.Errorf("%s: nullable %v in parquet, %q in JSON", f.Name, c.Nullable, jsonOpts)
		}
		if c.Desc == "" {
			t.Errorf("%s: no desc", f.Name)
		}
		if c.Nullable && c.Type != "string" && c.Type != "map" && f.Type.Kind() != reflect.Pointer {
			t.Errorf("%s: nullable, so a zero would read as null: want a pointer", f.Name)
		}
	}
}

func TestExports(t *testing.T) {
	rows := someRows(9)
	var b bytes.Buffer
	if err := ExportCSV(&b, rows); err != nil {
		t.Fatal(err)
	}
	recs, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(recs) != 10 || len(recs[0]) != len(Columns()) || recs[0][0] != "schema" {
		t.Fatalf("%d records, header %q", len(recs), recs[0])
	}
	for i, c := range Columns() {
		if c.Name == "score" {
			if recs[1][i] != "0" || recs[7][i] != "" || recs[2][i] != "0.25" {
				t.Errorf("scores %q %q %q: want 0, null and 0.25", recs[1][i], recs[7][i], recs[2][i])
			}
		}
	}
	b.Reset()
	if err := ExportJSONL(&b, rows); err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(&b)
	for i := range rows {
		var r Row
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r, rows[i]) {
			t.Errorf("row %d: %+v, want %+v", i, r, rows[i])
		}
	}
}

func TestNatural(t *testing.T) {
	order := []string{"", "a", "a02b", "a2", "a10", "b-1", "b-2-3", "b-2-12", "b-10"}
	for i, a := range order {
		for k, b := range order {
			want := 0
			if i < k {
				want = -1
			} else if i > k {
				want = 1
			}
			if got := Natural(a, b); got != want && !(strings.HasPrefix(a, "a") && strings.HasPrefix(b, "a")) {
				t.Errorf("Natural(%q, %q) = %d, want %d", a, b, got, want)
			}
			if Natural(a, b) != -Natural(b, a) {
				t.Errorf("Natural(%q, %q) is not antisymmetric", a, b)
			}
		}
	}
	if Natural("a2", "a10") >= 0 || Natural("a02b", "a10") >= 0 || Natural("a02", "a2") == 0 {
		t.Error("numbers are not compared as numbers")
	}
}
