package models

import (
	"fmt"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
)

// In models with layers of two kinds, some with a sliding window and some with full attention (Gemma, gpt-oss), policies choose
// in the latter alone. A sliding layer keeps its last positions, as many as its window has, under every variant, the full cache
// included: it is small already, and what it drops is not seen again. Capacities, schedules over layers and shares of a layer
// are therefore those of the layers with full attention, which policies see as a model of their own. kvpress does so for
// Gemma 3 (base_press.py). A model in which every layer slides has policies choose in all of them. A layer with linear
// attention has a state of fixed size in place of a cache, and policies do not see it either.

// Hybrid says whether the model has layers of two kinds.
func (c Config) Hybrid() bool {
	sliding := 0
	for _, w := range c.Windows {
		if w > 0 {
			sliding++
		}
	}
	return sliding > 0 && sliding < len(c.Windows) || c.Linear.Count() > 0
}

// Fixed says whether a layer keeps its last positions, or a state, whatever the policy.
func (c Config) Fixed(layer int) bool {
	return c.Windows[layer] > 0 && c.Hybrid() || c.Linear.Has(layer)
}

// PolicyLayers are the layers in which policies choose, ascending.
func (c Config) PolicyLayers() []int {
	var list []int
	for i := range c.Windows {
		if !c.Fixed(i) {
			list = append(list, i)
		}
	}
	return list
}

// PolicyPlace is a prompt as policies see it, before the first of their layers.
func (c Config) PolicyPlace(tokens, sample int) compress.Layer {
	return compress.Layer{Layers: len(c.PolicyLayers()), Tokens: tokens, Attention: engine.Attention{Heads: c.Heads}, Sample: sample}
}

// CheckVariant reports a variant that cannot serve the model.
func (c Config) CheckVariant(v compress.Variant) error {
	layers := c.PolicyLayers()
	if err := v.CheckLayers(len(layers)); err != nil {
		if c.Hybrid() {
			words, _ := c.fixedWords()
			return fmt.Errorf("%w in which policies choose: of its %d, the other %d have %s", err, c.Layers, c.Layers-len(layers), words)
		}
		return err
	}
	return nil
}

// CheckPrompt reports a variant that cannot serve a prompt.
func (c Config) CheckPrompt(v compress.Variant, tokens, sample int) error {
	if err := c.CheckVariant(v); err != nil {
		return err
	}
	place := c.PolicyPlace(tokens, sample)
	if err := v.CheckPrompt(place); err != nil {
		return err
	}
	if p := v.Place(place); p != tokens && c.Hybrid() {
		words, kept := c.fixedWords()
		return fmt.Errorf("%s on a prompt of %d tokens: decoding would go on at position %d, and layers with %s keep their %s", v, tokens, p, words, kept)
	}
	return nil
}

// CacheBytes is what the full cache holds of a prompt of n tokens, or what is in it beside the layers in which policies choose.
func (c Config) CacheBytes(t engine.Type, n int) (all, fixed int64) {
	row := 2 * int64(c.KVWidth()) * int64(t.Size())
	for i, w := range c.Windows {
		if c.Linear.Has(i) {
			fixed += c.Linear.StateBytes()
		} else if c.Fixed(i) {
			fixed += int64(min(n, w)) * row
		} else {
			all += int64(n) * row
		}
	}
	return all + fixed, fixed
}

// tails are the positions that sliding layers keep of a prompt of n tokens.
type tails struct {
	m     *Model
	n     int
	lists map[int]engine.Array // by window: those of every KV head
}

// kept is what a layer keeps. It is an *engine.OutOfMemory where its positions do not fit.
func (t *tails) kept(window int) (engine.Kept, error) {
	heads, length := t.m.Heads.KV, min(window, t.n)
	k := engine.Kept{All: length == t.n}
	for range heads {
		k.Len = append(k.Len, length)
	}
	if k.All {
		return k, nil
	}
	a, ok := t.lists[window]
	if !ok {
		var err error
		if a, err = t.m.device.New(engine.Int32, heads*length); err != nil {
			return k, err
		}
		list := make([]int32, a.Len)
		for i := range list {
			list[i] = int32(t.n - length + i%length)
		}
		t.m.device.PutInts(a, list)
		if t.lists == nil {
			t.lists = map[int]engine.Array{}
		}
		t.lists[window] = a
	}
	k.Positions = a
	return k, nil
}

func (t *tails) free() {
	for _, a := range t.lists {
		t.m.device.Free(a)
	}
}

// slide gives every sequence a sliding layer's cache.
func (m *Model) slide(t *tails, p Prompt, result *Prefilled, window int, kv engine.KV) error {
	k, err := t.kept(window)
	if err != nil {
		return err
	}
	g := filling{m: m, kv: kv, room: p.Room}
	for _, v := range p.Variants {
		g.kept, g.formats = append(g.kept, compress.Kept{Kept: k}), append(g.formats, m.fixedFormat(v))
	}
	return g.both(result)
}

// fixedWords are what layers have in which no policy chooses, and what they keep.
func (c Config) fixedWords() (words, kept string) {
	if c.Linear.Count() > 0 {
		return "linear attention", "states"
	}
	return "a sliding window", "positions"
}
