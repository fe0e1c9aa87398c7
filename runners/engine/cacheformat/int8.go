package cacheformat

import "math"

func init() {
	Register(Format{
		Name: "int8_th", Help: "8-bit integers, a scale for each token and head",
		Source: "vLLM 0.33, triton_reshape_and_cache_flash.py", Key: int8Token{}, Value: int8Token{},
	})
}

// int8Token stores trunc(x/s ± 0.5) and behind the codes s = max|x|/127.
type int8Token struct{}

func (int8Token) Group() int         { return 1 }
func (int8Token) Bytes(size int) int { return size + 4 }

func (int8Token) Encode(dst []byte, x []float32, size int, _ float32) error {
	if err := finite(x); err != nil {
		return err
	}
	s := max(Magnitude(x)/127, 1e-6)
	r := 1 / s
	for i, v := range x {
		y := v * r
		if y >= 0 {
			y += 0.5
		} else {
			y -= 0.5
		}
		dst[i] = byte(int8(clip(y, -128, 127)))
	}
	le.PutUint32(dst[size:], math.Float32bits(s))
	return nil
}

func (int8Token) Decode(dst []float32, src []byte, size int, _ float32) {
	s := math.Float32frombits(le.Uint32(src[size:]))
	for i := range dst {
		dst[i] = float32(int8(src[i])) * s
	}
}
