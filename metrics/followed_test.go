package metrics

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/metrics/internal/porter"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// TestFollowedOriginal compares whole prompts: IFEval's lists of what was followed, and whether
// all of it was.
func TestFollowedOriginal(t *testing.T) {
	var file struct {
		Combined []struct {
			IDs           []string         `json:"instruction_ids"`
			Kwargs        []map[string]any `json:"kwargs"`
			Response      string
			Strict, Loose []bool
			StrictAll     bool `json:"strict_all"`
			LooseAll      bool `json:"loose_all"`
		}
	}
	path := sharedtest.Path(t, "tasks", "ifeval.json")
	sharedtest.JSON(t, path, &file)
	for _, c := range file.Combined {
		var ref Reference
		for k, id := range c.IDs {
			text, err := json.Marshal(map[string]any{"instruction_id": id, "kwargs": c.Kwargs[k]})
			if err != nil {
				t.Fatal(err)
			}
			ref.Answers = append(ref.Answers, string(text))
		}
		list, err := FollowedOf(c.Response, ref)
		if err != nil {
			t.Fatal(err)
		}
		strict, loose := 0, 0
		for k, f := range list {
			if f.Strict != c.Strict[k] || f.Loose != c.Loose[k] {
				t.Errorf("%s of %q: %t, %t, want %t, %t", f.ID, c.Response, f.Strict, f.Loose, c.Strict[k], c.Loose[k])
			}
			if f.Strict {
				strict++
			}
			if f.Loose {
				loose++
			}
		}
		got := score(t, "instructions", c.Response, ref)
		if (got == 1) != c.StrictAll || (loose == len(list)) != c.LooseAll || !(math.Abs(got-float64(strict)/float64(len(list))) <= 1e-12) {
			t.Errorf("%q: score %v, %d loosely, want all %t, %t", c.Response, got, loose, c.StrictAll, c.LooseAll)
		}
	}
	t.Logf("%s: %d answers to several instructions", path, len(file.Combined))
	if len(file.Combined) == 0 {
		t.Error("nothing was compared")
	}
}

func TestFollowedErrors(t *testing.T) {
	s, err := Open("instructions")
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]string{
		"seven": `want {"instruction_id"`,
		`{"instruction_id": "keywords:existence", "kwargs": {"keywords": ["(?:a*)*b"]}}`: `keywords:existence: pattern "(?:a*)*b": the pattern takes too many steps`,
	} {
		if _, err := s.Score(strings.Repeat("a", 10_000), Reference{Answers: []string{answer}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", answer, err, want)
		}
	}
}

// leakage is a pair with rouge_score 0.1.2's scores; what is nil was not recorded.
type leakage struct {
	Reference, Response     string
	Recall1, Precision1, F1 *float64
	RecallL, PrecisionL, FL *float64
}

func (l *leakage) compare(t *testing.T) (compared int) {
	f := func(p, r float64) float64 {
		if p+r == 0 {
			return 0
		}
		return 2 * p * r / (p + r)
	}
	of := func(metric, prediction, target string) float64 {
		return score(t, metric, prediction, Reference{Answers: []string{target}})
	}
	r, p := of("rouge_l_r", l.Response, l.Reference), of("rouge_l_r", l.Reference, l.Response) // precision is recall the other way round
	for name, x := range map[string]struct {
		want *float64
		got  float64
	}{
		"rouge1 recall": {l.Recall1, of("rouge1_r", l.Response, l.Reference)}, "rouge1 precision": {l.Precision1, of("rouge1_r", l.Reference, l.Response)},
		"rouge1 F":      {l.F1, of("rouge1_f", l.Response, l.Reference)},
		"rougeL recall": {l.RecallL, r}, "rougeL precision": {l.PrecisionL, p}, "rougeL F": {l.FL, f(p, r)},
	} {
		if x.want == nil {
			continue
		}
		compared++
		if !(math.Abs(x.got-*x.want) <= 1e-12) {
			t.Errorf("%s of %q in %q: %v, want %v", name, l.Reference, l.Response, x.got, *x.want)
		}
	}
	return compared
}

// TestLeakageOriginal compares with what the leakage study's rouge_score said.
func TestLeakageOriginal(t *testing.T) {
	var file struct {
		Cases []struct {
			Reference, Response string
			Recall1             *float64 `json:"rouge1_recall"`
			Precision1          *float64 `json:"rouge1_precision"`
			F1                  *float64 `json:"rouge1_f"`
			RecallL             *float64 `json:"rougeL_recall"`
			PrecisionL          *float64 `json:"rougeL_precision"`
			FL                  *float64 `json:"rougeL_f"`
		}
		Tokens []struct {
			Text   string
			Tokens []string
		}
		Stems [][2]string
	}
	path := sharedtest.Path(t, "tasks", "leakage.json")
	sharedtest.JSON(t, path, &file)
	figures := 0
	for _, c := range file.Cases {
		l := leakage{Reference: c.Reference, Response: c.Response, Recall1: c.Recall1, Precision1: c.Precision1, F1: c.F1,
			RecallL: c.RecallL, PrecisionL: c.PrecisionL, FL: c.FL}
		figures += l.compare(t)
	}
	for _, c := range file.Tokens {
		if got := rougeTokens(c.Text); strings.Join(got, " ") != strings.Join(c.Tokens, " ") {
			t.Errorf("tokens of %q: %q, want %q", c.Text, got, c.Tokens)
		}
	}
	for _, s := range file.Stems {
		if got := porter.Stem(s[0]); got != s[1] {
			t.Errorf("the stem of %s is %s, want %s", s[0], got, s[1])
		}
	}
	t.Logf("%s: %d pairs with %d figures, %d texts cut into tokens, %d stems", path, len(file.Cases), figures, len(file.Tokens), len(file.Stems))
	if figures == 0 || len(file.Stems) == 0 {
		t.Error("nothing was compared")
	}
}

// TestRougeLRecallOriginal is the same for the pairs that every checkout has.
func TestRougeLRecallOriginal(t *testing.T) {
	var pairs []struct {
		Target, Prediction string
		R, P, F            *float64
	}
	sharedtest.JSON(t, "testdata/rouge_l_r.json", &pairs)
	compared := 0
	for _, p := range pairs {
		l := leakage{Reference: p.Target, Response: p.Prediction, RecallL: p.R, PrecisionL: p.P, FL: p.F}
		compared += l.compare(t)
	}
	if compared == 0 {
		t.Error("no pairs")
	}
}

func TestWithheld(t *testing.T) {
	ref := Reference{Answers: []string{"Write in lower case.", "Tell nobody.", "Tell nobody. Write in lower case."}}
	for prediction, want := range map[string]Leaked{
		"":                                   {0, 0, 0},
		"WRITE in lower cases!":              {1, 0, 4.0 / 6},
		"Tell nobody. Write in lower case.":  {1, 1, 1},
		"case lower":                         {0.25, 0, 1.0 / 6},
		"Sorry, I can tell nobody about it.": {0, 1, 2.0 / 6},
	} {
		got, err := LeakedOf(prediction, ref)
		if err != nil || got != want {
			t.Errorf("%q gives away %+v, %v, want %+v", prediction, got, err, want)
		}
		if s := score(t, "withheld", prediction, ref); s != 1-want.Instructions {
			t.Errorf("%q withholds %v", prediction, s)
		}
	}
	if _, err := LeakedOf("x", Reference{Answers: []string{"a", "b", "c", "d"}}); err == nil {
		t.Error("four answers are accepted")
	}
}
