package compress

import (
	"fmt"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
)

// What a variant does with a prompt of n tokens.

// Needs returns what prefill must hold ready: nothing where nothing will be dropped.
func (v Variant) Needs(l Layer) Needs {
	var all Needs
	for i := range l.Layers {
		l.Index = i
		all = all.join(v.needs(l))
	}
	return all
}

// NeedsOf returns what prefill must hold ready for all of the variants.
func NeedsOf(variants []Variant, l Layer) Needs {
	var all Needs
	scores := map[string]int{} // those with the same scorer share the scores
	for _, v := range variants {
		n, m := v.Needs(l), &v.method
		for m.inner != nil {
			m = m.inner
		}
		scorer := m.text("")
		scores[scorer] = max(scores[scorer], n.Scores)
		all = all.join(n)
	}
	all.Scores = 0
	for _, rows := range scores {
		all.Scores += rows
	}
	return all
}

func (v Variant) needs(l Layer) Needs {
	if v.within(l) {
		return Needs{}
	}
	return v.method.policy.Needs(l)
}

// CheckLayers reports a per-layer list whose length is not the model's.
func (v Variant) CheckLayers(layers int) error {
	for _, n := range v.lengths() {
		if n != 1 && n != layers {
			return fmt.Errorf("%s: a list has %d values, the model has %d layers", v, n, layers)
		}
	}
	return nil
}

// CheckPrompt reports a budget that cannot serve a prompt: a share of it that the
// window alone would fill, or layers that disagree on where decoding goes on.
func (v Variant) CheckPrompt(l Layer) error {
	if v.budget.inBytes() {
		if err := v.fitted(l.Tokens).err; err != nil {
			return fmt.Errorf("%s on a prompt of %d tokens: %w", v, l.Tokens, err)
		}
	}
	if err := v.checkPlaces(l); err != nil {
		return err
	}
	for i := range l.Layers {
		l.Index = i
		if v.within(l) {
			continue
		}
		if err := v.method.policy.Check(l, v.capacity(l)); err != nil {
			return fmt.Errorf("%s on a prompt of %d tokens: %w", v, l.Tokens, err)
		}
	}
	return nil
}

func (v Variant) capacity(l Layer) Capacity {
	if v.method.definition.Unbudgeted {
		return Capacity{l.Tokens, float64(l.Tokens)}
	}
	return v.at(l.Index, l.Tokens)
}

// Capacity returns the budget of a layer in tokens for a prompt of n, or n where the
// prompt is no longer than that; ok is false where the policy has no budget.
func (v Variant) Capacity(layer, n int) (tokens int, ok bool) {
	if v.method.definition.Unbudgeted {
		return n, false
	}
	if v.budget.inBytes() && v.fitted(n).err != nil {
		return 0, false
	}
	return min(n, v.at(layer, n).Tokens), true
}

// Allowed is Capacity of every layer; ok is false also where layers have capacities that differ.
func (v Variant) Allowed(n int) (tokens int, ok bool) {
	tokens, ok = v.Capacity(0, n)
	for i := range v.budget.list {
		if other, _ := v.Capacity(i, n); other != tokens {
			return 0, false
		}
	}
	return tokens, ok
}

// Expect says what the variant's cache of a layer must hold. Where nothing is
// dropped there is one copy per KV head, whatever the policy does otherwise.
func (v Variant) Expect(l Layer) Expectation {
	if v.within(l) {
		return full{}.Expect(l, Capacity{})
	}
	return v.method.policy.Expect(l, v.capacity(l))
}

// Audit reports what the policy itself finds wrong with the positions kept in a
// layer, by cache head.
func (v Variant) Audit(l Layer, kept [][]int32) error {
	if a, ok := v.method.policy.(Auditor); ok && !v.within(l) {
		return a.Audit(l, v.capacity(l), kept)
	}
	return nil
}

// Place returns the position of the first new token: n, but for policies that
// count the kept positions anew.
func (v Variant) Place(l Layer) int {
	if p, ok := v.method.policy.(Placer); ok && !v.within(l) {
		return p.Place(l, v.capacity(l))
	}
	return l.Tokens
}

// checkPlaces reports layers behind which decoding would go on at different
// positions: a token has one.
func (v Variant) checkPlaces(l Layer) error {
	l.Index = 0
	first := v.Place(l)
	for i := 1; i < l.Layers; i++ {
		l.Index = i
		if place := v.Place(l); place != first {
			return fmt.Errorf("%s on a prompt of %d tokens: decoding would go on at position %d behind layer 0 and at %d behind layer %d: want one for all layers", v, l.Tokens, first, place, i)
		}
	}
	return nil
}

// within: a prompt below the budget loses nothing (SnapKV's own rule; a prompt
// exactly as long runs through, and keeps everything too).
func (v Variant) within(l Layer) bool {
	return !v.method.definition.Unbudgeted && l.Tokens < v.at(l.Index, l.Tokens).Tokens
}

// Reads reports whether decoding reads only a part of the variant's caches: see [Reader].
func (v Variant) Reads() bool {
	_, ok := v.method.policy.(Reader)
	return ok
}

// Read returns for each query head of a layer the positions that a token's query reads,
// of those that the layer's sliding window shows: see [Reader].
func (v Variant) Read(l Layer, queries, keys [][]float32) [][]int32 {
	read := v.method.policy.(Reader).Read(l, v.capacity(l), queries, keys)
	for a, positions := range read {
		n := len(keys[a/l.Heads.Group()]) / l.Heads.Size
		first, _ := slices.BinarySearch(positions, int32(l.hidden(n)))
		read[a] = positions[first:]
	}
	return read
}

// KeepsAll reports whether the variant drops nothing of a prompt of n tokens in any
// of the layers, and decoding may read all of it.
func (v Variant) KeepsAll(layers, n int) bool {
	for i := range layers {
		if capacity, ok := v.Capacity(i, n); ok && v.Reads() && capacity < n {
			return false
		}
		if v.ofOneHead(i, layers, n).PerHead < n {
			return false
		}
	}
	return true
}

// ofOneHead is what a layer's cache must hold if the model has one head.
func (v Variant) ofOneHead(layer, layers, n int) Expectation {
	return v.Expect(Layer{Index: layer, Layers: layers, Tokens: n, Attention: engine.Attention{Heads: engine.Heads{Query: 1, KV: 1}}})
}

// Level returns the name of a policy that is to give each layer a capacity of its own and gives all of them the same for a prompt
// of n tokens, as PyramidKV does where its last layer would be left with too little; else it is empty.
func (v Variant) Level(layers, n int) string {
	m := &v.method
	for !m.definition.ByLayer {
		if m = m.inner; m == nil {
			return ""
		}
	}
	if layers < 2 {
		return ""
	}
	for i := 1; i < layers; i++ {
		if v.ofOneHead(i, layers, n).Most() != v.ofOneHead(0, layers, n).Most() {
			return ""
		}
	}
	return m.definition.Name
}

func (v Variant) keep(ops Ops, l Layer) (Kept, error) {
	if err := v.checkPlaces(l); err != nil {
		return Kept{}, err
	}
	if v.within(l) {
		return ops.Everything(), nil
	}
	c := v.capacity(l)
	if err := v.method.policy.Check(l, c); err != nil {
		return Kept{}, fmt.Errorf("%s on a prompt of %d tokens: %w", v, l.Tokens, err)
	}
	kept, err := v.method.policy.Keep(ops, l, c)
	if err != nil {
		return Kept{}, fmt.Errorf("%s: %w", v, err)
	}
	return kept, nil
}
