package compress

import "fmt"

func init() {
	Register(Definition{
		Name: "recent", Title: "most recent", Help: "keeps the last positions: what every policy must beat",
		New: func(Arguments) (Policy, error) { return recent{}, nil },
	})
}

// recent keeps the last positions of the prompt.
type recent struct{}

func (recent) Needs(Layer) Needs           { return Needs{} }
func (recent) Check(Layer, Capacity) error { return nil }

func (recent) Expect(l Layer, c Capacity) Expectation {
	return Expectation{Heads: l.Heads.KV, PerHead: c.Tokens, Total: l.Heads.KV * c.Tokens, Tail: c.Tokens}
}

func (recent) Keep(ops Ops, l Layer, c Capacity) (Kept, error) {
	return ops.Fixed(fmt.Sprintf("last %d", c.Tokens), func() []int32 { return span(l.Tokens-c.Tokens, l.Tokens) }), nil
}

// span returns the positions lo … hi-1.
func span(lo, hi int) []int32 {
	p := make([]int32, 0, max(0, hi-lo))
	for j := lo; j < hi; j++ {
		p = append(p, int32(j))
	}
	return p
}
