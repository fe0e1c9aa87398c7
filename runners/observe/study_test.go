package observe

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/datasets"
)

// The value is found in the prompt by its tokens, whatever else they hold, and the rows are those that produce it.
func TestLocate(t *testing.T) {
	words := []string{"", "the ", "number ", "is 4", "71", "15", ". ", "is 47", "115."}
	decode := func(ids []int32) string {
		text := ""
		for _, id := range ids {
			text += words[id]
		}
		return text
	}
	d := datasets.Sample{IDs: []int32{1, 1, 1, 2, 3, 4, 5, 6, 1}, Needle: &datasets.NeedleInfo{Needles: []string{"the number is 47115. "}, Answer: "47115", Token: 2}}
	for _, c := range []struct {
		forced []int32
		want   string
	}{
		{[]int32{2, 7, 8, 6}, "true 2 map[value:[4 7]]"},
		{[]int32{2, 3, 4, 5, 6}, "true 3 map[value:[4 7]]"},
		{[]int32{2, 7, 6, 6}, "false 0 map[]"}, // a wrong answer has no rows that produce the value
	} {
		var s Sample
		s.locate(d, c.forced, decode)
		if got := fmt.Sprint(s.Answered, s.AnswerRows, s.Spans); got != c.want {
			t.Errorf("%v: %s, want %s", c.forced, got, c.want)
		}
	}
	var s Sample
	d.Needle.Needles = append(d.Needle.Needles, "another")
	if s.locate(d, []int32{2, 7, 8, 6}, decode); s.Answered {
		t.Error("one of several needles is a span")
	}
}

const asked = "snapkv(cap=64,w=16,k=7,pool=max,gqa=kv_head_mean)"

// two is a study of two prompts with two layers, of which the second has three windows and the first two.
func two() *Report {
	layer := func(important int, hits ...int) Layer {
		l := Layer{Important: [4]int{important, 0, 0, 0}, ContentImportant: important / 2, ContentQuarters: [4]int{important / 2}, Sinks: []int{1, 3}}
		for _, n := range hits {
			l.Hits, l.ContentHits = append(l.Hits, [4]int{n}), append(l.ContentHits, n/4)
		}
		return l
	}
	seen := func(layers ...Layer) Sample {
		v := &Variant{Cap: 64, Summary: Summary{Content: 0.25, ContentOracle: 0.5, ContentStream: Share(math.NaN()), Captured: 0.75, Oracle: 0.875, Stream: 0.5}}
		return Sample{Task: "niah", ID: fmt.Sprint(len(layers[0].Hits)), Seen: &Observation{Tokens: 1000, Forced: 4, Vote: 50, Layers: layers, Variants: map[string]*Variant{asked: v}}}
	}
	return &Report{Origin: Origin{Model: "m"}, Settings: Paper, Forced: 4, Variants: []string{asked}, Samples: []Sample{
		seen(layer(100, 20, 80), layer(300, 0, 300)),
		{Task: "niah", ID: "short", Error: "too short"},
		seen(layer(40, 4, 8, 40), layer(10, 0, 0, 5)),
	}}
}

// Hit rates are ratios of sums in a sample and means over samples; windows are counted from the prompt's end, and a layer
// with few important attentions is left out where a cell stands for it.
func TestMeans(t *testing.T) {
	r := two()
	for _, c := range []struct {
		what        string
		layer, few  int
		of          rate
		want, shown float64
	}{
		{"last, all layers", -1, 0, windowRate(0, false), (380./400 + 45./50) / 2, 2},
		{"one before", 0, 0, windowRate(1, false), (20./100 + 8./40) / 2, 2},
		{"two before", 0, 0, windowRate(2, false), 4. / 40, 1},
		{"first", 0, 0, firstRate(false), (20./100 + 4./40) / 2, 2},
		{"last, second layer", 1, few, windowRate(0, false), 1, 1},
		{"content", 0, 0, windowRate(0, true), (20./50 + 10./20) / 2, 2},
		{"second quarter", 0, 0, quarterRate(1, false), math.NaN(), 0},
	} {
		got := r.over(c.layer, c.few, c.of)
		if math.Abs(got.Mean-c.want) > 1e-12 || math.IsNaN(got.Mean) != math.IsNaN(c.want) || float64(got.N) != c.shown {
			t.Errorf("%s: %v of %d samples, want %v of %v", c.what, got.Mean, got.N, c.want, c.shown)
		}
	}
}

// The table shows content first, names what was not observed, and says what captured attention can't.
func TestTable(t *testing.T) {
	var b bytes.Buffer
	if err := two().Table(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"prompts: 2 of 1000 tokens", "not observed: niah short: too short", Warning, "§3, Fig. 2", "§3, Fig. 3", "92.5 [", "  " + asked, "–"} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	if strings.Index(text, "content: last window") > strings.Index(text, "all: last window") {
		t.Error("content does not stand first")
	}
}

// The pictures are drawn from what there is, name the paper's figures, and say what captured attention can't.
func TestPictures(t *testing.T) {
	dir := t.TempDir()
	if look := os.Getenv("SNAPBENCH_LOOK"); look != "" {
		dir = look
	}
	pictures, err := Save(dir, two())
	if err != nil || len(pictures) != 6 {
		t.Fatalf("%v, %v", pictures, err)
	}
	for name, want := range map[string][]string{
		"observe_windows": {"Fig. 2", "content, without sinks", "n/a"}, "observe_along": {"Fig. 3", "quarter 4", "chance"},
		"observe_captured": {"does not rank", "oracle", "first 4 and last"},
	} {
		data, err := os.ReadFile(dir + "/" + name + ".svg")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(data), w) {
				t.Errorf("%s lacks %q", name, w)
			}
		}
	}
}

func TestCheckDevice(t *testing.T) {
	for _, name := range []string{"cuda:all", "cuda:0,cuda:1", "cpu,cpu"} {
		if err := CheckDevice(name); err == nil || !strings.Contains(err.Error(), "--device "+name) || !strings.Contains(err.Error(), "runs on one device") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"auto", "ref", "cuda:1"} {
		if err := CheckDevice(name); err != nil {
			t.Error(err)
		}
	}
}
