package compress

import "fmt"

// rerotated gives what a policy keeps new positions, one after the other from 0 on:
// kept keys are turned to them, and decoding goes on behind them, as streaming
// attention's authors and kvpress's KeyRerotationPress do. The policy keeps as many
// positions in every head.
type rerotated struct {
	Policy
	on List[bool]
}

// rerotate returns the policy itself where no layer's keys are to be turned.
func rerotate(p Policy, layers List[bool]) Policy {
	for _, yes := range layers {
		if yes {
			return rerotated{p, layers}
		}
	}
	return p
}

var rerotateParameter = switched("rerotate", off, "whether kept keys are turned to positions one after the other, and decoding goes on behind them")

// Place is behind the kept positions.
func (p rerotated) Place(l Layer, c Capacity) int {
	if !p.on.At(l.Index) {
		return l.Tokens
	}
	return p.Expect(l, c).PerHead
}

func (p rerotated) Keep(ops Ops, l Layer, c Capacity) (Kept, error) {
	if !p.on.At(l.Index) {
		return p.Policy.Keep(ops, l, c)
	}
	if l.Window > 0 {
		return Kept{}, fmt.Errorf("rerotate=on does not go with the model's own sliding window of %d in layer %d: what it hides goes by the prompt's positions", l.Window, l.Index)
	}
	if place := p.Place(l, c); place < l.AnglesFrom {
		return Kept{}, fmt.Errorf("rerotate=on does not go with a rotation that changes at position %d (longrope): a prompt of %d tokens is read by the later frequencies, and decoding would go on at %d by the earlier", l.AnglesFrom, l.Tokens, place)
	}
	kept, err := p.Policy.Keep(ops, l, c)
	kept.Edit = func(_ int, keys []float32, positions []int32) {
		for i, old := range positions {
			turnKey(vector(keys, i, l.Heads.Size), l.Angles, i-int(old))
		}
	}
	return kept, err
}

// turnKey turns a key by a number of positions.
func turnKey(key []float32, angles []float32, positions int) {
	half := len(angles)
	for i, f := range angles {
		z := complex(float64(key[i]), float64(key[i+half])) * turn(positions, f)
		key[i], key[i+half] = float32(real(z)), float32(imag(z))
	}
}
