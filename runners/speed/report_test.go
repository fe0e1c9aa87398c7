package speed

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// madeUp is the report of a card with 80 GiB that reaches nine tenths of its bandwidth.
func madeUp() *Report {
	const weights, perToken, all = int64(12) << 30, int64(512) << 10, int64(80) << 30
	s := &Report{About: "cuda:0: a made-up card", Roofs: Roofs{Bandwidth: 3e12, Products: 7e14, Attention: 7e14}, Started: time.Unix(1e9, 0).UTC()}
	row := func(length, batch int, variant string, kept int, largest bool) {
		if largest {
			batch = int((all - weights - int64(length)*24<<10) / (int64(kept) * perToken))
		}
		cache := int64(batch) * int64(kept) * perToken
		r := Row{Model: "shape:llama-2-7b", Device: "cuda:0", DType: "bfloat16", Length: length, Batch: batch, LargestAsked: largest, Variant: variant,
			Plan: Footprint{Weights: weights, Prefill: int64(length) * 24 << 10, Caches: cache, Free: all - weights}}
		if r.Need = r.Plan.Need(); !r.Plan.Fits() {
			r.Free = r.Plan.Free
			s.Rows = append(s.Rows, r)
			return
		}
		r.Need, r.Fits, r.NewTokens, r.Prompts = 0, true, 64, min(batch, 2)
		r.PrefillSeconds = float64(length)*20e-6 + float64(length)*float64(length)*3e-10
		r.PrefillRoof, r.PrefillPerSecond = 0.8*r.PrefillSeconds, float64(length)/r.PrefillSeconds
		r.WeightBytes, r.CacheBytes, r.StepBytes = weights, cache, weights+cache
		r.PeakBytes = weights + cache + r.Plan.Prefill
		r.DriverBytes = 77 << 30
		r.StepRoof = float64(r.StepBytes) / s.Roofs.Bandwidth
		r.StepSeconds = r.StepRoof * 1.1
		r.StepP10, r.StepP90 = r.StepSeconds*0.97, r.StepSeconds*1.05
		r.TokensPerSecond = float64(batch) / r.StepSeconds
		s.Rows = append(s.Rows, r)
	}
	for _, length := range []int{4096, 16384, 65536, 131072} {
		for _, batch := range []int{1, 2, 4, 8, 0} {
			row(length, batch, "full", length, batch == 0)
			row(length, batch, "snapkv(cap=1024,w=32,k=7,pool=max,gqa=query_head)", 1024, batch == 0)
			row(length, batch, "snapkv(cap=2048,w=32,k=7,pool=max,gqa=query_head)", 2048, batch == 0)
		}
	}
	for _, batch := range []int{1, 2, 4, 8} {
		s.Longest = append(s.Longest, Longest{Batch: batch, Variant: "full", Length: 131072 / batch},
			Longest{Batch: batch, Variant: "snapkv(cap=1024,w=32,k=7,pool=max,gqa=query_head)", Length: 2_900_000},
			Longest{Batch: batch, Variant: "snapkv(cap=2048,w=32,k=7,pool=max,gqa=query_head)", Length: 2_800_000 - 50_000*batch})
	}
	return s
}

func TestTable(t *testing.T) {
	s := madeUp()
	s.Rows[4].Notes = []string{"a note"}
	var w bytes.Buffer
	if err := s.Table(&w); err != nil {
		t.Fatal(err)
	}
	text := w.String()
	for _, want := range [][]string{
		{"65536        4  full", "does not fit: needs 129.50 GiB, 68.00 GiB free"},
		{"16384    max 8  full", "76.38   77.00     12.00     64.00"},
		{"[1] a note"},
		{"[2] of a batch 2 prompts were read"},
		{"GiB by the plan"},
		{"65536        4  full", "12.00      1.50    128.00      0.00    141.50     80.00"},
		{"same length and batch"},
		// By bytes: (12 + 8·8) / (12 + 8·1).
		{"16384        8  snapkv(cap=2048,", "3.80 ×    3.80 ×     100 %    3.75 ×"},
		{"each at its largest batch"},
		// 135 sequences at 31.3 ms, 8 at 29.92.
		{"16384  max 135  snapkv(cap=1024,", "16.13 ×   16.13 ×     100 %    16.9 ×"},
		{"longest prompt by the plan"},
		{"2  snapkv(cap=2048,", "2700000     41.20 ×"},
	} {
		found := false
		for _, line := range strings.Split(text, "\n") {
			here := true
			for _, part := range want {
				here = here && strings.Contains(line, part)
			}
			found = found || here
		}
		if !found {
			t.Errorf("no line has %q in\n%s", want, text)
		}
	}
}

// What is saved is read again; it compares with the same cells measured again, and with no others.
func TestCompare(t *testing.T) {
	s := madeUp()
	dir := t.TempDir()
	if at := os.Getenv("SNAPBENCH_SPEED_PICTURES"); at != "" { // to look at them
		dir = at
	}
	if pictures, err := s.Save(dir); err != nil || len(pictures) == 0 {
		t.Fatal(pictures, err)
	}
	for _, name := range []string{"speed.json", "bench.txt", "speed_step.png", "speed_tokens.svg", "speed_prefill.png", "speed_memory.png", "speed_ratio.png", "speed_memory_ratio.png", "speed_longest.svg"} {
		if i, err := os.Stat(filepath.Join(dir, name)); err != nil || i.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]string{"speed_step.svg": "shape:llama-2-7b, bfloat16; cuda:0: a made-up card", "speed_tokens.svg": "128K"} {
		if svg, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(svg), want) || strings.Contains(string(svg), "e+0") {
			t.Errorf("%s: no %q, or a tick with an exponent; %v", name, want, err)
		}
	}
	before, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.Rows[3].StepSeconds *= 1.02
	s.Rows[4].PrefillSeconds *= 0.96
	s.Rows[4].Batch-- // the largest batch need not be the same
	var w bytes.Buffer
	if err := s.Compare(&w, dir, before); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"    +2.0 %\n", "    -4.0 %", "the largest difference of a median is 4.0 %"} {
		if !strings.Contains(w.String(), want) {
			t.Errorf("no %q in\n%s", want, w.String())
		}
	}
	for i := range s.Rows {
		s.Rows[i].Length += 7
	}
	if err := s.Compare(&w, dir, before); err == nil {
		t.Error("runs without a cell in common are compared")
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"16g": 16 << 30, "1.5G": 3 << 29, "900m": 900 << 20, "1000": 1000, " 2k ": 2048} {
		if n, err := ParseBytes(text); err != nil || n != want {
			t.Errorf("%q is %d, %v; want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"", "g", "-1g", "0", "nan", "inf", "1e30g", "16gb"} {
		if n, err := ParseBytes(text); err == nil {
			t.Errorf("%q is %d", text, n)
		}
	}
}

// What was measured is never half on the disk: a file that is written anew takes the old one's
// place when it is whole, so another name of the old one keeps its text.
func TestSavedFilesAreReplacedWhole(t *testing.T) {
	dir := t.TempDir()
	s := madeUp()
	if _, err := s.Save(dir); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%q, %v", files, err)
	}
	old := map[string][]byte{}
	for _, f := range files {
		if old[f], err = os.ReadFile(f); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(f, f+".old"); err != nil {
			t.Skipf("no links here: %v", err)
		}
	}
	s.Rows = s.Rows[:len(s.Rows)/2]
	if _, err := s.Save(dir); err != nil {
		t.Fatal(err)
	}
	for f, want := range old {
		if got, err := os.ReadFile(f + ".old"); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s was written over: %d bytes, %v; %d were there", filepath.Base(f), len(got), err, len(want))
		}
	}
}
