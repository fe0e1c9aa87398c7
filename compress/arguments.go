package compress

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Arguments are the values of a policy's parameters, those left out at their
// defaults. Asking for a parameter that was not declared, or in another kind, is a
// mistake of the policy and panics.
type Arguments struct {
	numbers map[string]List[float64]
	words   map[string]List[string]
	lengths []int // of the per-layer lists, 1 for one value
	// Inner is the policy that this one is built on; nil for one that stands alone.
	Inner Policy
}

// Whole returns the values of a Whole or Odd parameter.
func (a Arguments) Whole(name string) List[int] {
	var l List[int]
	for _, v := range a.Real(name) {
		l = append(l, int(v))
	}
	return l
}

// Real returns the values of a number.
func (a Arguments) Real(name string) List[float64] {
	l, ok := a.numbers[name]
	if !ok {
		panic("compress: no number " + name + " is declared")
	}
	return l
}

// Word returns the values of a Word.
func (a Arguments) Word(name string) List[string] {
	l, ok := a.words[name]
	if !ok {
		panic("compress: no word " + name + " is declared")
	}
	return l
}

// On returns the values of a Word that is on or off.
func (a Arguments) On(name string) List[bool] {
	var l List[bool]
	for _, w := range a.Word(name) {
		l = append(l, w == on)
	}
	return l
}

// The words of a parameter that switches something.
const on, off = "on", "off"

func switched(name, normally, help string) Parameter {
	return Parameter{Name: name, Kind: Word, Default: normally, Allowed: []string{on, off}, Help: help}
}

// read returns the arguments of a declaration from the texts given, and every
// parameter's canonical text in the declared order.
func (d *Definition) read(given map[string]string) (Arguments, []Setting, error) {
	a := Arguments{numbers: map[string]List[float64]{}, words: map[string]List[string]{}}
	for name := range given {
		if _, err := d.parameter(name); err != nil {
			return a, nil, err
		}
	}
	var canonical []Setting
	for _, p := range d.Parameters {
		text, ok := given[p.Name]
		if !ok {
			text = p.Default
		}
		s := Setting{Name: p.Name}
		if p.Kind == Word {
			l, err := parseList("parameter "+p.Name, text, p.word)
			if err != nil {
				return a, nil, err
			}
			a.words[p.Name], s.Text = l, l.text(func(s string) string { return s })
			a.lengths = append(a.lengths, len(l))
		} else {
			l, err := parseList("parameter "+p.Name, text, p.number)
			if err != nil {
				return a, nil, err
			}
			a.numbers[p.Name], s.Text = l, l.text(func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) })
			a.lengths = append(a.lengths, len(l))
		}
		canonical = append(canonical, s)
	}
	return a, canonical, nil
}

func (p Parameter) word(s string) (string, error) {
	for _, w := range p.Allowed {
		if s == w {
			return s, nil
		}
	}
	return "", fmt.Errorf("%q: %shave %s", s, lookup.Offer(s, p.Allowed), strings.Join(p.Allowed, ", "))
}

// number reads a number within the declared bounds.
func (p Parameter) number(s string) (float64, error) {
	if p.Kind == Real {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || !(v >= p.Least && v <= p.Most) {
			return 0, fmt.Errorf("%q: want a number from %g to %g", s, p.Least, p.Most)
		}
		return v, nil
	}
	v, err := strconv.Atoi(s)
	most := p.Most
	if most == 0 {
		most = math.MaxInt32
	}
	if err != nil || float64(v) < p.Least || float64(v) > most {
		if p.Most == 0 {
			return 0, fmt.Errorf("%q: want a whole number, %g or more", s, p.Least)
		}
		return 0, fmt.Errorf("%q: want a whole number from %g to %g", s, p.Least, p.Most)
	}
	if p.Kind == Odd && v%2 == 0 {
		return 0, fmt.Errorf("%q: want an odd number, so that pooling keeps positions where they are", s)
	}
	return float64(v), nil
}
