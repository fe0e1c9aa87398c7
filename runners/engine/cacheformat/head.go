package cacheformat

import "fmt"

// A cache head's entries in a format lie in two runs of bytes, one for keys and one for values:
// the residual first, where the format has one, in float16, then the encoded groups in their
// order. So no place depends on how much room there is. Key j of the residual is in slot j mod R,
// value j in slot j mod (R+1).

// settled returns how many of n entries' keys and values are encoded once attention is over.
func (f *Format) settled(n int) (keys, values int) {
	if f.Residual == 0 {
		return n, n
	}
	return n / f.Residual * f.Residual, max(0, n-f.Residual)
}

// encoded returns how many keys and values of n entries are encoded if the head was settled last
// with so many.
func (f *Format) encoded(n, settled int) (keys, values int) {
	if f.Residual == 0 {
		return n, n
	}
	return f.settled(settled)
}

func (f *Format) keySlots() int { return f.Residual }

func (f *Format) valueSlots() int {
	if f.Residual == 0 {
		return 0
	}
	return f.Residual + 1
}

// Rooms returns the bytes that the two runs of a head take with room for so many entries.
func (f *Format) Rooms(entries, size int) (keys, values int) {
	k, v := f.settled(entries)
	return f.keySlots()*2*size + k/f.Key.Group()*f.Key.Bytes(size), f.valueSlots()*2*size + v*f.Value.Bytes(size)
}

// Bytes returns what n entries of a head take, keys and values: codes, scales, and the residual
// at two bytes a number. Room for more is not counted.
func (f *Format) Bytes(n, size int) int64 {
	k, v := f.settled(n)
	return f.bytes(n, k, v, size)
}

// MostBytes returns what heads that have n entries together take at most, however these are divided
// among them: in a format with a residual, where each head's keys are just short of being encoded.
func (f *Format) MostBytes(n, heads, size int) int64 {
	if f.Residual == 0 {
		return f.Bytes(n, size)
	}
	keys := max(0, n-heads*(f.Residual-1)) // at least so many are encoded, by whole residuals
	return f.bytes(n, (keys+f.Residual-1)/f.Residual*f.Residual, max(0, n-heads*f.Residual), size)
}

func (f *Format) bytes(n, keys, values, size int) int64 {
	return int64(keys/f.Key.Group())*int64(f.Key.Bytes(size)) + int64(values)*int64(f.Value.Bytes(size)) +
		int64(2*n-keys-values)*2*int64(size)
}

// NewestBytes returns what n entries of a head take while the last of them is attended to by its own token: it has joined the
// residual, and nothing of that is encoded yet.
func (f *Format) NewestBytes(n, size int) int64 {
	k, v := f.encoded(n, n-1)
	return f.bytes(n, k, v, size)
}

// PeakBytes returns the largest state of a head that has n entries of its prompt and gets so
// many new ones, at whatever moment that is.
func (f *Format) PeakBytes(n, more, size int) int64 {
	most := f.Bytes(n, size)
	for i := range more {
		most = max(most, f.NewestBytes(n+i+1, size), f.Bytes(n+i+1, size))
	}
	return most
}

// TokenBytes returns what an encoded entry takes, keys and values, in the mean of a group.
func (f *Format) TokenBytes(size int) float64 {
	return float64(f.Key.Bytes(size))/float64(f.Key.Group()) + float64(f.Value.Bytes(size))
}

// Fill stores the n entries of a prompt, keys and values (n, size).
func (f *Format) Fill(toKeys, toValues []byte, keys, values []float32, size int, s Scale) error {
	n := len(keys) / size
	k, v := f.settled(n)
	step := f.Key.Group()
	for j := 0; j < k; j += step {
		if err := f.Key.Encode(f.key(toKeys, j, size), keys[j*size:(j+step)*size], size, s.Key); err != nil {
			return fmt.Errorf("keys of entry %d: %w", j, err)
		}
	}
	for j := range v {
		if err := f.Value.Encode(f.value(toValues, j, size), values[j*size:(j+1)*size], size, s.Value); err != nil {
			return fmt.Errorf("values of entry %d: %w", j, err)
		}
	}
	for j := k; j < n; j++ {
		if err := (half{}).Encode(f.keySlot(toKeys, j, size), keys[j*size:(j+1)*size], size, 0); err != nil {
			return fmt.Errorf("keys of entry %d: %w", j, err)
		}
	}
	for j := v; j < n; j++ {
		if err := (half{}).Encode(f.valueSlot(toValues, j, size), values[j*size:(j+1)*size], size, 0); err != nil {
			return fmt.Errorf("values of entry %d: %w", j, err)
		}
	}
	return nil
}

// Append stores one more entry behind n.
func (f *Format) Append(toKeys, toValues []byte, key, value []float32, n int, s Scale) error {
	size := len(key)
	var k, v error
	if f.Residual == 0 {
		k = f.Key.Encode(f.key(toKeys, n, size), key, size, s.Key)
		v = f.Value.Encode(f.value(toValues, n, size), value, size, s.Value)
	} else {
		k = half{}.Encode(f.keySlot(toKeys, n, size), key, size, 0)
		v = half{}.Encode(f.valueSlot(toValues, n, size), value, size, 0)
	}
	if k != nil {
		return fmt.Errorf("keys of entry %d: %w", n, k)
	}
	if v != nil {
		return fmt.Errorf("values of entry %d: %w", n, v)
	}
	return nil
}

// Settle encodes what is due of the residual once n entries have been attended to, the last of
// which came by Append.
func (f *Format) Settle(keys, values []byte, n, size int, s Scale) error {
	if f.Residual == 0 {
		return nil
	}
	step := f.Key.Group()
	x := make([]float32, step*size)
	if n%f.Residual == 0 {
		for j := n - f.Residual; j < n; j += step {
			for i := range step {
				half{}.Decode(x[i*size:(i+1)*size], f.keySlot(keys, j+i, size), size, 0)
			}
			if err := f.Key.Encode(f.key(keys, j, size), x, size, s.Key); err != nil {
				return fmt.Errorf("keys of entry %d: %w", j, err)
			}
		}
	}
	if j := n - f.Residual - 1; j >= 0 {
		half{}.Decode(x[:size], f.valueSlot(values, j, size), size, 0)
		if err := f.Value.Encode(f.value(values, j, size), x[:size], size, s.Value); err != nil {
			return fmt.Errorf("values of entry %d: %w", j, err)
		}
	}
	return nil
}

// Keys decodes the keys lo…hi of a head, of which the first settled were there when it was
// settled last.
func (f *Format) Keys(dst []float32, keys []byte, lo, hi, settled, size int, s Scale) {
	step := f.Key.Group()
	encoded, _ := f.encoded(hi, settled)
	var group []float32
	for j := lo; j < hi; {
		to := dst[(j-lo)*size:]
		switch {
		case j >= encoded:
			half{}.Decode(to[:size], f.keySlot(keys, j, size), size, 0)
			j++
		case j%step == 0 && j+step <= hi:
			f.Key.Decode(to[:step*size], f.key(keys, j, size), size, s.Key)
			j += step
		default: // a part of a group
			if group == nil {
				group = make([]float32, step*size)
			}
			first := j / step * step
			f.Key.Decode(group, f.key(keys, first, size), size, s.Key)
			end := min(hi, first+step)
			copy(to, group[(j-first)*size:(end-first)*size])
			j = end
		}
	}
}

// Values decodes the values lo…hi of a head, as Keys does keys.
func (f *Format) Values(dst []float32, values []byte, lo, hi, settled, size int, s Scale) {
	_, encoded := f.encoded(hi, settled)
	for j := lo; j < hi; j++ {
		to := dst[(j-lo)*size : (j-lo+1)*size]
		if j >= encoded {
			half{}.Decode(to, f.valueSlot(values, j, size), size, 0)
		} else {
			f.Value.Decode(to, f.value(values, j, size), size, s.Value)
		}
	}
}

// key is where the group of keys that begins with entry j lies.
func (f *Format) key(keys []byte, j, size int) []byte {
	n := f.Key.Bytes(size)
	return keys[f.keySlots()*2*size+j/f.Key.Group()*n:][:n]
}

func (f *Format) value(values []byte, j, size int) []byte {
	n := f.Value.Bytes(size)
	return values[f.valueSlots()*2*size+j*n:][:n]
}

func (f *Format) keySlot(keys []byte, j, size int) []byte {
	return keys[j%f.keySlots()*2*size:][:2*size]
}

func (f *Format) valueSlot(values []byte, j, size int) []byte {
	return values[j%f.valueSlots()*2*size:][:2*size]
}
