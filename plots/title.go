package plots

import (
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// titleBlock is a figure's title with a subtitle in grey.
type titleBlock struct {
	width           vg.Length
	title, subtitle string
	look            Look
}

func (b titleBlock) lines() (title, subtitle []string) {
	return wrap(b.look.style(sizeTitle, true, ink), b.title, b.width), wrap(b.look.style(sizeTick, false, grey), b.subtitle, b.width)
}

func (b titleBlock) height() vg.Length {
	t, s := b.lines()
	if len(t)+len(s) == 0 {
		return 0
	}
	return b.look.scaled(vg.Length(len(t))*(sizeTitle+3.5) + vg.Length(len(s))*(sizeTick+3) + 6)
}

// draw writes the block with its upper left corner at a point.
func (b titleBlock) draw(c draw.Canvas, x, y vg.Length) {
	t, s := b.lines()
	for _, line := range t {
		put(c, b.look.style(sizeTitle, true, ink), x, y, -1, +1, line)
		y -= b.look.scaled(sizeTitle + 3.5)
	}
	for _, line := range s {
		put(c, b.look.style(sizeTick, false, grey), x, y, -1, +1, line)
		y -= b.look.scaled(sizeTick + 3)
	}
}

// wrap breaks a title at spaces so that each line fits.
func wrap(s interface{ Width(string) vg.Length }, str string, width vg.Length) []string {
	if str == "" {
		return nil
	}
	var lines []string
	line := ""
	for _, w := range strings.Fields(str) {
		if line != "" && s.Width(line+" "+w) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(lines, line)
}
