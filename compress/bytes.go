package compress

import (
	"errors"
	"fmt"
	"sync"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// Shape is what decides how many bytes caches take of the layers in which policies choose.
type Shape struct {
	Layers int
	Heads  engine.Heads
	Hybrid bool // there are other layers besides, which stay in 16 bits; a format skips none of these
}

// Format returns the format of a layer's cache where f is asked for: 16 bits where f skips it.
func (s Shape) Format(f *cacheformat.Format, layer int) *cacheformat.Format {
	if s.Hybrid {
		return f
	}
	return f.At(layer, s.Layers)
}

// fit finds for each length of a prompt the capacity that takes the bytes of a budget.
type fit struct {
	Shape
	mu  sync.Mutex
	own map[int]fitted // by tokens of the prompt
}

type fitted struct {
	tokens int
	err    error
}

// On returns the variant for a model: a budget in bytes has its capacity from there on.
func (v Variant) On(s Shape) Variant {
	if v.budget.inBytes() {
		v.fit = &fit{Shape: s, own: map[int]fitted{}}
	}
	return v
}

// On returns variants for a model.
func On(s Shape, list []Variant) []Variant {
	out := make([]Variant, len(list))
	for i, v := range list {
		out[i] = v.On(s)
	}
	return out
}

// at is a layer's capacity for a prompt of n tokens; 0 where a budget in bytes has none.
func (v Variant) at(layer, n int) Capacity {
	if !v.budget.inBytes() {
		return v.budget.At(layer, n)
	}
	f := v.fitted(n)
	return Capacity{f.tokens, float64(f.tokens)}
}

var errNoModel = errors.New("a budget in bytes is a capacity of a model's caches alone")

// fitted is the largest capacity up to n of which the cache takes no more bytes than that of
// as many tokens as the budget says in 16 bits, one copy per KV head: the same for every head,
// unless the policy says otherwise; then the sums are compared, at the most that heads of any lengths take.
func (v Variant) fitted(n int) fitted {
	if v.fit == nil {
		return fitted{err: errNoModel}
	}
	v.fit.mu.Lock()
	defer v.fit.mu.Unlock()
	if f, ok := v.fit.own[n]; ok {
		return f
	}
	f := v.search(n)
	v.fit.own[n] = f
	return f
}

func (v Variant) search(n int) fitted {
	s := v.fit.Shape
	asked := v.budget.At(0, n).Tokens
	budget := int64(s.Layers) * int64(s.Heads.KV) * cacheformat.Half.Bytes(min(asked, n), s.Heads.Size)
	token := 0.0 // the least bytes that a token takes
	for i := range s.Layers {
		token += float64(s.Heads.KV) * s.Format(v.stored(), i).TokenBytes(s.Heads.Size)
	}
	for c := min(n, int(float64(budget)/token+1e-9)); c > 0; c-- {
		bytes, err := v.bytes(c, n)
		if err != nil {
			return fitted{err: fmt.Errorf("%s of the bytes: at most %d tokens fit: %w", v.budget.share(), c, err)}
		}
		if bytes <= budget {
			return fitted{tokens: c}
		}
	}
	return fitted{err: fmt.Errorf("%s of the bytes: not one token of %s fits", v.budget.share(), v.stored().Name)}
}

// stored is the format that bytes are counted in: 16 bits for the device's own type.
func (v Variant) stored() *cacheformat.Format {
	if v.format == nil {
		return cacheformat.Half
	}
	return v.format
}

// bytes is what the cache of a prompt of n tokens takes with a capacity of c; where heads differ in
// length, the most that it may.
func (v Variant) bytes(c, n int) (int64, error) {
	s, capacity := v.fit.Shape, Capacity{c, float64(c)}
	var all int64
	for i := range s.Layers {
		l := Layer{Index: i, Layers: s.Layers, Tokens: n, Attention: engine.Attention{Heads: s.Heads}}
		if err := v.method.policy.Check(l, capacity); err != nil {
			return 0, err
		}
		e := v.method.policy.Expect(l, capacity)
		f := s.Format(v.stored(), i)
		if e.PerHead > 0 {
			all += int64(e.Heads) * f.Bytes(e.PerHead, s.Heads.Size)
		} else {
			all += f.MostBytes(e.Most(), e.Heads, s.Heads.Size)
		}
	}
	return all, nil
}
