package compress

import (
	"errors"
	"fmt"
	"sort"
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
// A budget above a prompt keeps everything, as one in tokens does.
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
	asked := v.budget.At(0, n).Tokens
	budget := int64(v.fit.Layers) * int64(v.fit.Heads.KV) * cacheformat.Half.Bytes(asked, v.fit.Heads.Size)
	if asked > n && v.whole(n) <= budget {
		return fitted{tokens: asked} // everything is within it, in one copy
	}
	// A policy may make less of a capacity than it is, such as whole chunks: what its entries take when all are encoded says
	// from where down to look. It grows with the capacity but for PyramidKV's rounding, which is below half a token for each layer.
	above := sort.Search(n, func(i int) bool { return v.encoded(i+1, n) > float64(budget)+1e-6 })
	for c := min(n, above+v.fit.Layers); c > 0; c-- {
		if v.bytes(c, n) > budget {
			continue
		}
		if err := v.checked(c, n); err != nil {
			return fitted{err: fmt.Errorf("%s of the bytes: at most %d tokens fit: %w", v.budget.share(), c, err)}
		}
		return fitted{tokens: c}
	}
	if v.Reads() {
		return fitted{err: fmt.Errorf("%s of the bytes: %s frees nothing, and its whole cache does not fit", v.budget.share(), v.Method())}
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

// whole is what the full cache of a prompt of n tokens takes in the variant's format.
func (v Variant) whole(n int) int64 {
	everything := Full
	everything.format, everything.fit = v.format, v.fit
	return everything.bytes(n, n)
}

// checked reports a capacity of c that cannot work for a prompt of n tokens.
func (v Variant) checked(c, n int) error {
	for i := range v.fit.Layers {
		if err := v.method.policy.Check(v.fit.layer(i, n), Capacity{c, float64(c)}); err != nil {
			return err
		}
	}
	return nil
}

// bytes is what the cache of a prompt of n tokens takes with a capacity of c; where heads differ in
// length, the most that it may.
func (v Variant) bytes(c, n int) (all int64) {
	size := v.fit.Heads.Size
	for i := range v.fit.Layers {
		e, f := v.method.policy.Expect(v.fit.layer(i, n), Capacity{c, float64(c)}), v.fit.Format(v.stored(), i)
		if e.PerHead > 0 {
			all += int64(e.Heads) * f.Bytes(e.PerHead, size)
		} else {
			all += f.MostBytes(e.Most(), e.Heads, size)
		}
	}
	return all
}

// encoded is the same if no entry were left in a residual: no more than bytes.
func (v Variant) encoded(c, n int) (all float64) {
	for i := range v.fit.Layers {
		e, f := v.method.policy.Expect(v.fit.layer(i, n), Capacity{c, float64(c)}), v.fit.Format(v.stored(), i)
		all += float64(e.Most()) * min(f.TokenBytes(v.fit.Heads.Size), float64(cacheformat.Half.Bytes(1, v.fit.Heads.Size)))
	}
	return all
}

// layer is a place in a prompt of n tokens.
func (s Shape) layer(index, n int) Layer {
	return Layer{Index: index, Layers: s.Layers, Tokens: n, Attention: engine.Attention{Heads: s.Heads}}
}
