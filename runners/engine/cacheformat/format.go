package cacheformat

import (
	"fmt"
	"slices"
	"sort"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Format says how a cache stores keys and values. Formats that are not registered may be used,
// but not named.
type Format struct {
	Name   string
	Help   string // what it stores, in a clause
	Source string // whose code its formulas are
	Key    Codec
	Value  Codec // its Group is 1
	// Residual is R of KIVI (arXiv 2402.02750, section 3.2): the latest entries stay in float16 until
	// R keys have gathered, which are then encoded together, and of the values the latest R
	// always. It is a multiple of the keys' Group. Where it is 0, an entry is encoded when it comes.
	Residual int
	// Calibration says what the scale that encoders are given covers: it is made from the whole
	// prompt's keys, and from its values, before anything is dropped, and stays.
	Calibration Scope
	// Scale makes it from the largest magnitude; nil without calibration.
	Scale func(most float32) float32
	// Skips says which layers stay in 16 bits; nil for none.
	Skips func(layer, layers int) bool
	// Check refuses head sizes that the format does not have; nil for none.
	Check func(size int) error
}

// Codec makes codes of a group of vectors, and vectors of codes.
type Codec interface {
	// Group is how many neighbouring entries are encoded together.
	Group() int
	// Bytes is the size of a group's codes with their scales, for vectors of size numbers.
	Bytes(size int) int
	// Encode writes the codes of x (group, size). It refuses what it cannot store: numbers that
	// are not finite, and any that would become infinite.
	Encode(dst []byte, x []float32, size int, scale float32) error
	// Decode writes the numbers that codes stand for, (group, size).
	Decode(dst []float32, src []byte, size int, scale float32)
}

// Scope is what shares a calibrated scale.
type Scope uint8

// The scopes: keys and values have scales of their own in each.
const (
	Uncalibrated Scope = iota
	Layer
	Head // a KV head of a layer
)

// Scale are the calibrated scales of a cache head's keys and values.
type Scale struct{ Key, Value float32 }

var registry = map[string]*Format{}

// aliases are names by which engines' own flags call a format.
var aliases = map[string]string{"fp8": "fp8_s1", "fp8_e4m3": "fp8_s1", "turboquant_k8v4": "tq_k8v4", "turboquant_4bit_nc": "tq_4bit_nc_skip"}

// Register makes a format known by its name. It is called from init.
func Register(f Format) {
	if _, twice := registry[f.Name]; twice {
		panic("cacheformat: " + f.Name + " is registered twice")
	}
	if f.Value.Group() != 1 || f.Residual%f.Key.Group() != 0 || f.Key.Group() > 1 && f.Residual == 0 {
		panic("cacheformat: " + f.Name + ": groups do not fit its residual")
	}
	registry[f.Name] = &f
}

// Names lists the registered formats.
func Names() []string {
	var names []string
	for name := range registry {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// All lists the registered formats in the order of Names.
func All() []*Format {
	var all []*Format
	for _, name := range Names() {
		all = append(all, registry[name])
	}
	return all
}

// Get returns a format by its name, or by what an engine calls it ("fp8").
func Get(name string) (*Format, error) {
	if real, ok := aliases[name]; ok {
		name = real
	}
	if f, ok := registry[name]; ok {
		return f, nil
	}
	return nil, lookup.Unknown("cache format", name, append(Names(), "fp8")...)
}

// At returns the format of a layer: the format itself, or 16 bits where it skips the layer.
func (f *Format) At(layer, layers int) *Format {
	if f.Skips != nil && f.Skips(layer, layers) {
		return Half
	}
	return f
}

// Fits refuses a head size that the format does not have.
func (f *Format) Fits(size int) error {
	if size < 1 {
		return fmt.Errorf("cache format %s: heads of %d numbers", f.Name, size)
	}
	if f.Check == nil {
		return nil
	}
	if err := f.Check(size); err != nil {
		return fmt.Errorf("cache format %s: %w", f.Name, err)
	}
	return nil
}

// Calibrate returns the scales of each of kv KV heads, by the largest magnitudes of the heads'
// keys and values in a prompt; nil without calibration.
func (f *Format) Calibrate(keys, values []float32) []Scale {
	if f.Calibration == Uncalibrated {
		return nil
	}
	scales := make([]Scale, len(keys))
	for g := range scales {
		k, v := keys[g], values[g]
		if f.Calibration == Layer {
			k, v = slices.Max(keys), slices.Max(values)
		}
		scales[g] = Scale{f.Scale(k), f.Scale(v)}
	}
	return scales
}
