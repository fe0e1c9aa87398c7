package models

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// RopeForms says what [ParseRope] reads.
const RopeForms = "yarn:FACTOR, yarn:FACTOR,original=POSITIONS, linear:FACTOR, none"

// RopeSetting is a scaling of the rotation that takes the place of a model's own.
type RopeSetting struct {
	Type     string // "yarn", "linear"; "default" for none
	Factor   float64
	Original int // for yarn: the context before it is scaled; 0: the model's own
}

// ParseRope reads a setting, as "yarn:4,original=32768".
func ParseRope(text string) (s RopeSetting, err error) {
	wrong := func(format string, args ...any) (RopeSetting, error) {
		return RopeSetting{}, fmt.Errorf("rope %q: %s: have %s", text, fmt.Sprintf(format, args...), RopeForms)
	}
	if text == "none" {
		return RopeSetting{Type: "default"}, nil
	}
	parts := strings.Split(text, ",")
	kind, factor, given := strings.Cut(parts[0], ":")
	if kind != "yarn" && kind != "linear" {
		return wrong("%q is not known", kind)
	}
	if s.Type = kind; !given {
		return wrong("%s has no factor", kind)
	}
	if s.Factor, err = strconv.ParseFloat(factor, 64); err != nil || !(s.Factor >= 1) || math.IsInf(s.Factor, 0) {
		return wrong("the factor is %q, want a number from 1", factor)
	}
	for _, p := range parts[1:] {
		name, value, _ := strings.Cut(p, "=")
		if name != "original" || kind != "yarn" {
			return wrong("%s has no %q", kind, name)
		}
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil || n < 1 || s.Original > 0 {
			return wrong("original is %q, want a number of positions, once", value)
		}
		s.Original = int(n)
	}
	return s, nil
}

// Apply gives a configuration the setting in place of its own scaling, and the context that
// follows: with yarn the factor times the original context, or the model's own where that is
// longer; with linear the factor times the context. A rotation that was scaled before is scaled
// from its original context. Layers with a sliding window keep a rotation of their own. The
// result is the setting with what it left out.
func (s RopeSetting) Apply(c *Config) (RopeSetting, error) {
	r := Rope{Theta: c.Rope.Theta, Channels: c.Rope.Channels, Type: s.Type, Factor: s.Factor}
	context := c.Context
	if c.Rope.Original > 0 {
		context = int(min(c.Rope.Original, 1<<31))
	}
	switch s.Type {
	case "linear":
		context = int(min(s.Factor*float64(context), 1<<31))
	case "yarn":
		if s.Original == 0 {
			s.Original = context
		}
		r.Original, r.BetaFast, r.BetaSlow, r.Truncate = float64(s.Original), 32, 1, true
		if own := c.Rope; own.Type == "yarn" {
			r.BetaFast, r.BetaSlow, r.Truncate, r.MScale, r.MScaleAll = own.BetaFast, own.BetaSlow, own.Truncate, own.MScale, own.MScaleAll
		}
		context = max(context, r.context())
	}
	changed := *c
	changed.Rope, changed.Context = r, context
	if err := changed.Check(); err != nil {
		return s, fmt.Errorf("rope %s: %w", s, err)
	}
	*c = changed
	return s, nil
}

// String is the setting as [ParseRope] reads it.
func (s RopeSetting) String() string {
	if s.Type == "default" {
		return "none"
	}
	text := s.Type + ":" + strconv.FormatFloat(s.Factor, 'g', -1, 64)
	if s.Original > 0 {
		text += ",original=" + strconv.Itoa(s.Original)
	}
	return text
}
