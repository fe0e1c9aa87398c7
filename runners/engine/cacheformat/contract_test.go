package cacheformat

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func draws(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * math.Exp(r.NormFloat64()))
	}
	return x
}

// sizes are head sizes of real models, and some that leave blocks short.
func sizes(f *Format) []int {
	var list []int
	for _, d := range []int{8, 16, 32, 64, 80, 96, 128, 256} {
		if f.Fits(d) == nil {
			list = append(list, d)
		}
	}
	return list
}

func scaleOf(f *Format, keys, values []float32) Scale {
	if s := f.Calibrate([]float32{Magnitude(keys)}, []float32{Magnitude(values)}); s != nil {
		return s[0]
	}
	return Scale{}
}

// TestContract holds every format to what caches need: a head that is filled and grows entry by
// entry is at each moment what the same entries give at once, its bytes are those that are
// counted, and none are touched beside them.
func TestContract(t *testing.T) {
	if len(Names()) < 18 {
		t.Fatalf("%d formats: %v", len(Names()), Names())
	}
	for _, f := range All() {
		t.Run(f.Name, func(t *testing.T) {
			if f.Help == "" || f.Source == "" {
				t.Error("it does not say what it stores, or where from")
			}
			if len(sizes(f)) < 4 {
				t.Errorf("it has head sizes %v alone", sizes(f))
			}
			for _, d := range sizes(f) {
				for _, n := range []int{0, 1, 31, 32, 33, 64, 127, 128, 129, 190, 300} {
					checkHead(t, f, d, n)
				}
			}
			if err := f.Fits(0); err == nil {
				t.Error("it takes heads without numbers")
			}
		})
	}
}

const marker = 0xa5

// rooms returns the two runs of a head, with bytes behind them that must stay.
func rooms(f *Format, entries, d int) (keys, values []byte, check func() error) {
	k, v := f.Rooms(entries, d)
	all := make([]byte, k+v+64)
	for i := range all {
		all[i] = marker
	}
	check = func() error {
		for i, b := range append(append([]byte(nil), all[k:k+32]...), all[k+32+v:]...) {
			if b != marker {
				return fmt.Errorf("byte %d behind a run of a head is written", i)
			}
		}
		return nil
	}
	return all[:k:k], all[k+32 : k+32+v : k+32+v], check
}

func checkHead(t *testing.T, f *Format, d, n int) {
	t.Helper()
	const more = 70
	r := rand.New(rand.NewPCG(uint64(d), uint64(n)))
	keys, values := draws(r, (n+more)*d), draws(r, (n+more)*d)
	s := scaleOf(f, keys, values)
	k, v, check := rooms(f, n+more, d)
	if err := f.Fill(k, v, keys[:n*d], values[:n*d], d, s); err != nil {
		t.Fatalf("d %d, %d entries: %v", d, n, err)
	}
	peak := f.Bytes(n, d)
	for i := range more {
		at := (n + i) * d
		if err := f.Append(k, v, keys[at:at+d], values[at:at+d], n+i, s); err != nil {
			t.Fatal(err)
		}
		got := make([]float32, d)
		f.Keys(got, k, n+i, n+i+1, n+i, d, s)
		if f.Residual == 0 { // a new entry is attended to decoded
			want, raw := make([]float32, d), make([]byte, f.Key.Bytes(d))
			f.Key.Encode(raw, keys[at:at+d], d, s.Key)
			f.Key.Decode(want, raw, d, s.Key)
			same(t, f, "the new key", got, want, d, n+i)
		} else { // as it came
			for c, x := range got {
				if want := rounded(keys[at+c]); x != want {
					t.Fatalf("d %d, entry %d: number %d of the new key is %v, want %v", d, n+i, c, x, want)
				}
			}
		}
		if err := f.Settle(k, v, n+i+1, d, s); err != nil {
			t.Fatal(err)
		}
		peak = max(peak, f.Bytes(n+i+1, d))
	}
	if got := f.PeakBytes(n, more, d); got < peak || f.Residual == 0 && got != peak {
		t.Fatalf("d %d, %d entries: peak of %d bytes, %d at a step", d, n, got, peak)
	}
	if err := check(); err != nil {
		t.Fatalf("d %d, %d entries: %v", d, n, err)
	}
	total := n + more
	wk, wv, _ := rooms(f, total, d)
	if err := f.Fill(wk, wv, keys, values, d, s); err != nil {
		t.Fatal(err)
	}
	// The residual of keys is left as it was after a flush, so what counts is what is read.
	for lo := 0; lo < total; lo += 37 {
		hi := min(total, lo+37)
		got, want := make([]float32, (hi-lo)*d), make([]float32, (hi-lo)*d)
		f.Keys(got, k, lo, hi, total, d, s)
		f.Keys(want, wk, lo, hi, total, d, s)
		same(t, f, "keys", got, want, d, lo)
		f.Values(got, v, lo, hi, total, d, s)
		f.Values(want, wv, lo, hi, total, d, s)
		same(t, f, "values", got, want, d, lo)
	}
	if used := f.Bytes(total, d); used > int64(len(k)+len(v)) {
		t.Fatalf("d %d: %d bytes are counted for %d entries, there is room for %d", d, used, total, len(k)+len(v))
	}
}

func same(t *testing.T, f *Format, what string, got, want []float32, d, lo int) {
	t.Helper()
	for i, x := range got {
		if math.Float32bits(x) != math.Float32bits(want[i]) {
			t.Fatalf("d %d, %s of entry %d: number %d is %v, at once it is %v", d, what, lo+i/d, i%d, x, want[i])
		}
	}
}

// TestMostBytes: no division of entries among heads takes more, and the worst takes as much, but for
// a value of each head.
func TestMostBytes(t *testing.T) {
	const d = 32
	for _, f := range All() {
		if f.Fits(d) != nil {
			continue
		}
		for _, n := range []int{1, 31, 62, 63, 64, 95, 254, 300} {
			worst := int64(0)
			for a := range n + 1 {
				for b := range n - a + 1 {
					worst = max(worst, f.Bytes(a, d)+f.Bytes(b, d)+f.Bytes(n-a-b, d))
				}
			}
			if got := f.MostBytes(n, 3, d); got < worst || got > worst+3*int64(2*d-f.Value.Bytes(d)) || f.Residual == 0 && got != worst {
				t.Errorf("%s, %d entries of 3 heads: %d bytes, want %d", f.Name, n, got, worst)
			}
			if got := f.MostBytes(n, 1, d); got != f.Bytes(n, d) {
				t.Errorf("%s, %d entries of a head: %d bytes, want %d", f.Name, n, got, f.Bytes(n, d))
			}
		}
	}
}

// TestErrors: decoded numbers are near what was stored, each format by what its codes allow.
func TestErrors(t *testing.T) {
	bounds := map[string]float64{"f16": 0.0004, "bf16": 0.003, "q8_0": 0.01, "int8_th": 0.015, "q8_0_rot": 0.01}
	for _, f := range All() {
		bound, ok := bounds[f.Name]
		switch {
		case ok:
		case f.Calibration == Head || f.Calibration == Layer && f.Key.Bytes(64) == 64 || f.Name == "fp8_s1" || f.Name == "fp8_th":
			bound = 0.04
		case f.Residual > 0 && f.Key.Bytes(64) < 1000:
			bound = 0.6
		default:
			bound = 0.25
		}
		for _, d := range sizes(f) {
			n := max(32, f.Residual) + 1 + f.Residual
			r := rand.New(rand.NewPCG(1, 2))
			x := make([]float32, n*d) // without outliers, which are another matter
			for i := range x {
				x[i] = float32(r.NormFloat64())
			}
			s := scaleOf(f, x, x)
			k, v, _ := rooms(f, n, d)
			if err := f.Fill(k, v, x, x, d, s); err != nil {
				t.Fatal(err)
			}
			got := make([]float32, n*d)
			for _, side := range []string{"keys", "values"} {
				if f.Keys(got, k, 0, n, n, d, s); side == "values" {
					f.Values(got, v, 0, n, n, d, s)
				}
				var wrong, all float64
				for i := range x {
					wrong += math.Pow(float64(got[i]-x[i]), 2)
					all += float64(x[i]) * float64(x[i])
				}
				if e := math.Sqrt(wrong / all); !(e < bound) || e == 0 {
					t.Errorf("%s, d %d: relative error of %s %.4f, want below %v and above 0", f.Name, d, side, e, bound)
				}
			}
		}
	}
}

func TestNames(t *testing.T) {
	if f, err := Get("fp8"); err != nil || f.Name != "fp8_s1" {
		t.Errorf("fp8 is %v, %v", f, err)
	}
	if _, err := Get("q5_0"); err == nil {
		t.Error("there is a format q5_0")
	}
	f, _ := Get("tq_4bit_nc_skip")
	for layer, want := range []string{"f16", "f16", "tq_4bit_nc_skip", "f16", "f16"} {
		if got := f.At(layer, 5).Name; got != want {
			t.Errorf("layer %d of 5 is in %s, want %s", layer, got, want)
		}
	}
}

// TestNumbers: float16 goes there and back for all its numbers, and e4m3 for all of its.
func TestNumbers(t *testing.T) {
	for h := range 1 << 16 {
		if h&0x7c00 != 0x7c00 && toHalf(fromHalf(uint16(h))) != uint16(h) {
			t.Fatalf("float16 %#x comes back as %#x", h, toHalf(fromHalf(uint16(h))))
		}
	}
	for c := range 256 {
		if c&0x7f != 0x7f && toE4M3(e4m3[c]) != byte(c) {
			t.Fatalf("e4m3 %#x comes back as %#x", c, toE4M3(e4m3[c]))
		}
	}
	for c := range 16 {
		if toE2M1(e2m1[c]) != byte(c) {
			t.Fatalf("e2m1 %#x comes back as %#x", c, toE2M1(e2m1[c]))
		}
	}
}

// FuzzEncode: whatever is stored, it is refused or comes back finite.
func FuzzEncode(f *testing.F) {
	f.Add(uint64(1), 0, float32(3))
	f.Add(uint64(2), 5, float32(1e38))
	f.Add(uint64(3), 9, float32(1e-40))
	all := All()
	f.Fuzz(func(t *testing.T, seed uint64, which int, factor float32) {
		format := all[(which%len(all)+len(all))%len(all)]
		r := rand.New(rand.NewPCG(seed, 7))
		d := sizes(format)[seed%uint64(len(sizes(format)))]
		n := max(32, format.Residual)
		x := draws(r, n*d)
		for i := range x {
			x[i] *= factor
		}
		s := scaleOf(format, x, x)
		k, v, check := rooms(format, n, d)
		if err := format.Fill(k, v, x, x, d, s); err != nil {
			return
		}
		if err := check(); err != nil {
			t.Fatal(err)
		}
		got := make([]float32, n*d)
		format.Keys(got, k, 0, n, n, d, s)
		if err := finite(got); err != nil {
			t.Fatalf("%s, d %d, factor %v: keys: %v", format.Name, d, factor, err)
		}
		format.Values(got, v, 0, n, n, d, s)
		if err := finite(got); err != nil {
			t.Fatalf("%s, d %d, factor %v: values: %v", format.Name, d, factor, err)
		}
	})
}
