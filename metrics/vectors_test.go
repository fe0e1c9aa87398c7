package metrics

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// TestOriginals compares with pairs of texts that the original programs graded:
// LongBench's metrics.py with rouge 1.0.1 and jieba 0.42.1. The two code
// similarities are by difflib and by 2·LCS/(a+b), which equals 1 − d/(a+b) except at
// halves.
func TestOriginals(t *testing.T) {
	var pairs []struct {
		Metric, Prediction string
		Answers, Classes   []string
		Score              float64
	}
	sharedtest.JSON(t, "testdata/longbench.json", &pairs)
	compared := map[string]int{}
	for i, p := range pairs {
		s, err := Open(p.Metric)
		if err != nil {
			t.Fatal(err)
		}
		if s.Ready != nil {
			if err := s.Ready(); err != nil {
				if compared[p.Metric]--; compared[p.Metric] == -1 {
					t.Logf("%s not compared: %v", p.Metric, err)
				}
				continue
			}
		}
		compared[p.Metric]++
		got, err := s.Score(p.Prediction, Reference{Answers: p.Answers, Classes: p.Classes})
		if err != nil || !(math.Abs(got-p.Score) <= 1e-12) {
			t.Errorf("pair %d: %s(%q, %q, %q) = %v, %v, the original %v", i, p.Metric, p.Prediction, p.Answers, p.Classes, got, err, p.Score)
		}
	}
	for _, set := range LongBench {
		if compared[set.Metric] == 0 {
			t.Errorf("no pairs for %s", set.Metric)
		}
	}
}

// TestRouge1Original compares with rouge_score 0.1.2, use_stemmer=True.
func TestRouge1Original(t *testing.T) {
	var pairs []struct {
		Target, Prediction string
		R, F               float64
	}
	sharedtest.JSON(t, "testdata/rouge1.json", &pairs)
	if len(pairs) == 0 {
		t.Fatal("no pairs")
	}
	for _, p := range pairs {
		for metric, want := range map[string]float64{"rouge1_r": p.R, "rouge1_f": p.F} {
			// The needle has priority over the answers.
			got := score(t, metric, p.Prediction, Reference{Answers: []string{"something else"}, Needle: p.Target})
			if p.Target == "" {
				continue
			}
			if !(math.Abs(got-want) <= 1e-12) {
				t.Errorf("%s(%q, %q) = %v, rouge_score %v", metric, p.Prediction, p.Target, got, want)
			}
		}
	}
	if got := score(t, "rouge1_r", "ga", Reference{Needle: "gas"}); got != 0 {
		t.Errorf("a word of three characters was stemmed: %v", got)
	}
	if got := score(t, "rouge1_r", "sandwich", Reference{Answers: []string{"eat a sandwich", "sandwiches"}}); got != 1 {
		t.Errorf("the best answer's recall is %v", got)
	}
}

func score(t *testing.T, metric, prediction string, ref Reference) float64 {
	t.Helper()
	s, err := Open(metric)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Score(prediction, ref)
	if err != nil {
		t.Fatalf("%s(%q, %+v): %v", metric, prediction, ref, err)
	}
	return got
}

func TestSharedRouge(t *testing.T) {
	var pairs []struct {
		Hypothesis, Reference string
		F                     float64
	}
	sharedtest.JSON(t, sharedtest.Path(t, "vectors", "rouge.json"), &pairs)
	for i, p := range pairs {
		if got := rougeL(p.Hypothesis, p.Reference); !(math.Abs(got-p.F) <= 1e-12) {
			t.Errorf("pair %d: %v, rouge %v", i, got, p.F)
		}
	}
	t.Logf("%d pairs", len(pairs))
}

func TestSharedDifflib(t *testing.T) {
	var pairs []struct {
		A, B  string
		Ratio float64
	}
	sharedtest.JSON(t, sharedtest.Path(t, "vectors", "difflib.json"), &pairs)
	for i, p := range pairs {
		if got := difflibRatio([]rune(p.A), []rune(p.B)); !(math.Abs(got-p.Ratio) <= 1e-12) {
			t.Errorf("pair %d: %v, difflib %v", i, got, p.Ratio)
		}
	}
	t.Logf("%d pairs", len(pairs))
}

// A rulerPair was scored by RULER's own functions, times 100, rounded to 2 decimals.
type rulerPair struct {
	ID         int
	Pred, Post string
	Refs       []string
	All, Part  float64

	// The same as kvpress grades; nil where it was not asked.
	KvpressPost *string `json:"kvpress_post"`
	KvpressAll  float64 `json:"kvpress_all"`
	KvpressPart float64 `json:"kvpress_part"`
}

func compareRuler(t *testing.T, pairs []rulerPair) {
	t.Helper()
	if len(pairs) == 0 {
		t.Fatal("no pairs")
	}
	for _, p := range pairs {
		if got := rulerText(p.Pred, '\n'); got != p.Post {
			t.Errorf("pair %d: post-processed %q, RULER %q", p.ID, got, p.Post)
		}
		ref := Reference{Answers: p.Refs}
		if got := Points([]float64{score(t, "ruler_all", p.Pred, ref)}); got != p.All {
			t.Errorf("pair %d: all %v, RULER %v", p.ID, got, p.All)
		}
		if got := Points([]float64{score(t, "ruler_part", p.Pred, ref)}); got != p.Part {
			t.Errorf("pair %d: part %v, RULER %v", p.ID, got, p.Part)
		}
		if p.KvpressPost == nil {
			continue
		}
		if got := rulerText(p.Pred, -1); got != *p.KvpressPost {
			t.Errorf("pair %d: post-processed %q, kvpress %q", p.ID, got, *p.KvpressPost)
		}
		if got := Points([]float64{score(t, "ruler_all_kvpress", p.Pred, ref)}); got != p.KvpressAll {
			t.Errorf("pair %d: all %v, kvpress %v", p.ID, got, p.KvpressAll)
		}
		if got := Points([]float64{score(t, "ruler_part_kvpress", p.Pred, ref)}); got != p.KvpressPart {
			t.Errorf("pair %d: part %v, kvpress %v", p.ID, got, p.KvpressPart)
		}
	}
}

func TestRuler(t *testing.T) {
	var pairs []rulerPair
	sharedtest.JSON(t, "testdata/ruler.json", &pairs)
	compareRuler(t, pairs)
	// The control characters end at U+001F.
	if got := rulerText("\x1f a\x1fb\x00c\x7f\u0080 \x01\x01", '\n'); got != "a\nb\nc\x7f\u0080" {
		t.Errorf("post-processed %q", got)
	}
}

func TestSharedRuler(t *testing.T) {
	var scores struct {
		Pairs   []rulerPair
		Batches []struct {
			IDs       []int
			All, Part float64
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "ruler", "scores.json"), &scores)
	compareRuler(t, scores.Pairs)
	byID := map[int]rulerPair{}
	for _, p := range scores.Pairs {
		byID[p.ID] = p
	}
	for i, b := range scores.Batches {
		var all, part []float64
		for _, id := range b.IDs {
			p := byID[id]
			all = append(all, score(t, "ruler_all", p.Pred, Reference{Answers: p.Refs}))
			part = append(part, score(t, "ruler_part", p.Pred, Reference{Answers: p.Refs}))
		}
		if got := Points(all); got != b.All {
			t.Errorf("batch %d: all %v, RULER %v", i, got, b.All)
		}
		if got := Points(part); got != b.Part {
			t.Errorf("batch %d: part %v, RULER %v", i, got, b.Part)
		}
	}
	t.Logf("%d pairs, %d batches", len(scores.Pairs), len(scores.Batches))
}

func TestRecalled(t *testing.T) {
	for _, c := range []struct {
		prediction string
		answers    []string
		want       float64
	}{
		{" 5026494.", []string{"5026494"}, 1},
		{"\n\t 50.", []string{"5026494"}, 2.0 / 7},
		{"5026", []string{"5026494"}, 4.0 / 7},
		{"x5026494", []string{"5026494"}, 0}, // one value is expected at the start
		{"", []string{"5026494"}, 0},
		{"深红色", []string{"深红的"}, 2.0 / 3}, // characters, not bytes
		{"12 and 345", []string{"345", "129"}, (1 + 2.0/3) / 2},
		{"1121123", []string{"11231", "9"}, (4.0 / 5) / 2}, // 1121123: the best place is the fourth
		{"aab", []string{"aaab", "b"}, (2.0/4 + 1) / 2},
		{"abcab", []string{"abcabd", "abcabd"}, 5.0 / 6},
	} {
		if got := score(t, "recalled", c.prediction, Reference{Answers: c.answers}); !(math.Abs(got-c.want) <= 1e-12) {
			t.Errorf("recalled(%q, %q) = %v, want %v", c.prediction, c.answers, got, c.want)
		}
	}
	s, err := Open("recalled")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Score("x", Reference{Answers: []string{"1", ""}}); err == nil {
		t.Error("an empty value was recalled")
	}
}

// TestSharedNeedle grades the recorded answers of a small model under SnapKV and
// expects the published table: by kernel and budget, the recalled share and how many
// prompts were answered exactly.
func TestSharedNeedle(t *testing.T) {
	readme, err := os.Open(sharedtest.Path(t, "smollm2", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	defer readme.Close()
	var needles []struct {
		Seed, Answer string
		Variants     map[string]struct{ Text string }
	}
	sharedtest.JSON(t, sharedtest.Path(t, "smollm2", "needle.json"), &needles)
	grade := func(variant string) (recalled []float64, exact int) {
		for _, n := range needles {
			v, ok := n.Variants[variant]
			if !ok || !strings.HasPrefix(n.Seed, "ref-2048-") {
				continue
			}
			ref := Reference{Answers: []string{n.Answer}}
			recalled = append(recalled, score(t, "recalled", v.Text, ref))
			if score(t, "contains", v.Text, ref) == 1 {
				exact++
			}
		}
		return recalled, exact
	}
	header := regexp.MustCompile(`^\| kernel \|(.*)\|$`)
	row := regexp.MustCompile(`^\| (\d+) \|(.*)\|$`)
	cell := regexp.MustCompile(`^(\d\.\d\d) \((\d+)\)$`)
	var budgets []string
	cells := 0
	lines := bufio.NewScanner(readme)
	for lines.Scan() {
		if m := header.FindStringSubmatch(lines.Text()); m != nil {
			for budget := range strings.SplitSeq(m[1], "|") {
				budgets = append(budgets, strings.Fields(budget)[0])
			}
			continue
		}
		m := row.FindStringSubmatch(lines.Text())
		if m == nil || budgets == nil {
			continue
		}
		for i, text := range strings.Split(m[2], "|") {
			want := cell.FindStringSubmatch(strings.TrimSpace(text))
			if want == nil {
				continue
			}
			variant := "full"
			if budgets[i] != "full" {
				variant = fmt.Sprintf("snapkv(cap=%s,w=32,k=%s,pool=max,gqa=query_head)", budgets[i], m[1])
			}
			recalled, exact := grade(variant)
			if len(recalled) == 0 {
				t.Fatalf("no recorded answers of %s", variant)
			}
			sum := 0.0
			for _, r := range recalled {
				sum += r
			}
			share, err := strconv.ParseFloat(want[1], 64)
			if err != nil {
				t.Fatal(err)
			}
			if got := sum / float64(len(recalled)); !(math.Abs(got-share) <= 0.005+1e-9) {
				t.Errorf("%s: recalled %.4f, published %s", variant, got, want[1])
			}
			if strconv.Itoa(exact) != want[2] {
				t.Errorf("%s: %d wholly right, published %s", variant, exact, want[2])
			}
			cells++
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if cells == 0 {
		t.Fatal("no table found")
	}
	t.Logf("%d cells", cells)
}

// TestClassification: the original removes items from the list that it iterates over.
func TestClassification(t *testing.T) {
	classes := []string{"Food", "entity", "Food entity"}
	for _, c := range []struct {
		prediction string
		want       float64
	}{
		{"Food entity", 0.5}, // Food is removed, which moves entity to its place, where it is skipped
		{"Food", 0},
		{"none", 0},
	} {
		got := score(t, "classification", c.prediction, Reference{Answers: []string{"Food entity"}, Classes: classes})
		if got != c.want {
			t.Errorf("classification(%q) = %v, want %v", c.prediction, got, c.want)
		}
	}
	s, err := Open("classification")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Score("Food", Reference{Answers: []string{"Food"}}); err != ErrNoClasses {
		t.Errorf("without classes: %v", err)
	}
}

// TestCodeSimHalves: half a hundredth is rounded to the even neighbour.
func TestCodeSimHalves(t *testing.T) {
	for _, c := range []struct {
		prediction, answer string
		want               float64
	}{
		{"axxxxxxx", "ayyyyyyy", 0.12}, // 2/16
		{"abcxxxxx", "abcyyyyy", 0.38}, // 6/16
	} {
		for _, metric := range []string{"code_sim", "code_sim_difflib"} {
			if got := score(t, metric, c.prediction, Reference{Answers: []string{c.answer}}); got != c.want {
				t.Errorf("%s(%q, %q) = %v, want %v", metric, c.prediction, c.answer, got, c.want)
			}
		}
	}
}

// TestCodeSimHalfInDoubles: 34 of 80 characters are common. 34/80 is exactly half a
// hundredth, 0.425; 1 − 46/80, which the Levenshtein library computes, is just above
// it, 0.42500000000000004.
func TestCodeSimHalfInDoubles(t *testing.T) {
	common := strings.Repeat("a", 17)
	prediction, answer := common+strings.Repeat("x", 23), common+strings.Repeat("y", 23)
	if got := score(t, "code_sim", prediction, Reference{Answers: []string{answer}}); got != 0.43 {
		t.Errorf("code_sim of 34 common characters in 80 = %v, want 0.43", got)
	}
	// difflib divides 2·17 by 80.
	if got := score(t, "code_sim_difflib", prediction, Reference{Answers: []string{answer}}); got != 0.42 {
		t.Errorf("code_sim_difflib of 34 common characters in 80 = %v, want 0.42", got)
	}
}

// TestRetrievalAnswer: an answer without a number is an error of the reference.
func TestRetrievalAnswer(t *testing.T) {
	s, err := Open("retrieval")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Score("7", Reference{Answers: []string{"Paragraph seven"}}); err == nil || !strings.Contains(err.Error(), `"Paragraph seven"`) {
		t.Errorf("an answer without a number: %v", err)
	}
}

// TestRougeLong: two texts of 10,000 words without a full stop, the worst case,
// take little memory. The answer is known: every second word is the same.
func TestRougeLong(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a second")
	}
	const n = 10000
	var a, b strings.Builder
	for i := range n {
		fmt.Fprintf(&a, "w%d ", i)
		fmt.Fprintf(&b, "%c%d ", "wv"[i%2], i)
	}
	allocated := testing.Benchmark(func(b2 *testing.B) {
		for range b2.N {
			if got := rougeL(a.String(), b.String()); !(math.Abs(got-0.5) <= 1e-8) {
				b2.Fatalf("rougeL = %v, want 0.5", got)
			}
		}
	}).AllocedBytesPerOp()
	if allocated == 0 || allocated > 64<<20 {
		t.Errorf("%d bytes allocated", allocated)
	}
}

func BenchmarkRougeL(b *testing.B) {
	text := strings.Repeat("The cache keeps what the window looked at. Then it decodes with less. ", 40)
	other := strings.Repeat("A window decides what stays in the cache. Less is read at every step. ", 40)
	b.SetBytes(int64(len(text) + len(other)))
	for b.Loop() {
		rougeL(text, other)
	}
}
