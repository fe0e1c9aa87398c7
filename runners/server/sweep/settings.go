package sweep

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/server"
	"github.com/snapbench/snapbench/runners/server/process"
)

// Setting is one combination: what takes each place of a command, and the variant that
// its server is in the results.
type Setting struct {
	Variant server.Variant
	Values  map[string]string // by place
}

// Axis is a place of a command with everything that takes it, one server after the
// other.
type Axis struct {
	Place  string
	Values []string // none: the empty text alone
}

// Combine returns every combination of the axes, those of the first axis together. A label
// stands in each variant; without axes there is one setting.
func Combine(label string, axes []Axis) ([]Setting, error) {
	combinations := []map[string]string{{}}
	for i, a := range axes {
		if a.Place == process.Port {
			return nil, fmt.Errorf("the place {%s} is taken by a free port", process.Port)
		}
		if slices.ContainsFunc(axes[:i], func(b Axis) bool { return b.Place == a.Place }) {
			return nil, fmt.Errorf("%s is there already: name all its values at once, separated by commas", a.Place)
		}
		values := a.Values
		if len(values) == 0 {
			values = []string{""}
		}
		var next []map[string]string
		for _, c := range combinations {
			for _, v := range values {
				one := maps.Clone(c)
				one[a.Place] = v
				next = append(next, one)
			}
		}
		combinations = next
	}
	var list []Setting
	for _, c := range combinations {
		v, err := server.NewVariant(label, c)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(s Setting) bool { return s.Variant.String() == v.String() }) {
			return nil, fmt.Errorf("%s twice", v)
		}
		list = append(list, Setting{v, c})
	}
	return list, nil
}

// Command reads the command that starts a server, and holds its places against what
// takes them. Where it listens must be known: at the address, or at the place {port}.
func Command(text string, axes []Axis, address string) (*process.Template, error) {
	t, err := process.ParseTemplate(text)
	if err != nil {
		return nil, err
	}
	places := t.Places()
	for _, p := range places {
		if p != process.Port && !slices.ContainsFunc(axes, func(a Axis) bool { return a.Place == p }) {
			return nil, fmt.Errorf("no value for {%s}: add --set %s=…; {%s} is a free port", p, p, process.Port)
		}
	}
	for _, a := range axes {
		if !slices.Contains(places, a.Place) {
			return nil, fmt.Errorf("the command has no {%s}, to which --set %s gives values", a.Place, a.Place)
		}
	}
	switch port := slices.Contains(places, process.Port); {
	case port && address != "":
		return nil, fmt.Errorf("--server says where a command listens that has no {%s}: leave one of them away", process.Port)
	case !port && address == "":
		return nil, errors.New("the command has no {" + process.Port + "}: put it where the command takes its port, or say by --server where it listens")
	}
	return &t, nil
}

// variantsOf returns the settings' variants, in their order.
func variantsOf(list []Setting) []runners.Variant {
	var out []runners.Variant
	for _, s := range list {
		out = append(out, s.Variant)
	}
	return out
}
