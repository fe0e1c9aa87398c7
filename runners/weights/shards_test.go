package weights

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// shards writes a sharded model and returns its directory.
func shards(t *testing.T, index string, files map[string][]Entry) string {
	t.Helper()
	dir := t.TempDir()
	for name, entries := range files {
		if err := WriteSafetensors(filepath.Join(dir, name), entries, map[string]string{"format": name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(index), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestShards(t *testing.T) {
	x, y, z := Float32Entry("x", []float32{1}, 1), Float32Entry("y", []float32{2}, 1), Float32Entry("z", []float32{3}, 1)
	dir := shards(t, `{"metadata":{"total_size":8},"weight_map":{"x":"m-2.safetensors","y":"m-1.safetensors"}}`,
		map[string][]Entry{"m-1.safetensors": {y, z}, "m-2.safetensors": {x}})
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, want := f.Names(), []string{"y", "z", "x"}; !slices.Equal(got, want) {
		t.Errorf("names %q, want %q", got, want)
	}
	if w, err := f.Weight("x", 1); err != nil || rowOf(w, 0)[0] != 1 {
		t.Errorf("x: %v", err)
	}
	if f.TotalBytes() != 12 {
		t.Errorf("%d bytes, want 12", f.TotalBytes())
	}

	// A single file has priority over shards.
	if err := WriteSafetensors(filepath.Join(dir, "model.safetensors"), []Entry{z}, nil); err != nil {
		t.Fatal(err)
	}
	single, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer single.Close()
	if got := single.Names(); !slices.Equal(got, []string{"z"}) {
		t.Errorf("single file: %q", got)
	}

	for _, c := range []struct{ index, expect string }{
		{`{"weight_map":{"x":"m-1.safetensors"}}`, `tensor "x" should be in m-1.safetensors and is not`},
		{`{"weight_map":{"x":"m-3.safetensors"}}`, "m-3.safetensors: no such file"},
		{`{"weight_map":{"x":"m-1.safetensors","y":"m-2.safetensors"}}`, `tensor "y" is in`},
		{`{"weight_map":{"x":"../m-1.safetensors"}}`, `shard "../m-1.safetensors" is not a file name`},
		{`{"weight_map":{"x":"/etc/passwd"}}`, `shard "/etc/passwd" is not a file name`},
		{`{"weight_map":{"x":".."}}`, `shard ".." is not a file name`},
		{`{"weight_map":{"x":"."}}`, `shard "." is not a file name`},
		{`{"weight_map":{"x":""}}`, `shard "" is not a file name`},
		{`{"weight_map":{"x":1}}`, `tensor "x": 1 where a string`},
		{`{"weight_map":{"x":"a","x":"b"}}`, `tensor "x" twice`},
		{`{"weight_map":{}}`, "weight_map is empty"},
		{`{"weight_map":[]}`, "byte 15"},
		{`{"weight_map":{"x":"a"},"weight_map":{"x":"a"}}`, "weight_map twice"},
		{`{"metadata":{}}`, "no weight_map"},
		{`{"weight_map":{"x":"a"}`, "unexpected EOF"},
		{``, "byte 0"},
		{"{\"\xff\":1}", "byte 2: not UTF-8"},
	} {
		dir := shards(t, c.index, map[string][]Entry{"m-1.safetensors": {y}, "m-2.safetensors": {x, y}})
		if _, err := OpenDir(dir); !mentions(err, c.expect, dir) {
			t.Errorf("%s: %v; want %q", c.index, err, c.expect)
		}
	}
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":8},"weight_map":{"x":"model-00001-of-00002.safetensors","y":"b"}}`))
	f.Add([]byte(`{"weight_map":{"x":"../a","y":"/b","z":"c\\d"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		shards, shardOf, err := parseIndex("fuzz", data)
		if err != nil {
			return
		}
		var index struct {
			WeightMap map[string]string `json:"weight_map"`
		}
		if err := json.Unmarshal(data, &index); err != nil {
			t.Fatalf("accepted, and encoding/json says %v", err)
		}
		for _, s := range shards {
			if filepath.Dir(filepath.Join("dir", s)) != "dir" {
				t.Fatalf("shard %q leaves the directory", s)
			}
		}
		for name, s := range shardOf {
			if !slices.Contains(shards, s) {
				t.Fatalf("tensor %q in %q, not among the shards", name, s)
			}
		}
	})
}
