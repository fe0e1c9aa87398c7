package results

import (
	"bytes"
	"encoding/csv"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// TestParamsAreAParquetMap: other programs must find a map of texts in the file.
func TestParamsAreAParquetMap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.parquet")
	if err := WriteFile(path, someRows(9)); err != nil {
		t.Fatal(err)
	}
	schema := parquet.SchemaOf(Row{})
	params, ok := fieldOf(schema, "params")
	if !ok || !params.Optional() {
		t.Fatal("no optional column params")
	}
	if _, ok := params.Type().LogicalType().Value.(*format.MapType); !ok {
		t.Errorf("params is %v, want a map", params.Type())
	}
	type pair struct {
		Params map[string]string `parquet:"params,optional"`
	}
	got, err := parquet.ReadFile[pair](path) // the library's own reader
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range someRows(9) {
		if len(got[i].Params) != len(r.Params) || len(r.Params) > 0 && !reflect.DeepEqual(got[i].Params, r.Params) {
			t.Errorf("row %d: %v, want %v", i, got[i].Params, r.Params)
		}
	}
}

func fieldOf(schema *parquet.Schema, name string) (parquet.Field, bool) {
	for _, f := range schema.Fields() {
		if f.Name() == name {
			return f, true
		}
	}
	return nil, false
}

func TestParquetMapRefused(t *testing.T) {
	row := reflect.ValueOf(&Row{}).Elem()
	var c Column
	for _, c = range columns {
		if c.Type == "map" {
			break
		}
	}
	text := func(s ...string) (list []parquet.Value) {
		for _, s := range s {
			list = append(list, parquet.ValueOf(s))
		}
		return list
	}
	for _, x := range []struct {
		name         string
		keys, values []parquet.Value
		want         string
	}{
		{"a name twice", text("k", "k"), text("5", "7"), `"k" is there twice`},
		{"a name without a text", text("k"), []parquet.Value{parquet.NullValue()}, "null where a value is needed"},
		{"more names than texts", text("k", "w"), text("5"), "2 names and 1 texts"},
	} {
		if err := c.setMap(row, x.keys, x.values); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", x.name, err, x.want)
		}
	}
	type listed struct {
		Schema int      `parquet:"schema"`
		Params []string `parquet:"params,list"`
	}
	type plain struct {
		Params string `parquet:"params"`
	}
	type numbers struct {
		Params map[string]int64 `parquet:"params"`
	}
	for name, path := range map[string]string{"a list": write(t, listed{}), "a text": write(t, plain{"k=5"}), "numbers": write(t, numbers{map[string]int64{"k": 5}})} {
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), `column "params"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := someRows(1)[0]
	r.Params = map[string]string{"k": ""}
	if err := r.check(); err == nil || !strings.Contains(err.Error(), `params has "k" as ""`) {
		t.Errorf("a parameter without a text: %v", err)
	}
}

func TestParamsInText(t *testing.T) {
	var b bytes.Buffer
	if err := ExportCSV(&b, someRows(1)); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(lines[0], "params")
	if at < 0 || lines[1][at] != "gqa=query_head k=7 pool=max w=32" || lines[1][slices.Index(lines[0], "host")] != "true" {
		t.Errorf("%q", lines)
	}
}

// variantRows makes one row for each of some variants, given by policy, budget and parameters.
func variantRows(list ...Row) []Row {
	for i := range list {
		r := &list[i]
		r.Variant = strings.Join([]string{r.Policy, r.Budget, Params(r.Params)}, " ")
		r.Task, r.Sample, r.Score, r.Schema = "a", "1", new(0.5), Schema
		r.ID = r.Key()
	}
	return list
}

func TestLabelsOfPolicies(t *testing.T) {
	type p = map[string]string
	snap := func(k string) p { return p{"w": "32", "k": k, "pool": "max"} }
	for name, c := range map[string]struct {
		rows []Row
		want []string
	}{
		"policies, defaults": {
			[]Row{{Policy: "full", Budget: "full"}, {Policy: "snapkv", Budget: "64", Params: snap("7")}, {Policy: "recent", Budget: "64"},
				{Policy: "ada(snapkv)", Budget: "64", Params: p{"alpha": "0.2", "snapkv.w": "32", "snapkv.k": "7"}}},
			[]string{"full", "snapkv 64", "recent 64", "ada(snapkv) 64"},
		},
		"an inner parameter": {
			[]Row{{Policy: "snapkv", Budget: "64", Params: snap("7")},
				{Policy: "ada(snapkv)", Budget: "64", Params: p{"alpha": "0.2", "snapkv.w": "32", "snapkv.k": "7"}},
				{Policy: "ada(snapkv)", Budget: "128", Params: p{"alpha": "0.2", "snapkv.w": "32", "snapkv.k": "13"}}},
			[]string{"snapkv 64", "ada(snapkv) 64, snapkv.k 7", "ada(snapkv) 128, snapkv.k 13"},
		},
		"one policy": {
			[]Row{{Policy: "full", Budget: "full"}, {Policy: "snapkv", Budget: "25%", Params: snap("7")}, {Policy: "snapkv", Budget: "25%", Params: snap("13")}},
			[]string{"full", "25%, k 7", "25%, k 13"},
		},
		"a parameter that not every variant has": {
			[]Row{{Policy: "x", Budget: "8"}, {Policy: "x", Budget: "8", Params: p{"seed": "1"}}},
			[]string{"8", "8, seed 1"},
		},
		"a policy without a budget": {
			[]Row{{Policy: "quest"}, {Policy: "snapkv", Budget: "64"}},
			[]string{"quest", "snapkv 64"},
		},
	} {
		rows := variantRows(c.rows...)
		labels := Labels(rows)
		for i, r := range rows {
			if labels[r.Variant] != c.want[i] {
				t.Errorf("%s: %q is %q, want %q", name, r.Variant, labels[r.Variant], c.want[i])
			}
		}
	}
}

func TestTablesShowWhatCachesTake(t *testing.T) {
	set := grid([]string{"a", "b"}, []string{"full", "256", "64"}, 3, func(task, v string, i int) float64 { return 1 })
	for i := range set.Rows {
		r := &set.Rows[i]
		r.FullCacheBytes = new(int64(3 << 20))
		r.CacheBytes, r.KeptMean = new(map[string]int64{"full": 3 << 20, "256": 9 << 19, "64": 9 << 17}[r.Variant]), new(map[string]float64{"full": 1000, "256": 500, "64": 125}[r.Variant])
	}
	const star = "* keeps more than the full cache: 3 copies per KV head, one per query head, where the full cache has one"
	tab := Tables(set, Measures()[0])[0]
	drop, _ := tab.DropGrid()
	costs, _ := CostGrid(set.Run, set.Rows)
	for name, g := range map[string]Grid{"score": tab.Grid(), "drop": drop, "cost": costs} {
		md := g.Markdown()
		for _, want := range []string{cacheColumn, "1.50 *", "0.38", star} {
			if !strings.Contains(md, want) {
				t.Errorf("%s: no %q in\n%s", name, want, md)
			}
		}
		if strings.Contains(md, "0.38 *") || strings.Count(md, star) != 1 {
			t.Errorf("%s: stars in\n%s", name, md)
		}
	}
	// With more variants than tasks, each variant is a row of the table.
	only := set
	only.Rows = slices.DeleteFunc(slices.Clone(set.Rows), func(r Row) bool { return r.Task != "a" })
	for v := range 3 {
		for _, r := range set.Rows {
			if r.Task == "a" && r.Variant == "64" {
				r.Variant, r.Budget = "x"+string(rune('0'+v)), string(rune('1'+v))
				r.ID = r.Key()
				only.Rows = append(only.Rows, r)
			}
		}
	}
	if g := Tables(only, Measures()[0])[0].Grid(); g.Head[len(g.Head)-1] != cacheColumn || len(g.Rows[0]) != len(g.Head) {
		t.Errorf("head %q, row %q", g.Head, g.Rows[0])
	}
	// Without any known size there is no column; a mean is over the rows with a known size.
	for i := range set.Rows {
		set.Rows[i].KeptMean = nil
	}
	if md := Tables(set, Measures()[0])[0].Grid().Markdown(); !strings.Contains(md, "\n* keeps more than the full cache.") {
		t.Errorf("without positions:\n%s", md)
	}
	set.Rows[0].CacheBytes = nil
	var full []*Row
	for i := range set.Rows {
		if set.Rows[i].Variant == "full" {
			full = append(full, &set.Rows[i])
		}
	}
	if f := FootprintOf(full); f.TimesFull != 1 || !math.IsNaN(f.Copies) {
		t.Errorf("%+v", f)
	}
	for i := range set.Rows {
		set.Rows[i].FullCacheBytes = nil
	}
	if md := Tables(set, Measures()[0])[0].Grid().Markdown(); strings.Contains(md, cacheColumn) {
		t.Errorf("nothing known:\n%s", md)
	}
}
