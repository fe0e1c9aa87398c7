package enginetest

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
)

func TestCompare(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	next := func(v float32, ulps int) float32 { return math.Float32frombits(math.Float32bits(v) + uint32(ulps)) }
	for name, c := range map[string]struct {
		got, want []float32
		width, k  int
		stored    engine.Type
		message   string // empty: they agree
	}{
		"equal":                    {[]float32{1, -2}, []float32{1, -2}, 2, 1, engine.Float32, ""},
		"four ulps":                {[]float32{next(1, 4)}, []float32{1}, 1, 1, engine.Float32, ""},
		"nine ulps":                {[]float32{next(1, 9)}, []float32{1}, 1, 1, engine.Float32, "row 0, column 0"},
		"nine ulps of a long sum":  {[]float32{next(1, 9)}, []float32{1}, 1, 9, engine.Float32, ""},
		"scale is the row's":       {[]float32{1000, 0.0001}, []float32{1000, 0}, 2, 1, engine.Float32, ""},
		"not the next row's":       {[]float32{0.0001, 1000}, []float32{0, 1000}, 1, 1, engine.Float32, "row 0, column 0"},
		"second row":               {[]float32{1, 2, 3, 5}, []float32{1, 2, 3, 4}, 2, 1, engine.Float32, "row 1, column 1"},
		"NaN for a number":         {[]float32{1, nan}, []float32{1, 1}, 2, 1, engine.Float32, "column 1: NaN"},
		"NaN for everything":       {[]float32{nan, nan}, []float32{1, 1}, 2, 1 << 40, engine.BFloat16, "column 0: NaN"},
		"a number for NaN":         {[]float32{1}, []float32{nan}, 1, 1, engine.Float32, "want NaN"},
		"NaN for NaN":              {[]float32{nan}, []float32{nan}, 1, 1, engine.Float32, ""},
		"infinity for a number":    {[]float32{inf}, []float32{1}, 1, 1 << 40, engine.Float32, "+Inf"},
		"a number for infinity":    {[]float32{1, 1}, []float32{inf, 1}, 2, 1 << 40, engine.Float32, "want +Inf"},
		"infinities":               {[]float32{inf, -inf}, []float32{inf, -inf}, 2, 1, engine.Float32, ""},
		"the other infinity":       {[]float32{-inf}, []float32{inf}, 1, 1, engine.Float32, "-Inf"},
		"infinity is no scale":     {[]float32{inf, 2}, []float32{inf, 1}, 2, 1, engine.Float32, "column 1"},
		"zeros":                    {[]float32{0}, []float32{float32(math.Copysign(0, -1))}, 1, 1, engine.Float32, ""},
		"half a unit of bfloat16":  {[]float32{1 + 0x1p-8}, []float32{1}, 1, 1, engine.BFloat16, ""},
		"a unit and a half":        {[]float32{1 + 0x1.8p-7}, []float32{1}, 1, 1, engine.BFloat16, "off by"},
		"bfloat16's unit in half":  {[]float32{1 + 0x1p-8}, []float32{1}, 1, 1, engine.Float16, "off by"},
		"too few":                  {[]float32{1}, []float32{1, 2}, 2, 1, engine.Float32, "1 numbers"},
		"nothing was wanted of it": {nil, nil, 1, 1, engine.Float32, ""},
	} {
		err := Compare(c.got, c.want, c.width, c.k, c.stored)
		switch {
		case c.message == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.message != "" && (err == nil || !strings.Contains(err.Error(), c.message)):
			t.Errorf("%s: error %v, want one with %q", name, err, c.message)
		}
	}
}

func TestSame(t *testing.T) {
	zero, nan := float32(0), float32(math.NaN())
	if err := same([]float32{1, nan, zero}, []float32{1, nan, zero}); err != nil {
		t.Error(err)
	}
	if same([]float32{-zero, math.Float32frombits(1 << 31)}, []float32{zero, zero}) == nil {
		t.Error("the two zeros have the same bits")
	}
	if same([]float32{1}, []float32{1, 2}) == nil {
		t.Error("one number is the same as two")
	}
}

func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		if h>>10&31 == 31 {
			continue // infinities and NaN: no weight has them
		}
		if got := toHalf(fromHalf(uint16(h))); got != uint16(h) {
			t.Fatalf("half %#x becomes %v becomes %#x", h, fromHalf(uint16(h)), got)
		}
	}
	for v, want := range map[float32]uint16{1: 0x3c00, -2: 0xc000, 65504: 0x7bff, 0x1p-24: 1, 0x1p-14: 0x400, 1 + 0x1p-11: 0x3c00, 1 + 3*0x1p-11: 0x3c02, 2 - 0x1p-12: 0x4000} {
		if got := toHalf(v); got != want {
			t.Errorf("%v is half %#x, want %#x", v, got, want)
		}
	}
}

// TestRandom decodes the blocks as the format is specified: the low nibbles are the first 16
// numbers.
func TestRandom(t *testing.T) {
	m := Random("w", engine.Q4_1, 3, 64, rand.New(rand.NewPCG(3, 4)))
	for r := range 3 {
		row := make([]float32, 64)
		m.ReadRow(r, row)
		raw := m.RawRow(r)
		if len(raw) != 40 {
			t.Fatalf("a row of 64 takes %d bytes, want 40", len(raw))
		}
		for i, v := range row {
			block := raw[i/32*20:]
			d, least := fromHalf(uint16(block[0])|uint16(block[1])<<8), fromHalf(uint16(block[2])|uint16(block[3])<<8)
			code := block[4+i%16] >> (i % 32 / 16 * 4) & 15
			if want := float32(float64(d)*float64(code) + float64(least)); v != want {
				t.Errorf("row %d, number %d is %v, want %v", r, i, v, want)
			}
		}
	}
}

func TestBudget(t *testing.T) {
	b := budget{work: 10}
	var ran []int
	for _, m := range []int{1, 5, 30, 20, 15, 11, 100, 10} {
		if b.affords(m) {
			ran = append(ran, m)
		}
	}
	// 1 and 5 leave 14: with 10 more that is too little for 30, and with 20 more enough for 20.
	if want := []int{1, 5, 20, 15, 11, 10}; !slices.Equal(ran, want) || b.ran != len(want) || b.not != 2 {
		t.Errorf("with 10 for each, %v ran (%d, %d left out), want %v", ran, b.ran, b.not, want)
	}
	if unlimited := (&budget{}); !unlimited.affords(1 << 40) {
		t.Error("a budget of nothing in particular has a limit")
	}
}
