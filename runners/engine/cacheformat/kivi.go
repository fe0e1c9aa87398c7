package cacheformat

import "fmt"

func init() {
	for _, b := range []int{2, 4} {
		for _, r := range []int{32, 128} {
			name := fmt.Sprintf("kivi%d", b)
			if r != 32 {
				name += fmt.Sprintf("_r%d", r)
			}
			Register(Format{
				Name: name, Help: fmt.Sprintf("KIVI: keys in %d bits by channel, values by token, in groups of 32; the latest %d in 16 bits", b, r),
				Source: "KIVI (arXiv 2402.02750), 876b4d2, quant/new_pack.py", Key: kiviKey{b}, Value: kiviValue{b}, Residual: r,
			})
		}
	}
}

const kiviGroup = 32

// kiviRange returns the float16 minimum and scale of a group, whose numbers are float16. All
// of its arithmetic is in float16, each operation rounded.
func kiviRange(x func(int) float32, n, bits int) (low, scale float32, err error) {
	low, high := x(0), x(0)
	for i := range n {
		low, high = min(low, x(i)), max(high, x(i))
	}
	scale = rounded(rounded(high-low) / float32(int(1)<<bits-1))
	if scale-scale != 0 {
		return 0, 0, fmt.Errorf("the range from %v to %v %w", low, high, errStored)
	}
	return low, scale, nil
}

func kiviCode(x, low, scale float32, bits int) byte {
	if scale == 0 { // the original divides 0 by 0
		return 0
	}
	return byte(roundEven(clip(rounded(rounded(x-low)/scale), 0, float32(int(1)<<bits-1))))
}

func halves(x []float32) ([]float32, error) {
	out := make([]float32, len(x))
	if err := finite(x); err != nil {
		return nil, err
	}
	for i, v := range x {
		if out[i] = rounded(v); out[i]-out[i] != 0 {
			return nil, fmt.Errorf("number %v %w", v, errStored)
		}
	}
	return out, nil
}

// kiviKey stores 32 entries together, each channel with a scale and a minimum: 32-bit words
// (bits, d), entry i of a channel at its bit i·bits; then scales (d) and minima (d) as float16.
type kiviKey struct{ bits int }

func (kiviKey) Group() int           { return kiviGroup }
func (k kiviKey) Bytes(size int) int { return 4*k.bits*size + 4*size }

func (k kiviKey) Encode(dst []byte, x []float32, size int, _ float32) error {
	x, err := halves(x)
	if err != nil {
		return err
	}
	clear(dst)
	scales, minima := dst[4*k.bits*size:], dst[(4*k.bits+2)*size:]
	for c := range size {
		low, scale, err := kiviRange(func(i int) float32 { return x[i*size+c] }, kiviGroup, k.bits)
		if err != nil {
			return fmt.Errorf("channel %d: %w", c, err)
		}
		le.PutUint16(scales[2*c:], toHalf(scale))
		le.PutUint16(minima[2*c:], toHalf(low))
		for i := range kiviGroup {
			at := i * k.bits
			dst[4*(at/32*size+c)+at%32/8] |= kiviCode(x[i*size+c], low, scale, k.bits) << (at % 8)
		}
	}
	return nil
}

func (k kiviKey) Decode(dst []float32, src []byte, size int, _ float32) {
	scales, minima := src[4*k.bits*size:], src[(4*k.bits+2)*size:]
	for c := range size {
		scale, low := getHalf(scales[2*c:]), getHalf(minima[2*c:])
		for i := range kiviGroup {
			at := i * k.bits
			code := src[4*(at/32*size+c)+at%32/8] >> (at % 8) & (1<<k.bits - 1)
			dst[i*size+c] = float32(float32(code)*scale) + low
		}
	}
}

// kiviValue stores groups of 32 channels: the codes in 32-bit words, channel i at bit i·bits,
// then the groups' scales and their minima as float16.
type kiviValue struct{ bits int }

func (kiviValue) Group() int { return 1 }

func (k kiviValue) words(size int) int { return 4 * ((size*k.bits + 31) / 32) }

func (k kiviValue) Bytes(size int) int { return k.words(size) + 4*(up(size, kiviGroup)/kiviGroup) }

func (k kiviValue) Encode(dst []byte, x []float32, size int, _ float32) error {
	x, err := halves(x)
	if err != nil {
		return err
	}
	groups := up(size, kiviGroup) / kiviGroup
	scales, minima := dst[k.words(size):], dst[k.words(size)+2*groups:]
	codes := make([]byte, size)
	for g := range groups {
		part := x[g*kiviGroup : min(size, (g+1)*kiviGroup)]
		low, scale, err := kiviRange(func(i int) float32 { return part[i] }, len(part), k.bits)
		if err != nil {
			return fmt.Errorf("channels from %d on: %w", g*kiviGroup, err)
		}
		le.PutUint16(scales[2*g:], toHalf(scale))
		le.PutUint16(minima[2*g:], toHalf(low))
		for i, v := range part {
			codes[g*kiviGroup+i] = kiviCode(v, low, scale, k.bits)
		}
	}
	packBits(dst[:k.words(size)], codes, k.bits)
	return nil
}

func (k kiviValue) Decode(dst []float32, src []byte, size int, _ float32) {
	groups := up(size, kiviGroup) / kiviGroup
	scales, minima := src[k.words(size):], src[k.words(size)+2*groups:]
	for i := range dst {
		g := i / kiviGroup
		dst[i] = float32(float32(bits(src, i, k.bits))*getHalf(scales[2*g:])) + getHalf(minima[2*g:])
	}
}
