package observe

import (
	"fmt"
	"math"
)

// Settings are a study's parameters.
type Settings struct {
	Window    int     `json:"window"`    // W, rows of a window
	Windows   int     `json:"windows"`   // at most so many, the last ones of the prompt
	Share     int     `json:"share"`     // f: a window votes for ⌊n/f⌋ positions
	Important float64 `json:"important"` // θ, attention of one row
	Summed    float64 `json:"summed"`    // θ₂, mean attention, of the authors' earlier form
	Content   float64 `json:"content"`   // θc, in the place of θ where sinks are left out
	Sink      float64 `json:"sink"`      // θs, mean attention of the windows
}

// Paper are the parameters of the paper's code where that states them (W 128, the last 20 windows, k = ⌊n/20⌋, θ 0.05:
// arXiv 2404.14469v2 §3); the thresholds of content and sinks are ours.
var Paper = Settings{Window: 128, Windows: 20, Share: 20, Important: 0.05, Summed: 0.005, Content: 0.01, Sink: 0.01}

// Sizes are what the settings make of a prompt of n tokens.
type Sizes struct {
	Tokens  int // n
	Forced  int // T
	Windows int // NW
	Prompt  int // P = n-W: positions before the last window
	Vote    int // k = ⌊n/f⌋: positions that a window votes for
}

// Sizes returns what the settings make of a prompt and its forced text, or an error where the prompt is too short for
// two windows behind something to look at, or so short that a window has no vote.
func (s Settings) Sizes(tokens, forced int) (Sizes, error) {
	if s.Window < 1 || s.Windows < 1 || s.Share < 1 {
		return Sizes{}, fmt.Errorf("windows of %d tokens, %d of them, votes of 1/%d of the prompt: each must be at least 1", s.Window, s.Windows, s.Share)
	}
	z := Sizes{tokens, forced, min(s.Windows, tokens/s.Window-1), tokens - s.Window, tokens / s.Share}
	if z.Windows < 2 || z.Vote < 1 {
		return z, fmt.Errorf("a prompt of %d tokens is too short for windows of %d: it takes %d", tokens, s.Window, max(3*s.Window, s.Share))
	}
	if forced < 4 {
		return z, fmt.Errorf("a forced text of %d tokens has no quarters: it takes 4", forced)
	}
	if forced > 4*math.MaxUint16 { // rows of a quarter are counted in 16 bits
		return z, fmt.Errorf("a forced text of %d tokens is too long: at most %d are counted", forced, 4*math.MaxUint16)
	}
	return z, nil
}

// start is the first row of window i.
func (z Sizes) start(i int, s Settings) int { return z.Tokens - (z.Windows-i)*s.Window }

// behind counts the windows that lie behind a position, the last one apart.
func (z Sizes) behind(position int, s Settings) int {
	windows := 0
	for i := range z.Windows - 1 {
		if z.start(i, s) > position {
			windows++
		}
	}
	return windows
}

// quarter is the quarter of the forced text that row t is in.
func (z Sizes) quarter(t int) int { return 4 * t / z.Forced }

// rowsOf counts the rows of quarter g.
func (z Sizes) rowsOf(g int) int {
	rows := 0
	for t := range z.Forced {
		if z.quarter(t) == g {
			rows++
		}
	}
	return rows
}
