package modeltest

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine/cacheformat"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// unformatted are recorded methods that are no formats here: variations that only tell two
// roundings apart.
var unformatted = []string{"int8_th_trunc", "mxfp4_ggml", "fp4_sgl"}

// TestCacheFormatVectors: codes, scales, bytes and decoded numbers of every format are those that
// the originals' functions give: of real keys and values, of channels with outliers, and of
// adversarial rows.
func TestCacheFormatVectors(t *testing.T) {
	for _, path := range sharedtest.Glob(t, "quant", "*/*.safetensors") {
		if filepath.Base(path) != "decode.safetensors" {
			t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) { checkVectors(t, path) })
		}
	}
}

func checkVectors(t *testing.T, path string) {
	q := openQuant(t, path)
	var calibrations quantFile
	if !strings.Contains(path, "synthetic") {
		calibrations = openQuant(t, filepath.Join(filepath.Dir(path), "decode.safetensors"))
	}
	var count struct{ formats, codes, scales, bytes, numbers int }
	for _, name := range q.file.Names() {
		if !strings.HasSuffix(name, ".dec") {
			continue
		}
		method, side, _ := strings.Cut(strings.TrimSuffix(name, ".dec"), ".")
		f, err := cacheformat.Get(method)
		if err != nil {
			if !strings.Contains(strings.Join(unformatted, " "), method) {
				t.Errorf("recorded method %s: %v", method, err)
			}
			continue
		}
		codec := f.Key
		if side == "v" {
			codec = f.Value
		}
		prefix := method + "." + side
		shape := q.shape(side)
		heads, n, d := shape[0], shape[1], shape[2]
		x, want := q.floats(side), q.floats(name)
		calibration := make([]float32, heads)
		if f.Calibration != cacheformat.Uncalibrated {
			from, at := calibrations, method+".scale."+side // (layers, heads or 1), of which layer 0 counts
			if q.file.Has(prefix + ".calibration") {
				from, at = q, prefix+".calibration"
			}
			s, dims := from.floats(at), from.shape(at)
			for h := range heads {
				calibration[h] = s[h%dims[len(dims)-1]]
			}
		}
		count.formats++
		codes, scales, packed := q.raw(prefix+".codes"), q.raw(prefix+".scale"), q.raw(prefix+".packed")
		step := codec.Group()
		raw, got := make([]byte, codec.Bytes(d)), make([]float32, step*d)
		groups := heads * n / step
		for i := range groups {
			part := x[i*step*d : (i+1)*step*d]
			scale := calibration[i/(n/step)]
			if err := codec.Encode(raw, part, d, scale); err != nil {
				t.Fatalf("%s, group %d: %v", prefix, i, err)
			}
			row := len(packed) / groups
			for j, w := range packed[i*row : (i+1)*row] { // KIVI's words alone, its scales are by themselves
				count.bytes++
				if raw[j] != w && !zeroSigns(method, raw[j], w) {
					t.Fatalf("%s, group %d: byte %d is %#x, want %#x", prefix, i, j, raw[j], w)
				}
			}
			c, s := unpack(f, side, raw, d)
			row = len(codes) / groups
			for j, w := range codes[i*row : (i+1)*row] {
				count.codes++
				if c[j] != w && !zeroSigns(method, c[j], w) {
					t.Fatalf("%s, group %d: code %d is %#x, want %#x (of %v)", prefix, i, j, c[j], w, part[j])
				}
			}
			row = len(scales) / groups
			for j, w := range scales[i*row : (i+1)*row] {
				count.scales++
				if s[j] != w {
					t.Fatalf("%s, group %d: byte %d of its scales is %#x, want %#x", prefix, i, j, s[j], w)
				}
			}
			codec.Decode(got, raw, d, scale)
			for j, v := range got {
				count.numbers++
				if w := want[i*step*d+j]; v != w {
					t.Fatalf("%s, group %d: number %d is %v, want %v (of %v)", prefix, i, j, v, w, part[j])
				}
			}
		}
	}
	t.Logf("%d sides of formats: %d codes, %d bytes of scales, %d packed bytes and %d decoded numbers are equal",
		count.formats, count.codes, count.scales, count.bytes, count.numbers)
	if count.formats < 2*18 {
		t.Errorf("%d sides of formats are recorded", count.formats)
	}
}

// unpack reads the layout of a group again: its codes, one a byte, and its scales' bytes.
func unpack(f *cacheformat.Format, side string, raw []byte, d int) (codes, scales []byte) {
	halves := func(b []byte) { // q4_0: codes j and j+16 share a byte
		for j := range 32 {
			codes = append(codes, b[j%16]>>(j/16*4)&15)
		}
	}
	stream := func(b []byte, n, bits int) {
		for i := range n {
			var code byte
			for k := range bits {
				code |= b[(i*bits+k)/8] >> ((i*bits + k) % 8) & 1 << k
			}
			codes = append(codes, code)
		}
	}
	switch name, _, _ := strings.Cut(f.Name, "_r"); name {
	case "f16":
		return nil, nil
	case "fp8_s1", "fp8_tensor", "fp8_head":
		return raw, nil
	case "fp8_th", "int8_th":
		return raw[:d], raw[d:]
	case "int4_th":
		stream(raw, d, 4)
		return codes, raw[(d+1)/2:]
	case "q8_0", "q4_0":
		size := f.Key.Bytes(1)
		for b := raw; len(b) > 0; b = b[size:] {
			scales = append(scales, b[:2]...)
			if name == "q8_0" {
				codes = append(codes, b[2:size]...)
			} else {
				halves(b[2:size])
			}
		}
		return codes[:d], scales
	case "nvfp4":
		n := (d + 15) / 16 * 8
		stream(raw, d, 4)
		return codes, raw[n:]
	case "mxfp4":
		for b := raw; len(b) > 0; b = b[17:] {
			stream(b, 32, 4)
			scales = append(scales, b[16])
		}
		return codes[:d], scales
	case "kivi2", "kivi4":
		b := int(name[4] - '0')
		if side == "v" {
			stream(raw, d, b)
			n := (d*b + 31) / 32 * 4
			return codes, raw[n : n+2*((d+31)/32)]
		}
		for i := range 32 {
			for c := range d {
				word := binary.LittleEndian.Uint32(raw[4*(i*b/32*d+c):])
				codes = append(codes, byte(word>>(i*b%32)&(1<<b-1)))
			}
		}
		return codes, raw[4*b*d : 4*b*d+2*d]
	case "tq_k8v4", "tq_4bit_nc", "tq_k3v4_nc", "tq_3bit_nc":
		b := 4
		if name == "tq_3bit_nc" || name == "tq_k3v4_nc" && side == "k" {
			b = 3
		}
		if name == "tq_k8v4" && side == "k" {
			return raw, nil
		}
		stream(raw, d, b)
		n := (d*b + 7) / 8
		return codes, raw[n : n+2]
	}
	panic("no layout of " + f.Name)
}

// zeroSigns says whether two bytes differ in the sign of a zero alone.
func zeroSigns(method string, a, b byte) bool {
	switch {
	case strings.Contains(method, "fp8") || method == "tq_k8v4":
		return a&0x7f == 0 && b&0x7f == 0
	case strings.Contains(method, "fp4"):
		unsigned := func(code byte) byte {
			if code == 8 {
				return 0
			}
			return code
		}
		return unsigned(a&15) == unsigned(b&15) && unsigned(a>>4) == unsigned(b>>4)
	}
	return false
}
