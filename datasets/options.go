package datasets

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Option is one of a task's own options, made from a field of the task's options:
//
//	Lengths []int `option:"lengths" kind:"tokens" help:"prompt lengths in tokens"`
//
// A field without the tag is not an option; those of an embedded struct are. Kinds are flag (a bool), text (a string, or a list), whole (an int, or a list), seed
// (a uint64), tokens (an int, or a list: "4096", "4k", "1m") and depths (a list of percents;
// a single number without a percent sign is a number of depths). The tag least gives the smallest
// value of a whole.
type Option struct {
	Name  string
	Kind  string
	Help  string
	List  bool // takes several values, separated by commas
	Least int  // smallest value of a whole

	field reflect.Value
}

// OptionsOf returns the options of the struct that own points to, in the order of its fields.
func OptionsOf(own any) []Option { return optionsOf(reflect.ValueOf(own).Elem()) }

func optionsOf(v reflect.Value) (list []Option) {
	for i := range v.NumField() {
		if v.Type().Field(i).Anonymous {
			list = append(list, optionsOf(v.Field(i))...)
			continue
		}
		tag := v.Type().Field(i).Tag
		if name := tag.Get("option"); name != "" {
			least, _ := strconv.Atoi(tag.Get("least"))
			list = append(list, Option{name, tag.Get("kind"), tag.Get("help"), v.Field(i).Kind() == reflect.Slice, least, v.Field(i)})
		}
	}
	return list
}

// Set parses values and sets the option's field.
func (o Option) Set(values []string) error {
	if !o.List && len(values) != 1 {
		return fmt.Errorf("--%s: %d values: want one", o.Name, len(values))
	}
	if len(values) == 0 {
		return fmt.Errorf("--%s: an empty list: want one value or more", o.Name)
	}
	if err := o.set(values); err != nil {
		return fmt.Errorf("--%s: %w", o.Name, err)
	}
	return nil
}

func (o Option) set(values []string) error {
	switch o.Kind {
	case "text":
		if o.List {
			o.field.Set(reflect.ValueOf(slices.Clone(values)))
		} else {
			o.field.SetString(values[0])
		}
	case "flag":
		on, err := strconv.ParseBool(values[0])
		if err != nil {
			return fmt.Errorf("%q: want true or false", values[0])
		}
		o.field.SetBool(on)
	case "whole":
		return o.setInts(values, func(s string) (int, error) {
			n, err := strconv.Atoi(s)
			if err != nil || n < o.Least {
				return 0, fmt.Errorf("%q: want a whole number, %d or more", s, o.Least)
			}
			return n, nil
		})
	case "seed":
		n, err := strconv.ParseUint(values[0], 10, 64)
		if err != nil {
			return fmt.Errorf("%q: want a whole number from 0", values[0])
		}
		o.field.SetUint(n)
	case "tokens":
		return o.setInts(values, ParseTokens)
	case "depths":
		list, err := parseDepths(values)
		if err != nil {
			return err
		}
		o.field.Set(reflect.ValueOf(list))
	default:
		panic("datasets: option " + o.Name + " is of the unknown kind " + o.Kind)
	}
	return nil
}

// setInts sets an int, or a list of such.
func (o Option) setInts(values []string, parse func(string) (int, error)) error {
	list := make([]int, len(values))
	for i, s := range values {
		n, err := parse(s)
		if err != nil {
			return err
		}
		list[i] = n
	}
	if o.List {
		o.field.Set(reflect.ValueOf(list))
	} else {
		o.field.SetInt(int64(list[0]))
	}
	return nil
}

// Default returns the text of the field's present value.
func (o Option) Default() string {
	if o.field.IsZero() {
		return ""
	}
	if !o.List {
		return fmt.Sprint(o.field.Interface())
	}
	var parts []string
	for i := range o.field.Len() {
		parts = append(parts, fmt.Sprint(o.field.Index(i).Interface()))
	}
	return strings.Join(parts, ",")
}

// Usage is the option's help with its default, unless the help itself says that.
func (o Option) Usage() string {
	if v := o.Default(); v != "" && !strings.Contains(o.Help, "default") {
		return fmt.Sprintf("%s (default %s)", o.Help, v)
	}
	return o.Help
}

// UsageOf is the usage of an option in these families: one text where they agree, else that of each
// after the families that it is of.
func UsageOf(name string, families ...string) string {
	var usages []string
	of := map[string][]string{}
	for _, d := range Definitions() {
		if d.Own == nil || !slices.Contains(families, d.Family) {
			continue
		}
		for _, o := range OptionsOf(d.Own()) {
			if o.Name == name {
				if of[o.Usage()] == nil {
					usages = append(usages, o.Usage())
				}
				of[o.Usage()] = append(of[o.Usage()], d.Family)
			}
		}
	}
	if len(usages) == 1 {
		return usages[0]
	}
	for i, u := range usages {
		usages[i] = strings.Join(of[u], ", ") + ": " + u
	}
	return strings.Join(usages, "; ")
}

// ParseTokens reads "4096", "4k" (4096), "1m".
func ParseTokens(s string) (int, error) {
	factor, digits := 1, strings.ToLower(strings.TrimSpace(s))
	if d, ok := strings.CutSuffix(digits, "k"); ok {
		factor, digits = 1<<10, d
	} else if d, ok := strings.CutSuffix(digits, "m"); ok {
		factor, digits = 1<<20, d
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > 1<<30/factor {
		return 0, fmt.Errorf("length %q: want tokens, as 4096, 4k or 1m", s)
	}
	return n * factor, nil
}

// parseDepths reads "5" as five depths at equal distances, and everything else, such as "50%"
// and "0,100", as percents.
func parseDepths(list []string) ([]float64, error) {
	if len(list) == 1 && !strings.HasSuffix(list[0], "%") {
		n, err := strconv.Atoi(list[0])
		if err != nil || n < 1 || n > 101 {
			return nil, fmt.Errorf("depths %q: want a number of depths, or the depths in percent: 0,50,100 or 50%%", list[0])
		}
		return DepthGrid(n), nil
	}
	var out []float64
	for _, s := range list {
		d, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
		if err != nil || !(d >= 0 && d <= 100) {
			return nil, fmt.Errorf("depth %q: want percent, 0 to 100", s)
		}
		out = append(out, d)
	}
	return out, nil
}

// OptionError is a mistake in a task's options.
type OptionError struct{ Err error }

func (e *OptionError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e *OptionError) Unwrap() error { return e.Err }

// Definition declares a task, or a family of tasks with the same options.
type Definition struct {
	Family string // "needle", "longbench": names their pictures and their command
	Help   string // what it asks, in a sentence
	Names  []string
	// Origin says where the tasks come from; nil where they are a file of the user's own.
	Origin *Origin
	// Groups are names that stand for several tasks.
	Groups map[string][]string
	// ByLength are the groups whose scores tables show by length, and Enough is the average in
	// points from which a length is one that is of use.
	ByLength []string
	Enough   float64
	// Own returns a pointer to a struct with the tasks' own options at their defaults. It
	// is nil where they have none.
	Own func() any
	// Open makes the task of a name. Options.Own is what Own returned, filled in.
	Open func(name string, o Options) (Task, error)
}

var definitions []Definition

// Register registers tasks. It is called from init, and panics if a name is taken.
func Register(d Definition) {
	if len(d.Names) == 0 || d.Open == nil || d.Family == "" {
		panic(fmt.Sprintf("datasets: Register of an incomplete definition %q", d.Family))
	}
	for _, name := range d.Names {
		if _, err := Define(name); err == nil {
			panic(fmt.Sprintf("datasets: Register called twice for %q", name))
		}
	}
	definitions = append(definitions, d)
}

// Definitions lists what is registered, by family.
func Definitions() []Definition {
	list := slices.Clone(definitions)
	slices.SortFunc(list, func(a, b Definition) int { return strings.Compare(a.Family, b.Family) })
	return list
}

// Define returns the definition that a task's name belongs to.
func Define(name string) (Definition, error) {
	for _, d := range definitions {
		if slices.Contains(d.Names, name) {
			return d, nil
		}
	}
	return Definition{}, lookup.UnknownOf("snapbench eval --help", "task", name, Names()...)
}

// AnyOf says whether one of these tasks is of a family.
func AnyOf(family string, names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		d, err := Define(name)
		return err == nil && d.Family == family
	})
}

// Expand replaces the groups among names by their tasks, and returns each task once.
func Expand(asked []string) ([]string, error) {
	var names []string
	for _, a := range asked {
		list := []string{a}
		if _, err := Define(a); err != nil {
			if list = group(a); list == nil {
				return nil, lookup.UnknownOf("snapbench eval --help", "task", a, slices.Concat(GroupNames(), Names())...)
			}
		}
		for _, n := range list {
			if !slices.Contains(names, n) {
				names = append(names, n)
			}
		}
	}
	return names, nil
}

func group(name string) []string {
	for _, d := range definitions {
		if list, ok := d.Groups[name]; ok {
			return list
		}
	}
	return nil
}

// GroupNames lists the groups of tasks, sorted.
func GroupNames() []string {
	var names []string
	for _, d := range definitions {
		names = slices.AppendSeq(names, maps.Keys(d.Groups))
	}
	slices.Sort(names)
	return names
}

// Names lists the registered tasks, sorted.
func Names() []string {
	var names []string
	for _, d := range definitions {
		names = append(names, d.Names...)
	}
	slices.Sort(names)
	return names
}
