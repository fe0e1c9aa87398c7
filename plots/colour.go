package plots

import (
	"image/color"
	"math"
)

// ramp is the usual colour map of heat maps: from a dark violet blue through teal to yellow. It is a path
// through OKLab (Ottosson 2020). Lightness rises all the way, so the order shows in a grey print and to colour-blind
// people, and the steps have equal lengths, so equal differences of value look equally large.
var ramp = makeRamp(func(t float64) lab {
	// Lightness is linear, hue goes from blue through teal to yellow, and chroma is lowest in the middle, where sRGB has
	// the least: clipped colours would break both evenness and order.
	h := (285*(1-t)*(1-t) + 2*210*t*(1-t) + 103*t*t) * math.Pi / 180
	c := 0.115*(1-t)*(1-t) + 2*0.054*t*(1-t) + 0.165*t*t
	return lab{0.27 + 0.66*t, c * math.Cos(h), c * math.Sin(h)}
})

const rampSteps = 256

type lab struct{ L, a, b float64 }

// makeRamp walks along a path from t = 0 to 1 in steps of equal length.
func makeRamp(path func(t float64) lab) [rampSteps]color.NRGBA {
	const fine = 4096
	length := make([]float64, fine+1)
	for i := 1; i <= fine; i++ {
		length[i] = length[i-1] + distance(path(float64(i-1)/fine), path(float64(i)/fine))
	}
	var r [rampSteps]color.NRGBA
	k := 0
	for i := range r {
		want := length[fine] * float64(i) / (rampSteps - 1)
		for k < fine && length[k] < want {
			k++
		}
		r[i] = path(float64(k) / fine).rgb()
	}
	return r
}

func distance(p, q lab) float64 {
	return math.Sqrt((p.L-q.L)*(p.L-q.L) + (p.a-q.a)*(p.a-q.a) + (p.b-q.b)*(p.b-q.b))
}

// rgb converts OKLab to sRGB. Colours outside of sRGB are clipped.
func (p lab) rgb() color.NRGBA {
	l := math.Pow(p.L+0.3963377774*p.a+0.2158037573*p.b, 3)
	m := math.Pow(p.L-0.1055613458*p.a-0.0638541728*p.b, 3)
	s := math.Pow(p.L-0.0894841775*p.a-1.2914855480*p.b, 3)
	ch := func(v float64) uint8 {
		v = min(max(v, 0), 1)
		if v <= 0.0031308 {
			v *= 12.92
		} else {
			v = 1.055*math.Pow(v, 1/2.4) - 0.055
		}
		return uint8(math.Round(255 * v))
	}
	return color.NRGBA{
		R: ch(4.0767416621*l - 3.3077115913*m + 0.2309699292*s),
		G: ch(-1.2684380046*l + 2.6097574011*m - 0.3413193965*s),
		B: ch(-0.0041960863*l - 0.7034186147*m + 1.7076147010*s),
		A: 255,
	}
}

// luminance is WCAG's relative luminance.
func luminance(c color.NRGBA) float64 {
	ch := func(u uint8) float64 {
		v := float64(u) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*ch(c.R) + 0.7152*ch(c.G) + 0.0722*ch(c.B)
}

var (
	ink     = color.NRGBA{0x1a, 0x1a, 0x1a, 255}
	grey    = color.NRGBA{0x77, 0x77, 0x77, 255}
	pale    = color.NRGBA{0xe2, 0xe2, 0xe2, 255}
	paper   = color.NRGBA{255, 255, 255, 255}
	lattice = color.NRGBA{0xdd, 0xdd, 0xdd, 255} // grid lines of charts
	band    = color.NRGBA{0xee, 0xee, 0xee, 255} // the interval of the full cache's level
	hatch   = color.NRGBA{0xc4, 0xc4, 0xc4, 255} // across cells without a value

	// Text on coloured cells keeps its colour under every theme of the report. The report recognises it by a shade that
	// differs invisibly from paper and ink.
	cellWhite = color.NRGBA{0xfe, 0xfe, 0xfe, 255}
	cellBlack = color.NRGBA{0x19, 0x19, 0x19, 255}
)

// textOn chooses white text if its contrast is at least 4, and else black, whose contrast is then higher. On mid tones
// both pass by WCAG's formula, and white is easier to read on a saturated colour.
func textOn(c color.NRGBA) color.NRGBA {
	if (luminance(cellWhite)+0.05)/(luminance(c)+0.05) >= 4 {
		return cellWhite
	}
	return cellBlack
}

// series are the colours of lines: Okabe and Ito's palette for colour-blind people, the pale yellow last.
var series = []color.NRGBA{
	{0x00, 0x72, 0xb2, 255}, {0xd5, 0x5e, 0x00, 255}, {0x00, 0x9e, 0x73, 255}, {0xcc, 0x79, 0xa7, 255},
	{0x56, 0xb4, 0xe9, 255}, {0xe6, 0x9f, 0x00, 255}, {0x44, 0x44, 0x44, 255}, {0xb8, 0xa9, 0x1c, 255},
}
