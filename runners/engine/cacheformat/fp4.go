package cacheformat

import "math"

func init() {
	Register(Format{
		Name: "nvfp4", Help: "4-bit floats, an 8-bit scale for each 16 numbers, one for each layer from the prompt",
		Source: "vLLM 0.33, nvfp4_emulation_utils.py", Key: nvfp4{}, Value: nvfp4{}, Calibration: Layer,
		Scale: func(most float32) float32 { return min(2688/most, math.MaxFloat32) }, // 448 · 6
	})
	Register(Format{
		Name: "mxfp4", Help: "4-bit floats, a power of two for each 32 numbers",
		Source: "OCP Microscaling Formats 1.0, section 6.3", Key: mxfp4{}, Value: mxfp4{},
	})
}

// nvfp4 stores pairs of codes, a byte for two, and behind all of them the blocks' scales S, e4m3
// relative to the layer's own, G.
type nvfp4 struct{}

func (nvfp4) Group() int         { return 1 }
func (nvfp4) Bytes(size int) int { return 9 * up(size, 16) / 16 }

func (nvfp4) Encode(dst []byte, x []float32, size int, g float32) error {
	if err := finite(x); err != nil {
		return err
	}
	n := up(size, 16)
	codes, scales := make([]byte, n), dst[n/2:]
	for b := 0; b*16 < size; b++ {
		block := x[b*16 : min(size, b*16+16)]
		s := toE4M3(min(448, g*(Magnitude(block)*float32(1.0/6))))
		scales[b] = s
		var o float32
		if e4m3[s] != 0 {
			o = 1 / (e4m3[s] * (1 / g))
		}
		for i, v := range block {
			codes[b*16+i] = toE2M1(v * o)
		}
	}
	packPairs(dst[:n/2], codes)
	return nil
}

func (nvfp4) Decode(dst []float32, src []byte, size int, g float32) {
	n := up(size, 16)
	for i := range dst {
		dst[i] = e2m1[nibble(src, i)] * (e4m3[src[n/2+i/16]] / g)
	}
}

// mxfp4 stores for each block pairs of codes, a byte for two, and behind them the exponent E.
type mxfp4 struct{}

func (mxfp4) Group() int         { return 1 }
func (mxfp4) Bytes(size int) int { return 17 * up(size, 32) / 32 }

func (mxfp4) Encode(dst []byte, x []float32, _ int, _ float32) error {
	if err := finite(x); err != nil {
		return err
	}
	return blocks(x, dst, 17, func(x []float32, b []byte) error {
		e := min(max(int(math.Float32bits(Magnitude(x))>>23)-2, 0), 254)
		s := math.Ldexp(1, e-127)
		var codes [32]byte
		for i, v := range x {
			codes[i] = toE2M1(float32(float64(v) / s)) // exact but for what is far below the least code
		}
		packPairs(b[:16], codes[:])
		b[16] = byte(e)
		return nil
	})
}

func (mxfp4) Decode(dst []float32, src []byte, _ int, _ float32) {
	blocks(dst, src, 17, func(x []float32, b []byte) error {
		s := float32(math.Ldexp(1, int(b[16])-127))
		for i := range x {
			x[i] = e2m1[nibble(b, i)] * s
		}
		return nil
	})
}
