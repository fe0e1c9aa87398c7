package plots

import (
	"bytes"
	"regexp"

	bold "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/encoding/charmap"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgpdf"
)

// PDF draws the figure as PDF, with its font inside.
func (f Figure) PDF() []byte {
	c := vgpdf.New(f.Width, f.Height)
	f.paint(draw.New(pdfCanvas{c}), nil)
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		panic("plots: writing PDF to memory: " + err.Error())
	}
	// The same rows give the same bytes. The date is as long as the library's, so that offsets stay right.
	return pdfDate.ReplaceAll(b.Bytes(), []byte("(D:20000101000000"))
}

var pdfDate = regexp.MustCompile(`\(D:\d{14}`)

// pdfCanvas writes what the library can write as text, in the encoding in which it takes it: one font in a document, and
// of that Windows-1252's characters. Bold text and other characters are drawn.
type pdfCanvas struct{ *vgpdf.Canvas }

func (c pdfCanvas) FillString(f font.Face, at vg.Point, s string) {
	var encoded []byte
	written := f.Font.Weight == bold.WeightNormal
	for _, r := range s {
		b, ok := charmap.Windows1252.EncodeRune(r)
		written = written && ok
		encoded = append(encoded, b)
	}
	if written {
		c.Canvas.FillString(f, at, string(encoded))
		return
	}
	if path := outlines(f, at, s); len(path) > 0 {
		c.Fill(path)
	}
}

// outlines are the shapes of a text that begins at a point. A character that the font lacks is the font's box for those.
func outlines(f font.Face, at vg.Point, s string) vg.Path {
	var buf sfnt.Buffer
	var path vg.Path
	em := fixed.I(int(f.Face.UnitsPerEm()))
	scale := f.Font.Size / vg.Length(em)
	place := func(p fixed.Point26_6) vg.Point {
		return vg.Point{X: at.X + vg.Length(p.X)*scale, Y: at.Y - vg.Length(p.Y)*scale}
	}
	for _, r := range s {
		glyph, err := f.Face.GlyphIndex(&buf, r)
		if err != nil {
			continue
		}
		segments, err := f.Face.LoadGlyph(&buf, glyph, em, nil)
		if err != nil {
			continue
		}
		for i, seg := range segments {
			switch seg.Op {
			case sfnt.SegmentOpMoveTo:
				if i > 0 {
					path.Close()
				}
				path.Move(place(seg.Args[0]))
			case sfnt.SegmentOpLineTo:
				path.Line(place(seg.Args[0]))
			case sfnt.SegmentOpQuadTo:
				path.QuadTo(place(seg.Args[0]), place(seg.Args[1]))
			case sfnt.SegmentOpCubeTo:
				path.CubeTo(place(seg.Args[0]), place(seg.Args[1]), place(seg.Args[2]))
			}
		}
		if len(segments) > 0 {
			path.Close()
		}
		if advance, err := f.Face.GlyphAdvance(&buf, glyph, em, bold.HintingNone); err == nil {
			at.X += vg.Length(advance) * scale
		}
	}
	return path
}
