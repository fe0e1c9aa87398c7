package modeltest

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

// recordedPolicies is policies.json: the parameters with which the originals were run.
type recordedPolicies struct {
	Length   int `json:"length"`
	Cases    map[string]policyCase
	Families map[string]struct {
		Cases map[string]struct {
			Ties     int             `json:"ties"`
			MinGap   *float64        `json:"min_gap"`
			Kept     json.RawMessage `json:"kept"`
			ScoresIn string          `json:"scores_in"`
			Params   map[string]any  `json:"params"`
		}
	}
}

type policyCase struct {
	Source      string         `json:"source"`
	Where       string         `json:"where"`
	Params      map[string]any `json:"params"`
	DecodeStart int            `json:"decode_start"`
}

// Policies compares a device with every recorded case of the policies' originals: the
// positions kept by layer and head (they may differ only in tied scores) and, decoding
// from the recorded positions, tokens and logits.
func Policies(t *testing.T, d engine.Device, tolerance, near float64) {
	dir := sharedtest.Path(t, "policies")
	var all recordedPolicies
	data, err := os.ReadFile(filepath.Join(dir, "policies.json"))
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	var compared struct{ cases, heads, logits int }
	for _, family := range names(all.Families) {
		checkpoint := filepath.Join(sharedtest.Path(t, "goldens"), family)
		if _, err := os.Stat(checkpoint); err != nil {
			t.Errorf("%s: policies are recorded, the checkpoint is missing: %v", family, err)
			continue
		}
		t.Run(family, func(t *testing.T) {
			c := openGolden(t, d, checkpoint)
			c.tolerance, c.near = tolerance, near
			recorded, err := weights.Open(filepath.Join(dir, family, "policies.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer recorded.Close()
			cases := all.Families[family].Cases
			for _, name := range names(cases) {
				t.Run(name, func(t *testing.T) {
					c := *c
					c.t, c.vectors = t, recorded
					if !slices.ContainsFunc(recorded.Names(), func(tensor string) bool { return strings.HasPrefix(tensor, name+".") }) {
						t.Fatalf("%s has nothing of the case", recorded.Path())
					}
					p, known := all.Cases[name]
					if !known {
						t.Fatalf("policies.json has no parameters of the case")
					}
					for key, value := range cases[name].Params {
						p.Params[key] = value
					}
					text, err := p.variant(len(c.ids))
					if err != nil {
						t.Fatal(err)
					}
					v, err := compress.Parse(text)
					if err != nil {
						t.Fatal(err)
					}
					if v.Reads() {
						compared.heads += c.policyReads(name, p.quest(), v)
						compared.cases++
						return
					}
					scores := name
					if in := cases[name].ScoresIn; in != "" {
						scores = in
					}
					tied := cases[name].Ties > 0 || cases[name].MinGap != nil && *cases[name].MinGap < near
					var own func() [][][]float32
					if tied && !recorded.Has(scores+".scores.0") {
						own = sync.OnceValue(func() [][][]float32 { return c.scoresOf(all.scoredBy(name)) })
					}
					compared.heads += c.policyKeeps(name, scores, v, own)
					c.policyChannels(name, v)
					c.policySums(name, v)
					compared.logits += c.policyDecodes(name, v, p.DecodeStart)
					compared.cases++
				})
			}
		})
	}
	t.Logf("%d cases: %d heads' positions and %d rows of logits compared", compared.cases, compared.heads, compared.logits)
}

func names[T any](m map[string]T) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// scoredBy returns the case that has the scores of another case. Only families whose
// scores are recorded name it.
func (r recordedPolicies) scoredBy(name string) policyCase {
	for _, f := range r.Families {
		if in := f.Cases[name].ScoresIn; in != "" {
			return r.Cases[in]
		}
	}
	return r.Cases[name]
}

// scoresOf returns the device's own scores of a recorded case. Positions of the window,
// which have no score, get one above all others.
func (c *checker) scoresOf(p policyCase) [][][]float32 {
	text, err := p.variant(len(c.ids))
	if err != nil {
		c.t.Fatal(err)
	}
	v, err := compress.Parse(text)
	if err != nil {
		c.t.Fatal(err)
	}
	scores := c.ownScores(v)
	for _, layer := range scores {
		for h, row := range layer {
			for top := slices.Max(row) + 1; len(row) < len(c.ids); {
				row = append(row, top)
			}
			layer[h] = row
		}
	}
	return scores
}

// policyRows returns a case's recorded positions by layer and head, nil if there are none.
func (c *checker) policyRows(name string) [][][]int32 {
	if !c.vectors.Has(name + ".keep.0") {
		return nil
	}
	out := make([][][]int32, c.m.Layers)
	for l := range out {
		keep := fmt.Sprintf("%s.keep.%d", name, l)
		tensor, err := c.vectors.Tensor(keep)
		if err != nil {
			c.t.Fatal(err)
		}
		flat, heads := c.ints(keep), tensor.Shape()[0]
		width := len(flat) / heads
		for h := range heads {
			row := flat[h*width : (h+1)*width]
			if end := slices.Index(row, -1); end >= 0 {
				row = row[:end]
			}
			out[l] = append(out[l], row)
		}
	}
	return out
}

// policyKeeps compares the positions that the device keeps with the recorded ones, and
// returns the number of heads compared. If a case has ties but no recorded scores, own
// returns the device's scores.
func (c *checker) policyKeeps(name, scoresOf string, v compress.Variant, own func() [][][]float32) int {
	want := c.policyRows(name)
	if want == nil {
		return 0
	}
	compared := 0
	for l, heads := range c.own(v) {
		if len(heads) != len(want[l]) {
			c.t.Errorf("layer %d: %d cache heads, want %d", l, len(heads), len(want[l]))
			continue
		}
		var scores []float32
		if key := fmt.Sprintf("%s.scores.%d", scoresOf, l); c.vectors.Has(key) {
			scores = c.floats(key)
		}
		for h, got := range heads {
			var row []float32
			if scores != nil {
				m := len(scores) / len(heads)
				row = scores[h*m : (h+1)*m]
			} else if own != nil && !slices.Equal(got, want[l][h]) {
				row = own()[l][h]
			}
			if err := sameButTies(got, want[l][h], row, c.near); err != nil {
				c.t.Errorf("%s: layer %d, head %d: %v", v, l, h, err)
			}
			compared++
		}
	}
	return compared
}

// sameButTies compares two sets of positions: they may differ only in positions
// whose recorded scores are within near of each other.
func sameButTies(got, want []int32, scores []float32, near float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d positions, want %d", len(got), len(want))
	}
	missing := slices.DeleteFunc(slices.Clone(want), func(p int32) bool { return slices.Contains(got, p) })
	extra := slices.DeleteFunc(slices.Clone(got), func(p int32) bool { return slices.Contains(want, p) })
	if len(missing) != len(extra) {
		return fmt.Errorf("a position is there twice: %v", got)
	}
	if len(missing) == 0 {
		return nil
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, p := range append(missing, extra...) {
		if int(p) >= len(scores) {
			return fmt.Errorf("lacks %v and has %v, and position %d has no score", missing, extra, p)
		}
		lo, hi = min(lo, float64(scores[p])), max(hi, float64(scores[p]))
	}
	if !(hi-lo <= near*math.Max(math.Abs(hi), math.Abs(lo))) {
		return fmt.Errorf("lacks %v and has %v, whose scores are from %g to %g", missing, extra, lo, hi)
	}
	return nil
}

// policyDecodes decodes from the recorded positions, fed the recorded answer, and
// compares the device's choices and logits. It returns the number of rows of logits
// compared.
func (c *checker) policyDecodes(name string, v compress.Variant, start int) int {
	if !c.vectors.Has(name + ".decode_tokens") {
		return 0
	}
	// If the policy changes keys, decode from its own cache; such cases have no ties.
	if want := c.policyRows(name); want != nil && start == len(c.ids) {
		v = compress.Recorded(want)
	}
	done, err := c.m.Prefill(c.t.Context(), models.Prompt{IDs: c.ids, Variants: []compress.Variant{v}, Room: 13})
	if err != nil {
		c.t.Fatal(err)
	}
	defer done.Free()
	if got := done.Sequences[0].Position; got != start {
		c.t.Errorf("decoding goes on at %d, want %d", got, start)
	}
	b, err := c.m.NewDecoder(done.Sequences)
	if err != nil {
		c.t.Fatal(err)
	}
	defer b.Close()
	tokens := c.ints(name + ".decode_tokens")
	var logits []float32
	if c.vectors.Has(name + ".decode_logits") {
		logits = c.floats(name + ".decode_logits")
	}
	row, next := slices.Clone(done.Logits), models.Greedy(done.Logits)
	rows := 0
	for i, token := range tokens {
		// If two tokens are closer than twice the tolerance, either may be chosen.
		if next != token && float64(row[next]-row[token]) > 2*c.tolerance {
			c.t.Errorf("token %d is %d, want %d", i, next, token)
		}
		chosen, err := b.Step([]int32{token})
		if err != nil {
			c.t.Fatal(err)
		}
		next = chosen[0]
		if b.Logits(0, row); logits != nil {
			c.close(fmt.Sprintf("decode_logits[%d]", i), row, logits[i*c.m.Vocab:(i+1)*c.m.Vocab])
			rows++
		}
	}
	return rows
}

// quest returns the parameters of a recorded case of Quest.
func (p policyCase) quest() compress.Quest {
	whole := func(name string) int { return int(p.Params[name].(float64)) }
	return compress.Quest{Page: whole("page_size"), Recent: whole("recent_size"), Budget: whole("token_budget")}
}

// variant returns the text of our variant that corresponds to a recorded case, for a
// prompt of n tokens.
func (p policyCase) variant(n int) (string, error) {
	number := func(name string) float64 {
		v, ok := p.Params[name].(float64)
		if !ok {
			panic(fmt.Sprintf("%s: parameter %q is %v", p.Where, name, p.Params[name]))
		}
		return v
	}
	whole := func(name string) int { return int(number(name)) }
	word := func(name string) string { s, _ := p.Params[name].(string); return s }
	on := func(name string) string {
		if set, _ := p.Params[name].(bool); set {
			return "on"
		}
		return "off"
	}
	ratio := func() int { return int(float64(n) * (1 - number("compression_ratio"))) }
	share := func() string {
		return fmt.Sprintf("%.12g%%", 100*(1-number("compression_ratio")))
	}
	gqa := func(how string) string {
		if word("granularity") == "query_head" {
			return "query_head"
		}
		return "kv_head_" + how
	}
	press := func() string { // kvpress's SnapKV
		return fmt.Sprintf("snapkv(w=%d,k=%d,pool=avg,gqa=kvpress)", whole("window_size"), whole("kernel_size"))
	}
	factory := func(how string) string {
		return fmt.Sprintf("snapkv(w=%d,k=%d,pool=%s,gqa=%s)", whole("window_size"), whole("kernel_size"), poolings[word("pooling")], gqa(how))
	}
	where := strings.Fields(strings.TrimRight(p.Where, ","))
	class := strings.TrimRight(where[1], ",")
	switch class {
	case "StreamingLLMPress":
		return fmt.Sprintf("streaming(cap=%d,sinks=%d)", ratio(), whole("n_sink")), nil
	case "over": // key_rerotation_press.py over streaming_llm_press.py
		return fmt.Sprintf("streaming(cap=%d,sinks=%d,rerotate=on)", ratio(), whole("n_sink")), nil
	case "StreamingLLMKVCluster":
		return fmt.Sprintf("streaming(cap=%d,sinks=%d)", whole("max_capacity_prompt"), whole("max_capacity_prompt")-whole("window_size")), nil
	case "H2OKVCluster":
		return fmt.Sprintf("h2o(cap=%d,w=%d,gqa=%s)", whole("max_capacity_prompt"), whole("window_size"), gqa(word("gqa_score_agg"))), nil
	case "ObservedAttentionPress":
		return fmt.Sprintf("observed(cap=%d)", ratio()), nil
	case "TOVAPress":
		return fmt.Sprintf("tova(cap=%d)", ratio()), nil
	case "KnormPress":
		return fmt.Sprintf("knorm(cap=%d)", ratio()), nil
	case "L2NormCluster":
		return fmt.Sprintf("knorm(cap=%d,skip=%d)", whole("max_capacity_prompt"), len(p.Params["skip_layers"].([]any))), nil
	case "KeyDiffPress":
		return fmt.Sprintf("keydiff(cap=%d)", ratio()), nil
	case "ExpectedAttentionPress":
		return fmt.Sprintf("expected(cap=%d,future=%d,sinks=%d,covariance=%s,norms=%s,epsilon=%g)", ratio(), whole("n_future_positions"), whole("n_sink"),
			on("use_covariance"), on("use_vnorm"), number("epsilon")), nil
	case "PyramidKVPress":
		return fmt.Sprintf("pyramid(cap=%s,form=kvpress,beta=%d,%s)", share(), whole("beta"), press()), nil
	case "PyramidKVCluster":
		return fmt.Sprintf("pyramid(cap=%d,form=factory,beta=%d,%s)", whole("max_capacity_prompt"), whole("beta"), factory(word("gqa_score_agg"))), nil
	case "SnapKVCluster":
		return fmt.Sprintf("pyramid(cap=%d,form=ffy0,beta=%d,%s)", whole("base_capacity"), whole("pyram_beta"), factory(word("gqa_func"))), nil
	case "AdaKVPress":
		return fmt.Sprintf("ada(cap=%d,form=kvpress,alpha=%g,%s)", ratio(), number("alpha_safeguard"), press()), nil
	case "AdaKVCluster":
		return fmt.Sprintf("ada(cap=%d,form=factory,alpha=%g,normalize=%s,%s)", whole("max_capacity_prompt"), number("floor_ratio"), on("normalize"), factory(word("gqa_score_agg"))), nil
	case "AdaptiveSnapKVCluster":
		inner := factory(word("gqa_func"))
		if set, _ := p.Params["pyram_mode"].(bool); set {
			inner = fmt.Sprintf("pyramid(form=ffy0,beta=%d,%s)", whole("pyram_beta"), inner)
		}
		return fmt.Sprintf("ada(cap=%d,form=ffy0,alpha=%g,normalize=off,%s)", whole("base_capacity"), number("floor_alpha"), inner), nil
	case "CriticalKVPress":
		return fmt.Sprintf("critical(cap=%d,epsilon=%g,first=%g,%s)", ratio(), number("epsilon"), number("first_stage_ratio"), press()), nil
	case "CriticalAdaKVPress":
		return fmt.Sprintf("critical(cap=%d,epsilon=%g,first=%g,ada(form=kvpress,alpha=%g,%s))", ratio(), number("epsilon"), number("first_stage_ratio"),
			number("alpha_safeguard"), press()), nil
	case "LagKVPress":
		return fmt.Sprintf("lagkv(cap=%d,sinks=%d,lag=%d,cross=%s)", ratio(), whole("n_sink"), whole("lag_size"), on("cross_scoring")), nil
	case "CURPress":
		block := 0
		if on("use_local_approximation") == "on" {
			block = whole("local_window_size")
		}
		return fmt.Sprintf("cur(cap=%d,sinks=%d,leverage=%s,block=%d)", ratio(), whole("num_sinks"), word("leverage_type"), block), nil
	case "ChunkKVPress":
		return fmt.Sprintf("chunk(cap=%d,chunk=%d,%s)", ratio(), whole("chunk_length"), press()), nil
	case "FinchPress":
		chunk := 0
		if p.Params["chunk_length"] != nil {
			chunk = whole("chunk_length")
		}
		return fmt.Sprintf("finch(cap=%s,w=%d,chunk=%d,normalize=%s,rerotate=%s)", share(), whole("window_size"), chunk, on("normalize_scores"), on("rerotate_keys")), nil
	case "select_quest_tokens":
		return fmt.Sprintf("quest(cap=%d,page=%d,recent=%d)", whole("token_budget"), whole("page_size"), whole("recent_size")), nil
	case "ThinKPress":
		return fmt.Sprintf("think(ratio=%g,w=%d)", number("key_channel_compression_ratio"), whole("window_size")), nil
	case "SimLayerKVPress":
		return fmt.Sprintf("simlayer(last=%d,recent=%d,sinks=%d,threshold=%g)", whole("n_last"), whole("n_recent"), whole("n_initial"), number("lazy_threshold")), nil
	case "SnapKV":
		return fmt.Sprintf("snapkv(cap=%d,w=%d,k=%d,pool=max,gqa=rkv)", whole("budget"), whole("window_size"), whole("kernel_size")), nil
	}
	return "", fmt.Errorf("no policy of ours is %s %s", p.Source, p.Where)
}
