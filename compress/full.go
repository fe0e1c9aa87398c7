package compress

// full keeps everything, one copy per KV head.
type full struct{}

func (full) Needs(Layer) Needs           { return Needs{} }
func (full) Check(Layer, Capacity) error { return nil }
func (full) Expect(l Layer, _ Capacity) Expectation {
	return Expectation{Heads: l.Heads.KV, PerHead: l.Tokens, Total: l.Heads.KV * l.Tokens, Tail: l.Tokens}
}
func (full) Keep(ops Ops, _ Layer, _ Capacity) (Kept, error) { return ops.Everything(), nil }
