package plots

import (
	"fmt"
	"image/color"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Look is how a figure is drawn. The zero value is the usual look.
type Look struct {
	FontSize  float64 // of the numbers at axes, in points; 0: 8.5. All other text keeps its proportion to it
	NoNumbers bool    // heat maps without numbers in their cells
	Palette   string  // a name of Palettes; "": the first
}

// palette is the colours of heat maps, from the lowest value to the highest, and those of lines.
type palette struct {
	ramp   [rampSteps]color.NRGBA
	series []color.NRGBA
}

const usualPalette = "sea"

// Lightness rises along every ramp, so that each keeps its order in a grey print; with the grey one, for journals that
// print no colour, the marks alone tell lines apart.
var palettes = map[string]palette{
	usualPalette: {ramp, series},
	"ember": {makeRamp(func(t float64) lab {
		h := (320*(1-t)*(1-t) + 2*395*t*(1-t) + 460*t*t) * math.Pi / 180
		c := 0.09*(1-t)*(1-t) + 2*0.2*t*(1-t) + 0.14*t*t
		return lab{0.25 + 0.67*t, c * math.Cos(h), c * math.Sin(h)}
	}), series},
	"grey": {makeRamp(func(t float64) lab { return lab{0.25 + 0.7*t, 0, 0} }), []color.NRGBA{
		{0x1a, 0x1a, 0x1a, 255}, {0x77, 0x77, 0x77, 255}, {0x48, 0x48, 0x48, 255}, {0xa0, 0xa0, 0xa0, 255},
	}},
}

// Palettes lists the names of the palettes, the usual one first.
func Palettes() []string {
	names := slices.Sorted(maps.Keys(palettes))
	return append([]string{usualPalette}, slices.DeleteFunc(names, func(n string) bool { return n == usualPalette })...)
}

// Check returns an error for a look that cannot be drawn.
func (l Look) Check() error {
	if l.FontSize != 0 && !(l.FontSize >= 4 && l.FontSize <= 40) { // NaN is neither
		return fmt.Errorf("--font-size %v: want 4 to 40 points", l.FontSize)
	}
	if _, ok := palettes[l.Palette]; l.Palette != "" && !ok {
		return lookup.Unknown("palette", l.Palette, Palettes()...)
	}
	return nil
}

func (l Look) palette() palette {
	if p, ok := palettes[l.Palette]; ok {
		return p
	}
	return palettes[usualPalette]
}

// scaled is a length at the usual font size as this look has it.
func (l Look) scaled(v vg.Length) vg.Length {
	if l.FontSize > 0 {
		return v * vg.Length(l.FontSize/sizeTick)
	}
	return v
}

func (l Look) style(size vg.Length, bold bool, c color.Color) text.Style {
	return style(l.scaled(size), bold, c)
}

func (l Look) series(i int) color.NRGBA {
	list := l.palette().series
	return list[i%len(list)]
}

// colourAt is the palette's colour for a value on the scale from lo to hi.
func (l Look) colourAt(v, lo, hi float64) color.NRGBA {
	t := 0.5
	if hi > lo {
		t = (v - lo) / (hi - lo)
	}
	return l.palette().ramp[int(math.Round(min(max(t, 0), 1)*(rampSteps-1)))]
}
