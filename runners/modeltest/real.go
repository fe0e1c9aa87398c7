package modeltest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"slices"
	"sort"
	"strconv"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/tokenizer"
	"github.com/snapbench/snapbench/runners/weights"
)

// The reference was computed in float32, too. If its best logit leads by less than
// this margin, another rounding may choose another token, and the tokens after it
// cannot be compared. Under SnapKV a near tie in the scores may also change a kept
// position.
const (
	fullMargin   = 0.002
	snapkvMargin = 0.01
)

// Real runs a real small model and compares it with transformers' float32 results: eight
// continuations under the full cache, and needle prompts under many variants. Long prompts take
// minutes on a CPU. Without SNAPBENCH_LONG=1 only a prompt or two of each length up to 2K are run, and
// the test logs how many are left out; SNAPBENCH_LONGEST leaves out longer prompts all the same.
func Real(t *testing.T, d engine.Device) {
	compareReal(t, d, sharedtest.SmolLM2(t), realModel{folder: "smollm2", texts: "chat.json", end: 2, few: 2})
}

// RealHybrid is the same of a model whose layers slide but for three, with a context of 32K.
func RealHybrid(t *testing.T, d engine.Device) {
	compareReal(t, d, sharedtest.Gemma3(t), realModel{folder: "gemma3", texts: "text.json", end: 1, few: 1})
}

// compareReal compares the model at a path with the reference data.
func compareReal(t *testing.T, d engine.Device, path string, r realModel) {
	files, err := models.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	text, _, err := tokenizer.OpenGGUF(files.GGUF.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	numbers := int64(0)
	for _, name := range files.GGUF.Names() {
		x, err := files.GGUF.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		product := int64(1)
		for _, n := range x.Shape() {
			product *= int64(n)
		}
		numbers += product
	}
	if got := files.Config.Parameters(); got != numbers {
		t.Errorf("%d parameters, the file holds %d numbers", got, numbers)
	}
	m, err := models.Load(d, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r.m, r.text, r.run = m, text, local.New(m, func(ids []int32) string { return text.Decode(ids, true) })
	t.Run("texts", r.continues)
	t.Run("needles", r.needles)
}

type realModel struct {
	folder, texts string // of the reference data, and the file in it that has the continuations
	end           int32  // the end token
	few           int    // prompts of each length that are run every day

	m    *models.Model
	text tokenizer.Tokenizer
	run  *local.Engine
}

func (r realModel) continues(t *testing.T) {
	var all []struct {
		Prompt      string    `json:"prompt"`
		IDs         []int32   `json:"ids"`
		Top10IDs    []int32   `json:"top10_ids"`
		Top10Logits []float32 `json:"top10_logits"`
		Tokens      []int32   `json:"tokens"`
		Margins     []float64 `json:"margins"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, r.folder, r.texts), &all)
	for i, c := range all {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			ids, err := r.text.Encode(c.Prompt, true)
			if err != nil || !slices.Equal(ids, c.IDs) {
				t.Fatalf("ids %v (%v), want %v", ids, err, c.IDs)
			}
			r.top10(t, ids, c.Top10IDs, c.Top10Logits)
			out, err := runners.Answer(context.Background(), r.run, runners.Request{
				Prompt: ids, Variants: []runners.Variant{compress.Full}, MaxNew: 48, Stop: runners.Stop{Tokens: []int32{r.end}},
			})
			if err != nil {
				t.Fatal(err)
			}
			got := out[0][0].Tokens
			for i, want := range c.Tokens {
				if i < len(got) && got[i] == want {
					continue
				}
				if c.Margins[i] < fullMargin {
					t.Logf("differs from token %d on, where the margin is %g", i, c.Margins[i])
					return
				}
				t.Fatalf("token %d: %v, want %v; margin %g", i, got[i:], c.Tokens[i:], c.Margins[i])
			}
			// The reference may or may not have the end token.
			if extra := len(got) - len(c.Tokens); extra > 1 || extra == 1 && got[len(got)-1] != r.end {
				t.Errorf("%d tokens, want %d", len(got), len(c.Tokens))
			}
		})
	}
}

// top10 compares the first step's logits with the ten largest of the reference.
func (r realModel) top10(t *testing.T, ids, want []int32, logits []float32) {
	t.Helper()
	done, err := r.m.Prefill(context.Background(), models.Prompt{IDs: ids})
	if err != nil {
		t.Fatal(err)
	}
	done.Free()
	order := make([]int, len(done.Logits))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return done.Logits[order[a]] > done.Logits[order[b]] })
	worst := 0.0
	for i, id := range want {
		worst = math.Max(worst, math.Abs(float64(done.Logits[id])-float64(logits[i])))
	}
	if !(worst <= 2e-4) || int32(order[0]) != want[0] {
		t.Errorf("the first step's logits differ by %g; best %d, want %d", worst, order[0], want[0])
	}
}

func (r realModel) needles(t *testing.T) {
	var prompts []struct {
		Seed        string    `json:"seed"`
		Prompt      string    `json:"prompt"`
		Tokens      int       `json:"prompt_tokens"`
		SHA256      string    `json:"ids_sha256"`
		Top10IDs    []int32   `json:"top10_ids"`
		Top10Logits []float32 `json:"top10_logits"`
		Variants    map[string]struct {
			Tokens []int32 `json:"tokens"`
			Margin float64 `json:"min_margin"`
		} `json:"variants"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, r.folder, "needle.json"), &prompts)
	compared, allowed, left := 0, 0, 0
	long := os.Getenv("SNAPBENCH_LONG") != ""
	of := map[int]int{}
	longest, err := strconv.Atoi(cmp.Or(os.Getenv("SNAPBENCH_LONGEST"), "1000000"))
	if err != nil {
		t.Fatalf("SNAPBENCH_LONGEST: %v", err)
	}
	for _, p := range prompts {
		if of[p.Tokens]++; p.Tokens > longest || !long && (p.Tokens > 2048 || of[p.Tokens] > r.few || testing.Short() && p.Tokens > 1024) {
			left++
			continue
		}
		t.Run(p.Seed, func(t *testing.T) {
			ids, err := r.text.Encode(p.Prompt, true)
			if err != nil {
				t.Fatal(err)
			}
			if got := hashIDs(ids); len(ids) != p.Tokens || got != p.SHA256 {
				t.Fatalf("%d tokens with sha256 %s, want %d with %s", len(ids), got, p.Tokens, p.SHA256)
			}
			if len(p.Top10IDs) > 0 {
				r.top10(t, ids, p.Top10IDs, p.Top10Logits)
			}
			var names []string
			for name := range p.Variants {
				names = append(names, name)
			}
			sort.Strings(names)
			var variants []compress.Variant
			for _, name := range names {
				v, err := compress.Parse(name)
				if err != nil {
					t.Fatal(err)
				}
				variants = append(variants, v)
			}
			out, err := runners.Answer(context.Background(), r.run, runners.Request{
				Prompt: ids, Variants: runners.VariantsOf(variants), MaxNew: 10, Stop: runners.Stop{Tokens: []int32{r.end}}, Positions: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, c := range out[0] {
				if c.Err != nil {
					t.Fatal(c.Err)
				}
				want := p.Variants[names[i]]
				limit := snapkvMargin
				if c.Variant.Policy() == compress.FullName {
					limit = fullMargin
				}
				compared++
				if got := c.Tokens[:min(len(c.Tokens), len(want.Tokens))]; !slices.Equal(got, want.Tokens) {
					if want.Margin < limit {
						allowed++
						t.Logf("%s: tokens %v, reference %v; its smallest margin is %g", names[i], c.Tokens, want.Tokens, want.Margin)
						continue
					}
					t.Errorf("%s: tokens %v, want %v; smallest margin %g", names[i], c.Tokens, want.Tokens, want.Margin)
				}
			}
			if p.Seed == "keep-1k" {
				r.kept(t, ids, out[0])
			}
		})
	}
	t.Logf("%d answers compared, %d differ where a margin is too small to tell; %d prompts left out (SNAPBENCH_LONG=1 runs them)", compared, allowed, left)
}

// kept compares chosen positions with the reference's. They may differ only in
// positions whose scores are within 1e-4, relatively, of the cut.
func (r realModel) kept(t *testing.T, ids []int32, completions []runners.Completion) {
	file, err := weights.Open(sharedtest.Path(t, r.folder, "keep_1k.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := checker{t: t, d: r.m.Device(), m: r.m, ids: ids}
	for _, name := range file.Names() {
		i := slices.IndexFunc(completions, func(c runners.Completion) bool { return c.Variant.String() == name })
		if i < 0 {
			t.Errorf("%s has reference positions and was not run", name)
			continue
		}
		tensor, err := file.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		keep, err := tensor.Ints()
		if err != nil {
			t.Fatal(err)
		}
		heads, per := tensor.Shape()[1], tensor.Shape()[2]
		scores := c.ownScores(completions[i].Variant.(compress.Variant))
		swapped := 0
		for l, layer := range completions[i].Positions {
			for h, got := range layer {
				want := keep[(l*heads+h)*per : (l*heads+h+1)*per]
				if !slices.Equal(got, want) {
					swapped++
				}
				if err := sameChoice(got, want, scores[l][h], len(ids), 1e-4); err != nil {
					t.Errorf("%s: layer %d, head %d: %v", name, l, h, err)
				}
			}
		}
		if swapped > 0 {
			t.Logf("%s: %d of %d heads keep another position within 1e-4 of the cut", name, swapped, len(keep)/per)
		}
	}
}

func hashIDs(ids []int32) string {
	b := make([]byte, 4*len(ids))
	for i, id := range ids {
		binary.LittleEndian.PutUint32(b[4*i:], uint32(id))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
