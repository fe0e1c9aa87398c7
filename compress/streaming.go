package compress

import "fmt"

func init() {
	Register(Definition{
		Name: "streaming", Title: "StreamingLLM", Paper: "2309.17453",
		Help:       "keeps the first positions (attention sinks) and the last",
		Parameters: []Parameter{sinksParameter, rerotateParameter},
		New: func(a Arguments) (Policy, error) {
			return rerotate(streaming{a.Whole("sinks")}, a.On("rerotate")), nil
		},
	})
}

// streaming keeps the first and the last positions of the prompt (arXiv 2309.17453,
// section 3.2). Its authors evict again at every step of decoding; here the prompt's
// choice stays.
type streaming struct{ sinks List[int] }

func (streaming) Needs(Layer) Needs { return Needs{} }

func (p streaming) Check(l Layer, c Capacity) error {
	if sinks := p.sinks.At(l.Index); c.Tokens <= sinks {
		return fmt.Errorf("capacity %d leaves nothing beside the first %d positions: it must be larger", c.Tokens, sinks)
	}
	return nil
}

func (p streaming) Expect(l Layer, c Capacity) Expectation {
	return Expectation{Heads: l.Heads.KV, PerHead: c.Tokens, Total: l.Heads.KV * c.Tokens, Tail: c.Tokens - p.sinks.At(l.Index)}
}

func (p streaming) Keep(ops Ops, l Layer, c Capacity) (Kept, error) {
	sinks := p.sinks.At(l.Index)
	return ops.Fixed(fmt.Sprintf("first %d, last %d", sinks, c.Tokens-sinks), func() []int32 {
		return append(span(0, sinks), span(l.Tokens-c.Tokens+sinks, l.Tokens)...)
	}), nil
}
