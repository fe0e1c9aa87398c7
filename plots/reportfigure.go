package plots

import (
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// inlined are figures for a page, none where the picture does not apply (ErrNothing).
func inlined(list []Figure, err error) []template.HTML {
	if err != nil {
		return nil
	}
	var out []template.HTML
	for _, f := range list {
		out = append(out, f.inline())
	}
	return out
}

// inline is the figure as SVG for a page: its greys follow the page's theme, it shrinks to the page's width as far as it
// can be read, and it carries what the page's script tells of its marks.
func (f Figure) inline() template.HTML {
	var seen spots
	s := string(f.svg(&seen))
	if i := strings.Index(s, "<svg"); i >= 0 {
		s = s[i:]
	}
	s = svgComment.ReplaceAllString(s, "")
	s = themed.Replace(s)
	marks, err := json.Marshal(f.marks(seen.list))
	if err != nil {
		panic("plots: marks that JSON cannot hold: " + err.Error())
	}
	// The library draws with the y axis upwards and repeats that in every element; what matters is the frame.
	frame := fmt.Sprintf(`<svg class="figure" role="img" aria-label="%s" data-name="%s" data-spots="%s" style="--width:%.0fpt"`,
		template.HTMLEscapeString(f.Title), template.HTMLEscapeString(f.Name), template.HTMLEscapeString(string(marks)), f.Width.Points())
	return template.HTML(strings.Replace(s, "<svg", frame, 1))
}

var svgComment = regexp.MustCompile(`(?s)<!--.*?-->`)

var themed = strings.NewReplacer(
	"#1A1A1A", "var(--ink)", "#777777", "var(--muted)", "#FFFFFF", "var(--panel)", "#DDDDDD", "var(--grid)",
	"#E2E2E2", "var(--na)", "#EEEEEE", "var(--band)", "#C4C4C4", "var(--hatch)", "#000000", "var(--ink)", "#444444", "var(--muted)",
)

// pageMark is a spot as the page's script reads it, measured from the figure's upper left corner.
type pageMark struct {
	Box    [4]number   `json:"b"`
	Fields [][2]string `json:"f"`
	Value  *number     `json:"v,omitempty"`
	Lo     *number     `json:"lo,omitempty"`
	Hi     *number     `json:"hi,omitempty"`
	N      int         `json:"n,omitempty"`
	Rows   *pageFilter `json:"r,omitempty"`
}

type pageFilter struct {
	Task    string `json:"t,omitempty"`
	Variant string `json:"v,omitempty"`
	Length  string `json:"l,omitempty"`
	Depth   string `json:"d,omitempty"`
}

// number is written with as many digits as a page shows.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(n), 'g', 6, 64), nil
}

func (f Figure) marks(list []spot) []pageMark {
	marks := make([]pageMark, 0, len(list))
	known := func(v float64) *number {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		n := number(v)
		return &n
	}
	for _, s := range list {
		m := pageMark{Fields: [][2]string{}, Value: known(s.value), N: s.n}
		m.Box = [4]number{number(s.area.Min.X), number(f.Height - s.area.Max.Y), number(s.area.Max.X - s.area.Min.X), number(s.area.Max.Y - s.area.Min.Y)}
		for _, x := range s.fields {
			m.Fields = append(m.Fields, [2]string{x.name, x.value})
		}
		if s.lo <= s.hi {
			m.Lo, m.Hi = known(s.lo), known(s.hi)
		}
		if s.rows != (filter{}) {
			m.Rows = &pageFilter{Task: s.rows.task, Variant: s.rows.variant, Length: s.rows.length, Depth: s.rows.depth}
		}
		marks = append(marks, m)
	}
	return marks
}
