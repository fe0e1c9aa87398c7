package plots

import (
	"bytes"
	"image/color"
	"regexp"
	"strings"

	"golang.org/x/image/font"
	pfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Figure is one picture. Name is its file name without the extension.
type Figure struct {
	Name          string
	Title         string // for captions
	Width, Height vg.Length
	draw          func(draw.Canvas, *spots)
	with          func(Look) Figure
}

// With is the figure drawn in another look; its size may differ.
func (f Figure) With(l Look) Figure { return f.with(l) }

const dpi = 300

// SVG draws the figure as SVG. Text stays text, in Liberation Sans or a sans-serif face of the same widths.
func (f Figure) SVG() []byte { return f.svg(nil) }

// svg is SVG. It also gathers the places of the figure that show a number, unless seen is nil.
func (f Figure) svg(seen *spots) []byte {
	c := vgsvg.New(f.Width, f.Height)
	f.paint(draw.New(c), seen)
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		panic("plots: writing SVG to memory: " + err.Error())
	}
	return svgFont.ReplaceAll(b.Bytes(), []byte(`font-family:'Liberation Sans',Arimo,Arial,Helvetica,'Nimbus Sans','DejaVu Sans Condensed',sans-serif;`))
}

// The library writes the font's variant ("Sans") as its family.
var svgFont = regexp.MustCompile(`font-family:[^;"]*;`)

// PNG draws the figure with 300 dots per inch.
func (f Figure) PNG() []byte {
	c := vgimg.NewWith(vgimg.UseWH(f.Width, f.Height), vgimg.UseDPI(dpi), vgimg.UseBackgroundColor(paper))
	f.paint(draw.New(c), nil)
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c}).WriteTo(&b); err != nil {
		panic("plots: writing PNG to memory: " + err.Error())
	}
	return b.Bytes()
}

func (f Figure) paint(c draw.Canvas, seen *spots) {
	fill(c, c.Rectangle, paper)
	f.draw(c, seen)
}

var unsafe = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// fileName makes a file name from words.
func fileName(words ...string) string {
	var parts []string
	for _, w := range words {
		if w = strings.Trim(unsafe.ReplaceAllString(w, "-"), "-."); w != "" {
			parts = append(parts, w)
		}
	}
	return strings.Join(parts, "_")
}

// Text sizes in points, at the figure's own size.
const (
	sizeTitle = 10.5
	sizeLabel = 9.5
	sizeTick  = 8.5
	sizeCell  = 8.5
)

func style(size vg.Length, bold bool, c color.Color) text.Style {
	f := pfont.Font{Typeface: "Liberation", Variant: "Sans"}
	if bold {
		f.Weight = font.WeightBold
	}
	return text.Style{Color: c, Font: pfont.From(f, size), Handler: textHandler, XAlign: text.XLeft, YAlign: text.YBottom}
}

var textHandler = text.Plain{Fonts: pfont.NewCache(liberation.Collection())}

// put writes text at a point, which is the text's left or bottom (-1), centre (0), or right or top (+1).
func put(c draw.Canvas, s text.Style, x, y vg.Length, ax, ay int, str string) {
	s.XAlign = [...]text.XAlignment{text.XLeft, text.XCenter, text.XRight}[ax+1]
	s.YAlign = [...]text.YAlignment{text.YBottom, text.YCenter, text.YTop}[ay+1]
	if ay == 0 {
		y += 0.09 * s.Font.Size // the library centres ascent and descent, but digits have no descent
	}
	c.FillText(s, vg.Point{X: x, Y: y}, str)
}

func fill(c draw.Canvas, r vg.Rectangle, clr color.Color) {
	c.SetColor(clr)
	c.Fill(rectangle(r))
}

func rectangle(r vg.Rectangle) vg.Path {
	var p vg.Path
	p.Move(r.Min)
	p.Line(vg.Point{X: r.Max.X, Y: r.Min.Y})
	p.Line(r.Max)
	p.Line(vg.Point{X: r.Min.X, Y: r.Max.Y})
	p.Close()
	return p
}

func box(x0, y0, x1, y1 vg.Length) vg.Rectangle {
	return vg.Rectangle{Min: vg.Point{X: x0, Y: y0}, Max: vg.Point{X: x1, Y: y1}}
}

func stroke(c draw.Canvas, width vg.Length, clr color.Color, points ...vg.Point) {
	c.SetColor(clr)
	c.SetLineWidth(width)
	c.SetLineDash(nil, 0)
	var p vg.Path
	p.Move(points[0])
	for _, q := range points[1:] {
		p.Line(q)
	}
	c.Stroke(p)
}

// widest is the width of the widest text of a list.
func widest(s text.Style, list []string) vg.Length {
	w := vg.Length(0)
	for _, t := range list {
		w = max(w, s.Width(t))
	}
	return w
}
