package local

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// tinyOn is shape:tiny on a device.
func tinyOn(t *testing.T, d engine.Device) *models.Model {
	t.Helper()
	files, err := models.OpenShape("tiny")
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.Load(d, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func tiny(t *testing.T) (*Engine, *models.Model) {
	t.Helper()
	m := tinyOn(t, ref.New())
	return New(m, func(ids []int32) string { return fmt.Sprint(ids) }), m
}

func ids(n, seed int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32((i*i*31 + i*seed + 7) % 256)
	}
	return out
}

func oneVariant(t *testing.T, s string) compress.Variant { return variants(t, s)[0] }

func variants(t *testing.T, s string) []compress.Variant {
	t.Helper()
	v, err := compress.ParseAll(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const five = "full;snapkv(cap=24,w=8,k=3);snapkv(cap=40,w=8,k=3,gqa=kv_head_mean);snapkv(cap=40,w=16,k=5,pool=avg,gqa=kvpress);snapkv(cap=200,w=8,k=1,gqa=kv_head_max)"

const twelve = "full;recent(cap=40);random(cap=40);streaming(cap=40);snapkv(cap=40);pyramid(cap=40);ada(cap=40);h2o(cap=40);observed(cap=40);tova(cap=40);knorm(cap=40);keydiff(cap=40);chunk(cap=40)"

// An answer does not depend on the variants that share its prefill and batch.
func TestSharedPrefillEqualsOneVariantAtATime(t *testing.T) {
	r, m := tiny(t)
	all := variants(t, five)
	before := m.Device().Memory().InUse
	request := runners.Request{Prompt: ids(100, 3), Question: ids(5, 11), Variants: runners.VariantsOf(all), MaxNew: 9, Positions: true}
	other := runners.Request{Prompt: ids(61, 5), Variants: runners.VariantsOf(all[:2]), MaxNew: 4, Positions: true}
	out, err := runners.Answer(context.Background(), r, request, other)
	if err != nil {
		t.Fatal(err)
	}
	for j := range all {
		request.Variants = runners.VariantsOf(all[j : j+1])
		alone, err := runners.Answer(context.Background(), r, request)
		if err != nil {
			t.Fatal(err)
		}
		got, want := out[0][j], alone[0][0]
		if got.Err != nil || want.Err != nil {
			t.Fatalf("%s: %v, alone %v", all[j], got.Err, want.Err)
		}
		if len(got.Tokens) != 9 || got.Text != want.Text || !reflect.DeepEqual(got.Positions, want.Positions) || got.Kept != want.Kept || got.CacheBytes != want.CacheBytes {
			t.Errorf("%s: with others %v %+v, alone %v %+v", all[j], got.Tokens, got.Kept, want.Tokens, want.Kept)
		}
	}
	if out[0][1].Kept != (runners.Kept{Min: 24, Max: 24, Mean: 24}) || out[0][4].Kept != (runners.Kept{Min: 100, Max: 100, Mean: 100}) {
		t.Errorf("kept %+v and %+v", out[0][1].Kept, out[0][4].Kept)
	}
	if out[0][4].Text != out[0][0].Text {
		t.Errorf("a budget above the prompt answers %v, the full cache %v", out[0][4].Tokens, out[0][0].Tokens)
	}
	if len(out[1][0].Tokens) != 4 {
		t.Errorf("the other request has %d tokens, want 4", len(out[1][0].Tokens))
	}
	if after := m.Device().Memory().InUse; after != before+int64(0) {
		t.Errorf("%d bytes are still held", after-before)
	}
}

func TestStops(t *testing.T) {
	r, _ := tiny(t)
	request := runners.Request{Prompt: ids(50, 3), Variants: runners.VariantsOf(variants(t, "full")), MaxNew: 6}
	run := func() runners.Completion {
		out, err := runners.Answer(context.Background(), r, request)
		if err != nil {
			t.Fatal(err)
		}
		return out[0][0]
	}
	free := run()
	if len(free.Tokens) != 6 || free.Ended {
		t.Fatalf("tokens %v, ended %v", free.Tokens, free.Ended)
	}
	request.Stop.Tokens = []int32{free.Tokens[0]}
	if c := run(); len(c.Tokens) != 1 || !c.Ended {
		t.Errorf("stop at the first token: %v", c.Tokens)
	}
	request.MinNew = 1
	if c := run(); c.Tokens[0] == free.Tokens[0] {
		t.Errorf("the end token %d was chosen before the least number of tokens", c.Tokens[0])
	}
	request.MinNew, request.Stop = 0, runners.Stop{Strings: []string{fmt.Sprintf(" %d", free.Tokens[1])}}
	if c := run(); !c.Ended || c.Text != fmt.Sprintf("[%d", free.Tokens[0]) {
		t.Errorf("stop string: %q, tokens %v", c.Text, c.Tokens)
	}
}

// An answer ends before the stop string that begins first, also where one token brings several that overlap.
func TestStopsThatOverlap(t *testing.T) {
	m := tinyOn(t, ref.New())
	r := New(m, func(ids []int32) string { return strings.Repeat("no", len(ids)-1) + "xabc" })
	for _, stops := range [][]string{{"bc", "ab"}, {"ab", "bc"}, {"", "abc", "c", "b"}} {
		out, err := runners.Answer(context.Background(), r, runners.Request{Prompt: ids(20, 3), Variants: runners.VariantsOf(variants(t, "full")), MaxNew: 6, Stop: runners.Stop{Strings: stops}})
		if err != nil {
			t.Fatal(err)
		}
		if c := out[0][0]; c.Text != "x" || !c.Ended || len(c.Tokens) != 1 {
			t.Errorf("%q: %q of %d tokens, ended %v", stops, c.Text, len(c.Tokens), c.Ended)
		}
	}
	out, err := runners.Answer(context.Background(), r, runners.Request{Prompt: ids(20, 3), Variants: runners.VariantsOf(variants(t, "full")), MaxNew: 2, Stop: runners.Stop{Strings: []string{""}}})
	if err != nil || out[0][0].Text != "noxabc" || out[0][0].Ended {
		t.Errorf("an empty stop string: %+v, %v", out, err)
	}
}

func TestFidelity(t *testing.T) {
	r, _ := tiny(t)
	request := runners.Request{Prompt: ids(100, 3), Variants: runners.VariantsOf(variants(t, five)), MaxNew: 9, Fidelity: true}
	out, err := runners.Answer(context.Background(), r, request)
	if err != nil {
		t.Fatal(err)
	}
	full := out[0][0].Fidelity
	if full == nil || full.KLMean != 0 || full.KLP99 != 0 || full.Agreement != 1 || full.FirstDivergence != -1 || full.Tokens != 8 {
		t.Errorf("the full cache against itself: %+v", full)
	}
	for _, c := range out[0][1:4] {
		if c.Fidelity == nil || !(c.Fidelity.KLMean > 0) || c.Fidelity.Agreement > 1 {
			t.Errorf("%s: %+v", c.Variant, c.Fidelity)
			continue
		}
		if at := c.Fidelity.FirstDivergence; at >= 0 && c.Tokens[at] == out[0][0].Tokens[at] {
			t.Errorf("%s: diverges at %d, but the answers agree there: %v, %v", c.Variant, at, c.Tokens, out[0][0].Tokens)
		}
	}
	request.Fidelity = false
	plain, err := runners.Answer(context.Background(), r, request)
	if err != nil {
		t.Fatal(err)
	}
	for j := range plain[0] {
		if plain[0][j].Text != out[0][j].Text {
			t.Errorf("%s: measuring fidelity changed the answer", plain[0][j].Variant)
		}
	}
}

func TestBadRequests(t *testing.T) {
	r, _ := tiny(t)
	good := runners.Request{Prompt: ids(100, 3), Variants: runners.VariantsOf(variants(t, "full;snapkv(cap=20%,w=32)")), MaxNew: 2}
	long := good
	long.Prompt = ids(1<<22, 1)
	empty := good
	empty.Prompt = nil
	lists := good
	lists.Variants = runners.VariantsOf(variants(t, "snapkv(cap=24,w=8|8|8)"))
	out, err := runners.Answer(context.Background(), r, long, good, empty, lists)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{2, 1, 2, 1} {
		failed := 0
		for _, c := range out[i] {
			if c.Err != nil {
				failed++
			}
		}
		if failed != want {
			t.Errorf("request %d: %d completions failed, want %d: %+v", i, failed, want, out[i])
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := runners.Answer(cancelled, r, good); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

// The planned memory is at least what is allocated, and little more.
func TestPlanCoversThePeak(t *testing.T) {
	r, m := tiny(t)
	for _, n := range []int{64, 700} {
		for _, list := range []string{"full", "snapkv(cap=40,w=16,k=5)", five, "tova(cap=40)", "keydiff(cap=40)", "h2o(cap=40)", "cur(cap=40)", "critical(cap=40)", twelve} {
			request := runners.Request{Prompt: ids(n, 3), Variants: runners.VariantsOf(variants(t, list)), MaxNew: 5}
			before := m.Device().Memory().InUse
			out, err := runners.Answer(context.Background(), r, request)
			if err != nil {
				t.Fatal(err)
			}
			peak := out[0][0].PeakBytes - before
			plan := m.Plan(variants(t, list), n, 5, false).Total()
			if plan < peak || float64(plan) > 1.5*float64(peak) {
				t.Errorf("%d tokens, %s: planned %d bytes, the peak was %d", n, list, plan, peak)
			}
		}
	}
}

// What keeps all of a prompt says why: for want of tokens to drop, or because it drops none.
func TestEverythingIsKept(t *testing.T) {
	r, _ := tiny(t)
	all := variants(t, "full;snapkv(cap=24,w=8);snapkv(cap=200,w=8);think(w=8);simlayer")
	out, err := runners.Answer(context.Background(), r, runners.Request{Prompt: ids(100, 3), Variants: runners.VariantsOf(all), MaxNew: 2})
	if err != nil {
		t.Fatal(err)
	}
	for j, want := range []string{"", "", "the prompt is within the budget: everything is kept", "every position is kept", "every position is kept"} {
		if c := out[0][j]; c.Err != nil || c.Note != want {
			t.Errorf("%s: %v, note %q, want %q", c.Variant, c.Err, c.Note, want)
		}
	}
}

// A variant of which decoding reads a part says that the host chose, frees nothing, and
// answers alone as in company, a question and the measuring of fidelity included; with
// room for all it answers as the full cache does.
func TestReaders(t *testing.T) {
	r, _ := tiny(t)
	all := variants(t, "full;quest(cap=24,page=8,recent=4);snapkv(cap=24,w=8);quest(cap=24,page=4,recent=4);quest(cap=200)")
	request := runners.Request{Prompt: ids(100, 3), Question: ids(5, 11), Variants: runners.VariantsOf(all), MaxNew: 9, Fidelity: true}
	run := func() []runners.Completion {
		out, err := runners.Answer(context.Background(), r, request)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range out[0] {
			if c.Err != nil {
				t.Fatalf("%s: %v", c.Variant, c.Err)
			}
		}
		return out[0]
	}
	together := run()
	for j, v := range all {
		c := together[j]
		if c.Host != v.Reads() {
			t.Errorf("%s: chosen on the host: %t", v, c.Host)
		}
		if v.Reads() && (c.CacheBytes != c.FullBytes || c.Kept != together[0].Kept) {
			t.Errorf("%s takes %d bytes of %d, and keeps %+v", v, c.CacheBytes, c.FullBytes, c.Kept)
		}
		if within := j == len(all)-1; (c.Note != "") != within || c.Fidelity.KLMean < 1e-6 != (within || j == 0) {
			t.Errorf("%s: note %q, fidelity %+v", v, c.Note, c.Fidelity)
		}
		request.Variants = runners.VariantsOf(all[j : j+1])
		request.Fidelity = false
		if alone := run()[0]; alone.Text != c.Text || len(alone.Tokens) != 9 {
			t.Errorf("%s: alone %v, with others %v", v, alone.Tokens, c.Tokens)
		}
	}
	if together[4].Text != together[0].Text {
		t.Errorf("a budget above the prompt answers %v, the full cache %v", together[4].Tokens, together[0].Tokens)
	}
}
