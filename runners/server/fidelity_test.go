package server

import (
	"bytes"
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/snapbench/snapbench/runners"
)

// Along the baseline's answer another server's distributions are compared with it: by
// vLLM's way and by llama.cpp's.
func TestFidelity(t *testing.T) {
	for _, owner := range []string{"vllm", "llamacpp"} {
		t.Run(owner, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "trail.jsonl")
			trail, err := OpenTrail(path)
			if err != nil {
				t.Fatal(err)
			}
			as := func(f *fake) { f.owner = owner }
			first := ask(t, newFake(t, as).open(t, func(o *Options) { o.Trail, o.Baseline = trail, true }), prompt("hello", 6))
			if f := first.Fidelity; first.Err != nil || f == nil || f.Tokens != 6 || f.KLMean != 0 || f.Agreement != 1 || f.FirstDivergence != -1 || *f.LogProb != 0 || f.Top != top {
				t.Fatalf("the baseline against itself: %+v, %+v", first, f)
			}
			trail.Close()
			if trail, err = OpenTrail(path); err != nil { // as another run would
				t.Fatal(err)
			}
			defer trail.Close()
			follow := func(change ...func(*fake)) runners.Completion {
				return ask(t, newFake(t, append([]func(*fake){as}, change...)...).open(t, func(o *Options) { o.Trail = trail }), prompt("hello", 6))
			}
			same := follow()
			if f := same.Fidelity; f == nil || f.KLMean != 0 || f.Agreement != 1 || math.Abs(*f.LogProb) > 1e-9 {
				t.Fatalf("the same server: %+v, %s", f, same.Note)
			}
			other := follow(func(f *fake) { f.drift = 10 }) // other choices, the same probabilities by rank
			f := other.Fidelity
			if f == nil || f.Tokens != 6 || f.Agreement == 1 || f.FirstDivergence < 0 || !(f.KLMean > 0) || !(f.KLP99 >= f.KLMean) {
				t.Fatalf("another server: %+v, %s", f, other.Note)
			}
			if owner == "vllm" && (f.LogProb == nil || *f.LogProb >= 0) {
				t.Errorf("the baseline's answer is no less likely: %v", f.LogProb)
			}
			unknown := ask(t, newFake(t, as).open(t, func(o *Options) { o.Trail = trail }), prompt("another", 6))
			if unknown.Err != nil || unknown.Fidelity != nil || !strings.Contains(unknown.Note, "no answer to this prompt") {
				t.Errorf("a prompt that the baseline has not answered: %+v", unknown)
			}
		})
	}
}

// A server that tells no ids is not measured, and says so at once.
func TestFidelityNeedsIDs(t *testing.T) {
	trail, err := OpenTrail(filepath.Join(t.TempDir(), "trail.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer trail.Close()
	for _, change := range []func(*fake){func(f *fake) { f.owner = "somebody" }, func(f *fake) { f.textual = true }} {
		if _, err := Open(t.Context(), Options{URL: newFake(t, change).URL, Trail: trail}); err == nil || !strings.Contains(err.Error(), "token ids") {
			t.Errorf("%v", err)
		}
	}
}

// Tokens that are known by their texts alone, of which several may be alike, are no
// distribution; what is no probability is an error.
func TestStepsNeedIDs(t *testing.T) {
	p, wrong := -0.5, 0.5
	for name, c := range map[string]struct {
		l     logprobs
		steps int
		err   bool
	}{
		"ids":           {logprobs{Tokens: []string{"token_id:7"}, TokenLogprobs: []*float64{&p}, TopLogprobs: []map[string]float64{{"token_id:7": p, "token_id:9": -2}}}, 1, false},
		"texts":         {logprobs{Tokens: []string{"a"}, TokenLogprobs: []*float64{&p}}, 0, false},
		"no number":     {logprobs{Tokens: []string{"token_id:x"}, TokenLogprobs: []*float64{&p}}, 0, true},
		"a lone null":   {logprobs{Tokens: []string{"token_id:7"}, TokenLogprobs: []*float64{nil}}, 0, false},
		"above nothing": {logprobs{Tokens: []string{"token_id:7"}, TokenLogprobs: []*float64{&wrong}}, 0, true},
		"more than one": {logprobs{Tokens: []string{"token_id:7"}, TokenLogprobs: []*float64{&p}, TopLogprobs: []map[string]float64{{"token_id:7": -0.1, "token_id:9": -0.1}}}, 0, true},
	} {
		steps, err := c.l.steps()
		if len(steps) != c.steps || (err != nil) != c.err {
			t.Errorf("%s: %+v, %v", name, steps, err)
		}
	}
	if steps, err := (&logprobs{Tokens: []string{"token_id:7"}, TokenLogprobs: []*float64{&p}, TopLogprobs: []map[string]float64{{"token_id:9": -2, "token_id:7": p}}}).steps(); err != nil ||
		steps[0].ID != 7 || len(steps[0].Top) != 2 || steps[0].Top[0].ID != 7 {
		t.Errorf("%+v, %v", steps, err)
	}
}

// What is known of two distributions never gives more than they have.
func TestLowerKLIsALowerBound(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func(sharp float64) []Likely {
		list := make([]Likely, 60)
		sum := 0.0
		for i := range list {
			list[i] = Likely{int32(i), sharp * random.NormFloat64()}
			sum += math.Exp(list[i].LogProb)
		}
		for i := range list {
			list[i].LogProb -= math.Log(sum)
		}
		return list
	}
	near := 0
	for range 500 {
		sharp := 4 * random.Float64()
		p, q := draw(sharp), draw(sharp)
		if random.IntN(2) == 0 { // near each other, as caches are
			for i := range q {
				q[i].LogProb = p[i].LogProb + 0.1*random.NormFloat64()
			}
			sum := 0.0
			for _, t := range q {
				sum += math.Exp(t.LogProb)
			}
			for i := range q {
				q[i].LogProb -= math.Log(sum)
			}
		}
		whole := 0.0
		for i := range p {
			whole += math.Exp(p[i].LogProb) * (p[i].LogProb - q[i].LogProb)
		}
		known := lowerKL(Step{Top: slices.Clone(p)}.sorted().Top, Step{Top: slices.Clone(q)}.sorted().Top)
		if !(known >= 0) || known > whole+1e-9 {
			t.Fatalf("%v is known of %v", known, whole)
		}
		if known > whole/2 {
			near++
		}
		if self := lowerKL(Step{Top: slices.Clone(p)}.sorted().Top, Step{Top: slices.Clone(p)}.sorted().Top); self != 0 {
			t.Fatalf("a distribution against itself: %v", self)
		}
	}
	if near < 100 { // a bound of nothing would be one, too
		t.Errorf("more than half was known %d times of 500", near)
	}
	if got, want := lowerKL([]Likely{{1, math.Log(0.5)}, {2, math.Log(0.25)}}, []Likely{{1, math.Log(0.25)}, {3, math.Log(0.5)}}),
		0.5*math.Log(2)+0.25*math.Log(0.25/0.5); math.Abs(got-want) > 1e-12 {
		t.Errorf("by hand %v, got %v", want, got)
	}
}

// fullDisk is a file that has room for half of what is written.
type fullDisk struct {
	trailFile
	full bool
}

func (f *fullDisk) Write(p []byte) (int, error) {
	if !f.full {
		return f.trailFile.Write(p)
	}
	n, err := f.trailFile.Write(p[:len(p)/2])
	return n, cmp.Or(err, error(syscall.ENOSPC))
}

// A line that a crash tore is cut off; one that is damaged is named.
func TestTrailsAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail.jsonl")
	trail, err := OpenTrail(path)
	if err != nil {
		t.Fatal(err)
	}
	p := -0.5
	steps := []Step{{ID: 5, LogProb: &p, Top: []Likely{{5, p}}}}
	for _, prompt := range [][]int32{{1, 2}, {3}} {
		if err := trail.put(prompt, steps); err != nil {
			t.Fatal(err)
		}
	}
	trail.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	if trail, err = OpenTrail(path); err != nil {
		t.Fatal(err)
	}
	if len(trail.at([]int32{1, 2})) != 1 || trail.at([]int32{3}) != nil {
		t.Error("a torn line is not cut off")
	}
	if err := trail.put([]int32{3}, steps); err != nil {
		t.Fatal(err)
	}
	trail.Close()
	if again, _ := os.ReadFile(path); !bytes.Equal(again, whole) {
		t.Errorf("written again:\n%s\nwant\n%s", again, whole)
	}
	// The next line may be shorter than what was torn.
	if err := os.WriteFile(path, whole[:len(whole)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	if trail, err = OpenTrail(path); err != nil {
		t.Fatal(err)
	}
	if err := trail.put([]int32{4}, nil); err != nil {
		t.Fatal(err)
	}
	trail.Close()
	if again, _ := os.ReadFile(path); !bytes.HasSuffix(again, []byte("}\n")) || bytes.Count(again, []byte("\n")) != 2 {
		t.Errorf("after a shorter line:\n%s", again)
	}
	// A line that did not fit the disk is not one that the next is written behind.
	if trail, err = OpenTrail(path); err != nil {
		t.Fatal(err)
	}
	room := &fullDisk{trailFile: trail.file, full: true}
	trail.file = room
	if err := trail.put([]int32{5}, steps); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
	room.full = false
	if err := trail.put([]int32{6}, steps); err != nil {
		t.Fatal(err)
	}
	trail.Close()
	if trail, err = OpenTrail(path); err != nil {
		t.Fatal(err)
	}
	if trail.at([]int32{5}) != nil || len(trail.at([]int32{6})) != 1 {
		t.Error("what was written after a full disk is lost, or what was not is there")
	}
	trail.Close()
	damaged := bytes.Replace(whole, []byte(`"logprob":-0.5`), []byte(`"logprob":2.5`), 1)
	if err := os.WriteFile(path, append(damaged, "x\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenTrail(path); err == nil || !strings.Contains(err.Error(), "trail.jsonl:1") {
		t.Errorf("a damaged line: %v", err)
	}
}
