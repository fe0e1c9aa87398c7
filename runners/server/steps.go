package server

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// top is how many of the most likely tokens are asked for: vLLM's most, unless it is
// started otherwise.
const top = 20

// Step is what a server tells of one next-token distribution.
type Step struct {
	ID      int32    `json:"id"`      // of the answer
	LogProb *float64 `json:"logprob"` // its own, in nats; nil where the server does not tell it
	Top     []Likely `json:"top"`     // the most likely tokens, the first first
}

// Likely is a token with its log-probability.
type Likely struct {
	ID      int32   `json:"id"`
	LogProb float64 `json:"logprob"`
}

// logprobs are the most likely tokens of a piece: /completions as OpenAI had it, whose
// keys are vLLM's "token_id:5", or llama.cpp's list, which has ids.
type logprobs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogprobs []*float64           `json:"token_logprobs"`
	TopLogprobs   []map[string]float64 `json:"top_logprobs"`
	Content       []struct {
		ID          *int32  `json:"id"`
		Logprob     float64 `json:"logprob"`
		TopLogprobs []struct {
			ID      *int32  `json:"id"`
			Logprob float64 `json:"logprob"`
		} `json:"top_logprobs"`
	} `json:"content"`
}

const idPrefix = "token_id:"

// steps returns what has ids; tokens that are only texts are not one-to-one.
func (l *logprobs) steps() ([]Step, error) {
	if l == nil {
		return nil, nil
	}
	var list []Step
	for _, c := range l.Content {
		if c.ID == nil {
			return nil, nil
		}
		s := Step{ID: *c.ID, LogProb: &c.Logprob}
		for _, t := range c.TopLogprobs {
			if t.ID == nil {
				return nil, nil
			}
			s.Top = append(s.Top, Likely{*t.ID, t.Logprob})
		}
		list = append(list, s.sorted())
	}
	for i, token := range l.Tokens {
		if !strings.HasPrefix(token, idPrefix) || i >= len(l.TokenLogprobs) || l.TokenLogprobs[i] == nil {
			return nil, nil
		}
		var s Step
		var err error
		if s.ID, err = idOf(strings.TrimPrefix(token, idPrefix)); err != nil {
			return nil, err
		}
		s.LogProb = l.TokenLogprobs[i]
		if i < len(l.TopLogprobs) {
			for token, p := range l.TopLogprobs[i] {
				id, err := idOf(strings.TrimPrefix(token, idPrefix))
				if err != nil {
					return nil, err
				}
				s.Top = append(s.Top, Likely{id, p})
			}
		}
		list = append(list, s.sorted())
	}
	for _, s := range list {
		if err := s.check(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func idOf(text string) (int32, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the server names the token %.40q: want an id", text)
	}
	return int32(n), nil
}

func (s Step) sorted() Step {
	slices.SortFunc(s.Top, func(a, b Likely) int {
		return cmp.Or(cmp.Compare(b.LogProb, a.LogProb), cmp.Compare(a.ID, b.ID))
	})
	s.Top = s.Top[:min(len(s.Top), top)]
	return s
}

// check reports what is no distribution.
func (s Step) check() error {
	sum := 0.0
	all := s.Top
	if s.LogProb != nil {
		all = append(slices.Clone(all), Likely{s.ID, *s.LogProb})
	}
	for _, t := range all {
		if !(t.LogProb <= slack) {
			return fmt.Errorf("the server gives the token %d the log-probability %v", t.ID, t.LogProb)
		}
	}
	for _, t := range s.Top {
		sum += math.Exp(t.LogProb)
	}
	if sum > 1+10*slack {
		return fmt.Errorf("the server gives the %d most likely tokens the probability %v together", len(s.Top), sum)
	}
	return nil
}

// slack is what servers' own rounding may add to a probability of 1.
const slack = 1e-3

func idsOf(steps []Step) []int32 {
	var ids []int32
	for _, s := range steps {
		ids = append(ids, s.ID)
	}
	return ids
}
