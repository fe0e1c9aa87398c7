package cacheformat

import "math"

const (
	fp8Source = "vLLM 0.33, triton_reshape_and_cache_flash.py; 8 bits as e4m3 of arXiv 2209.05433"
	leastE4M3 = 1.0 / (1 << 126) // a calibrated scale is no smaller, so that dividing by it is defined
)

func init() {
	byLargest := func(most float32) float32 { return max(most/448, leastE4M3) }
	Register(Format{
		Name: "fp8_s1", Help: "8-bit floats, scale 1: vLLM's fp8 where a checkpoint has no scales", Source: fp8Source,
		Key: fp8{fixed: true}, Value: fp8{fixed: true},
	})
	Register(Format{
		Name: "fp8_tensor", Help: "8-bit floats, a scale for a layer's keys and one for its values, from the prompt", Source: fp8Source,
		Key: fp8{}, Value: fp8{}, Calibration: Layer, Scale: byLargest,
	})
	Register(Format{
		Name: "fp8_head", Help: "8-bit floats, a scale for each KV head's keys and values, from the prompt", Source: fp8Source,
		Key: fp8{}, Value: fp8{}, Calibration: Head, Scale: byLargest,
	})
	Register(Format{
		Name: "fp8_th", Help: "8-bit floats, a scale for each token and head", Source: fp8Source,
		Key: fp8Token{}, Value: fp8Token{},
	})
}

// fp8 stores e4m3(x/s).
type fp8 struct{ fixed bool } // s is 1

func (fp8) Group() int         { return 1 }
func (fp8) Bytes(size int) int { return size }

func (f fp8) Encode(dst []byte, x []float32, _ int, s float32) error {
	if err := finite(x); err != nil {
		return err
	}
	if f.fixed {
		s = 1
	}
	for i, v := range x {
		dst[i] = toE4M3(v / s)
	}
	return nil
}

func (f fp8) Decode(dst []float32, src []byte, _ int, s float32) {
	if f.fixed {
		s = 1
	}
	for i := range dst {
		dst[i] = e4m3[src[i]] * s
	}
}

// fp8Token has a scale behind the codes of each vector.
type fp8Token struct{}

func (fp8Token) Group() int         { return 1 }
func (fp8Token) Bytes(size int) int { return size + 4 }

func (fp8Token) Encode(dst []byte, x []float32, size int, _ float32) error {
	if err := finite(x); err != nil {
		return err
	}
	s := max(Magnitude(x)/448, 1e-6)
	r := 1 / s
	for i, v := range x {
		dst[i] = toE4M3(clip(v*r, -448, 448))
	}
	le.PutUint32(dst[size:], math.Float32bits(s))
	return nil
}

func (fp8Token) Decode(dst []float32, src []byte, size int, _ float32) {
	s := math.Float32frombits(le.Uint32(src[size:]))
	for i := range dst {
		dst[i] = e4m3[src[i]] * s
	}
}
