package compress

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Definition declares a policy: what it is called, where it comes from, and its
// parameters as data.
type Definition struct {
	Name       string // as in a variant's text
	Title      string // as its authors write it
	Paper      string // arXiv number, or where it was published
	Help       string // what it keeps, in a sentence
	Parameters []Parameter
	// Inner is the policy that this one is built on where none is named; empty for
	// a policy that stands alone.
	Inner string
	// Unbudgeted policies have no capacity: what they keep follows from their
	// parameters and the prompt.
	Unbudgeted bool
	// ByLayer policies give each layer a capacity of its own.
	ByLayer bool
	New     func(a Arguments) (Policy, error)
}

// Kind is what a parameter's values are.
type Kind uint8

// The kinds of parameters.
const (
	Whole Kind = iota // a whole number
	Odd               // an odd whole number
	Real              // a number
	Word              // one of Allowed
)

// String names the kind.
func (k Kind) String() string { return [...]string{"whole", "odd", "number", "word"}[k] }

// Parameter declares one parameter of a policy. A value may be given for all
// layers or as a list with one per layer.
type Parameter struct {
	Name        string // as in a variant's text: "w"
	Flag        string // the flag that takes a list of values to compare: "windows"; empty for none
	Kind        Kind
	Default     string
	Allowed     []string // of a Word
	Least, Most float64  // bounds of a number, both included
	Help        string
}

var registry = map[string]*Definition{}

// Register makes a policy known by its name. It is called from init.
func Register(d Definition) {
	if _, twice := registry[d.Name]; twice {
		panic("compress: policy " + d.Name + " is registered twice")
	}
	registry[d.Name] = &d
}

// FullName is the name of the policy that keeps everything.
const FullName = "full"

// Names lists the policies there are, "full" first.
func Names() []string {
	var names []string
	for name := range registry {
		if name != FullName {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return append([]string{FullName}, names...)
}

// Definitions lists the policies' declarations in the order of Names.
func Definitions() []*Definition {
	var list []*Definition
	for _, name := range Names() {
		list = append(list, registry[name])
	}
	return list
}

// Define returns a policy's declaration.
func Define(name string) (*Definition, error) {
	d, ok := registry[name]
	if !ok {
		return nil, lookup.Unknown("policy", name, Names()...)
	}
	return d, nil
}

// parameter returns the declaration of one of the parameters.
func (d *Definition) parameter(name string) (Parameter, error) {
	i := slices.IndexFunc(d.Parameters, func(p Parameter) bool { return p.Name == name })
	if i >= 0 {
		return d.Parameters[i], nil
	}
	have := d.parameterNames()
	if len(have) == 0 {
		return Parameter{}, fmt.Errorf("policy %s has no parameters, and no %q", d.Name, name)
	}
	return Parameter{}, fmt.Errorf("policy %s has no parameter %q: %shave %s", d.Name, name, lookup.Offer(name, have), strings.Join(have, ", "))
}

func (d *Definition) parameterNames() []string {
	var names []string
	if !d.Unbudgeted {
		names = append(names, "cap")
	}
	for _, p := range d.Parameters {
		names = append(names, p.Name)
	}
	return names
}

// Flag is a command-line flag that takes values of a parameter to compare.
type Flag struct {
	Name      string
	Parameter string
	Help      string
}

// Flags lists the flags that policies declare. Policies that share a flag share
// the parameter's name; one flag serves them all.
func Flags() []Flag {
	var list []Flag
	for _, d := range Definitions() {
		for _, p := range d.Parameters {
			if p.Flag != "" && !slices.ContainsFunc(list, func(f Flag) bool { return f.Name == p.Flag }) {
				list = append(list, Flag{p.Flag, p.Name, fmt.Sprintf("%s (default %s)", p.Help, p.Default)})
			}
		}
	}
	return list
}
