package results

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// grid makes the rows of tasks × variants × samples with scores from a function.
func grid(tasks, variants []string, n int, score func(task, variant string, sample int) float64) Set {
	s := Set{Run: Run{Name: "test", Tasks: tasks, Variants: variants}}
	for _, task := range tasks {
		for i := range n {
			for _, v := range variants {
				r := Row{
					Schema: Schema, Run: "test", Model: "tiny", Task: task, TaskVersion: 1, Sample: fmt.Sprint(i), Protocol: "longbench",
					Variant: v, Policy: "snapkv", Budget: v, Device: "ref", DType: "float32", PromptSHA256: fmt.Sprintf("%x", i),
					Metric: "qa_f1", MetricVersion: 1, Score: new(score(task, v, i)),
					PrefillSeconds: new(1.0), DecodeSeconds: new(0.5), NewTokens: new(8), PromptTokens: new(1000), PeakBytes: new(int64(1 << 20)),
				}
				if v == "full" {
					r.Policy = "full"
				} else {
					r.Params = map[string]string{"k": "7", "w": "32", "pool": "max"}
				}
				r.ID = r.Key()
				s.Rows = append(s.Rows, r)
			}
		}
	}
	return s
}

func TestTableNumbers(t *testing.T) {
	set := grid([]string{"a", "b", "c"}, []string{"full", "64"}, 4, func(task, v string, i int) float64 {
		if v == "full" {
			return []float64{1, 0.5, 0.25, 0.75}[i] // mean 0.625
		}
		if task == "b" {
			return 0.125
		}
		return 0.5
	})
	set.Run.Groups = []Group{{"first", []string{"a", "b"}}, {"none", []string{"x"}}, {"some", []string{"c", "x"}}}
	tables := Tables(set, Measures()[0])
	if len(tables) != 1 {
		t.Fatalf("%d tables", len(tables))
	}
	tab := tables[0]
	var got []string
	for _, l := range tab.Lines {
		got = append(got, fmt.Sprintf("%s %.4f %.4f %.4f", l.Name, l.Cells[0].Mean, l.Cells[1].Mean, l.Cells[1].Drop.Drop))
	}
	want := []string{
		"a 0.6250 0.5000 0.1250", "b 0.6250 0.1250 0.5000", "c 0.6250 0.5000 0.1250",
		"first 0.6250 0.3125 0.3125", "some (1 of 2) 0.6250 0.5000 0.1250", "average of 3 0.6250 0.3750 0.2500",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, l := range tab.Lines {
		for k, c := range l.Cells {
			if !(c.Lo <= c.Mean && c.Mean <= c.Hi && c.Lo >= 0 && c.Hi <= 1) {
				t.Errorf("%s %s: %+v", l.Name, tab.Labels[k], c.Interval)
			}
		}
		if d := l.Cells[1].Drop; !(d.Lo <= d.Drop && d.Drop <= d.Hi) {
			t.Errorf("%s: drop %v", l.Name, d)
		}
	}
}

// Samples that were spread over cards share a table; other devices have their own.
func TestCardsShareATable(t *testing.T) {
	set := grid([]string{"a"}, []string{"full", "64"}, 4, func(string, string, int) float64 { return 0.5 })
	for i := range set.Rows {
		set.Rows[i].Device = fmt.Sprint("cuda:", i/2%2)
	}
	if list, _ := Subjects(set.Rows); len(list) != 1 || list[0].Device != "cuda" {
		t.Errorf("two cards have the subjects %v, want one on cuda", list)
	}
	set.Rows[0].Device = "cpu"
	if list, _ := Subjects(set.Rows); len(list) != 2 {
		t.Errorf("a processor and cards have the subjects %v, want two", list)
	}
}

// A row with an error is neither a zero nor forgotten.
func TestTableFailedRows(t *testing.T) {
	set := grid([]string{"a"}, []string{"full", "64"}, 3, func(task, v string, i int) float64 { return 1 })
	for i := range set.Rows {
		r := &set.Rows[i]
		if r.Variant == "64" && r.Sample == "1" || r.Sample == "2" && r.Variant == "64" {
			r.Score, r.Error = nil, "too long"
		}
	}
	tab := Tables(set, Measures()[0])[0]
	c := tab.Lines[0].Cells[1]
	if c.Mean != 1 || c.N != 1 || c.Failed != 2 || c.Drop.N != 1 {
		t.Errorf("%+v", c)
	}
	if len(tab.Warnings) != 1 || !strings.Contains(tab.Warnings[0], "only 1 samples in common") {
		t.Errorf("warnings %q", tab.Warnings)
	}
	md := Markdown(set)
	for _, want := range []string{"(2 failed)", "too long", "1–3", "64 failed in 2 of 3 rows, and what these lack is not in its means"} {
		if !strings.Contains(md, want) {
			t.Errorf("no %q in\n%s", want, md)
		}
	}
	for i := range set.Rows {
		if set.Rows[i].Variant == "64" {
			set.Rows[i].Score, set.Rows[i].Error = nil, "too long"
		}
	}
	tab = Tables(set, Measures()[0])[0]
	if c := tab.Lines[0].Cells[1]; !math.IsNaN(c.Mean) || c.N != 0 {
		t.Errorf("nothing scored: %+v", c)
	}
	b, err := json.Marshal(Summarize(set))
	if err != nil || !strings.Contains(string(b), `"mean":null`) {
		t.Errorf("summary %s, %v", b, err)
	}
}

// TestLabelsOfBytes: a budget in bytes is named in words.
func TestLabelsOfBytes(t *testing.T) {
	rows := []Row{
		{Variant: "full", Policy: "full", Budget: "full"},
		{Variant: "a", Policy: "snapkv+q4_0", Budget: "bytes:25%", Cache: "q4_0"},
		{Variant: "b", Policy: "tova+q4_0", Budget: "bytes:1024", Cache: "q4_0"},
	}
	if l := Labels(rows); l["a"] != "snapkv+q4_0 25% bytes" || l["b"] != "tova+q4_0 bytes of 1024" {
		t.Errorf("%q", l)
	}
	if l := Labels(rows[:2]); l["a"] != "25% bytes" {
		t.Errorf("alone: %q", l)
	}
}

func TestLabels(t *testing.T) {
	set := grid([]string{"a"}, []string{"full", "64", "128"}, 1, func(task, v string, i int) float64 { return 1 })
	l := Labels(set.Rows)
	if l["full"] != "full" || l["64"] != "64" || l["128"] != "128" {
		t.Errorf("%v", l)
	}
	set.Rows[1].Params["k"] = "13"
	if l := Labels(set.Rows); l["64"] != "64, k 13" || l["128"] != "128, k 7" {
		t.Errorf("%v", l)
	}
	set.Rows[1].Params["k"], set.Rows[1].Budget = "7", "128" // differs in something that no column holds
	if l := Labels(set.Rows); l["64"] != "64" || l["128"] != "128" || l["full"] != "full" {
		t.Errorf("%v", l)
	}
}

func TestTextFitsTheTerminal(t *testing.T) {
	var variants []string
	for i := range 12 {
		variants = append(variants, fmt.Sprint(64+i))
	}
	variants[0] = "full"
	rng := rand.New(rand.NewPCG(1, 1))
	set := grid(strings.Fields("qasper trec hotpotqa lcc multifieldqa_en gov_report qmsum samsum triviaqa musique narrativeqa 2wikimqa"), variants, 12, func(task, v string, i int) float64 { return rng.Float64() })
	for _, s := range Sections(set) {
		text := s.Grid.Text(100)
		for _, line := range strings.Split(text, "\n") {
			if n := len([]rune(line)); n > 100 && !strings.Contains(line, "points lost") && !strings.Contains(line, "means over rows") {
				t.Errorf("%d columns: %q", n, line)
			}
		}
		for _, h := range s.Grid.Head {
			if !strings.Contains(text, h) {
				t.Errorf("%s: column %q is missing", s.Heading, h)
			}
		}
		t.Log("\n" + text)
	}
}

func TestMeanInterval(t *testing.T) {
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	iv := MeanInterval(ones)
	// Wilson for 10 of 10: 10 / (10 + z²).
	if want := 10 / (10 + 1.959964*1.959964); !(math.Abs(iv.Lo-want) <= 1e-6) || iv.Hi != 1 {
		t.Errorf("10 of 10: %+v, want %v to 1", iv, want)
	}
	if iv := MeanInterval(nil); !math.IsNaN(iv.Mean) || iv.Defined() {
		t.Errorf("nothing: %+v", iv)
	}
	if iv := MeanInterval([]float64{0.5, 0.5, 0.5}); !(iv.Lo < 0.4 && iv.Hi > 0.6) {
		t.Errorf("three equal scores prove little: %+v", iv)
	}
	// Coverage of the interval, on scores like a QA set's: a third zeros, some ones, the rest between.
	rng := rand.New(rand.NewPCG(1, 3))
	const truth = 0.2 + 0.5*0.4
	for _, n := range []int{20, 100} {
		const sims = 200
		hit := 0
		for range sims {
			x := make([]float64, n)
			for i := range x {
				switch u := rng.Float64(); {
				case u < 0.2:
					x[i] = 1
				case u < 0.6:
					x[i] = rng.Float64()
				}
			}
			if iv := MeanInterval(x); iv.Lo <= truth && truth <= iv.Hi {
				hit++
			}
		}
		got := float64(hit) / sims
		t.Logf("n = %d: the 95 %% interval covers %.1f %%", n, 100*got)
		if !(got >= 0.95-4*math.Sqrt(0.95*0.05/sims)) {
			t.Errorf("n = %d: covered %.3f", n, got)
		}
	}
}
