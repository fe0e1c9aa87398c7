package gate

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/results"
)

// Limits is what a gate is asked, and what it allows. As YAML:
//
//	about: set             # these samples; or population: all prompts of their kind
//	across: [model, dtype] # what the two runs may differ in
//	max_drop: 1.0          # points of 0–100, or a share of the baseline's score: 2%
//	confidence: 0.95       # about the population; each direction is tested at half the rest
//	average: {max_drop: 0.5}
//	tasks:
//	  qasper: {max_drop: 2.0}
//	  trec: {max_drop: 3%}
//	max_slowdown: 1.2      # times the baseline's time, prefill and decoding each
//	max_peak: 1.1          # times the baseline's peak memory, or a size: 12GiB
//	max_kl_rise: 0.01      # nats, mean over samples, above the baseline's (needs --fidelity)
type Limits struct {
	About       About                `yaml:"about"`
	Across      Across               `yaml:"across"`
	MaxDrop     *Limit               `yaml:"max_drop"`
	Confidence  float64              `yaml:"confidence"`
	Average     *TaskLimit           `yaml:"average"`
	Tasks       map[string]TaskLimit `yaml:"tasks"`
	MaxSlowdown *float64             `yaml:"max_slowdown"`
	MaxPeak     *Size                `yaml:"max_peak"`
	MaxKLRise   *float64             `yaml:"max_kl_rise"`

	fromFile map[string]bool // keys that a file gives; others come from flags
}

// name is how a limit is called where it was given: max_drop in a file, --max-drop on a command line.
func (l Limits) name(key string) string {
	if l.fromFile[key] {
		return key
	}
	return "--" + strings.ReplaceAll(key, "_", "-")
}

// TaskLimit is one task's own limit.
type TaskLimit struct {
	MaxDrop *Limit `yaml:"max_drop"`
}

// Limit is the largest allowed drop: points of 0 to 100, or a share of the baseline's mean score. A share is taken of
// the observed mean; its uncertainty is neglected, because the share is small.
type Limit struct {
	Value    float64 // points, or percent
	Relative bool
}

// ParseLimit reads "1.0" (points) or "2%" (of the baseline).
func ParseLimit(s string) (Limit, error) {
	text := strings.TrimSpace(s)
	number, relative := strings.CutSuffix(text, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(v >= 0 && v <= 100) {
		return Limit{}, fmt.Errorf("limit %q: want points from 0 to 100, such as 1.0, or a share of the baseline's score, such as 2%%", s)
	}
	return Limit{v, relative}, nil
}

func (l Limit) String() string {
	s := strconv.FormatFloat(l.Value, 'f', -1, 64)
	if l.Relative {
		return s + "%"
	}
	return s
}

// of is the limit as a drop of scores from 0 to 1.
func (l Limit) of(base float64) float64 {
	if l.Relative {
		return l.Value / 100 * base
	}
	return l.Value / 100
}

// UnmarshalYAML reads a number or a text such as 2%.
func (l *Limit) UnmarshalYAML(b []byte) error {
	s, err := scalar(b)
	if err != nil {
		return err
	}
	*l, err = ParseLimit(s)
	return err
}

// Size is a limit of memory: a multiple of the baseline's, or bytes.
type Size struct {
	Times float64 // of the baseline's memory; used if Bytes is 0
	Bytes float64
}

// ParseSize reads "1.1" (times the baseline's), "12GiB", "800MiB", "8e9B" or "12GB".
func ParseSize(s string) (Size, error) {
	text := strings.TrimSpace(s)
	for _, u := range []struct {
		name string
		size float64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}} {
		if number, ok := strings.CutSuffix(text, u.name); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if err != nil || !(v > 0) || math.IsInf(v, 0) {
				break
			}
			return Size{Bytes: v * u.size}, nil
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) {
		return Size{}, fmt.Errorf("size %q: want a multiple of the baseline's, such as 1.1, or a size, such as 12GiB", s)
	}
	return Size{Times: v}, nil
}

func (s Size) String() string {
	if s.Bytes > 0 {
		return results.Bytes(s.Bytes)
	}
	return strconv.FormatFloat(s.Times, 'f', -1, 64) + " times"
}

func (s Size) bytes(base int64) float64 {
	if s.Bytes > 0 {
		return s.Bytes
	}
	return s.Times * float64(base)
}

// UnmarshalYAML reads a number or a text such as 12GiB.
func (s *Size) UnmarshalYAML(b []byte) error {
	text, err := scalar(b)
	if err != nil {
		return err
	}
	*s, err = ParseSize(text)
	return err
}

func scalar(b []byte) (string, error) {
	var v any
	if err := yaml.Unmarshal(b, &v); err != nil {
		return "", err
	}
	switch v := v.(type) {
	case string:
		return v, nil
	case int, int64, uint64, float64:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("want a number or a text, have %T", v)
}

// ReadLimits reads a YAML file of limits.
func ReadLimits(path string) (Limits, error) {
	b, err := bounds.ReadYAML(path)
	if err != nil {
		return Limits{}, err
	}
	l, err := parseLimits(b)
	if err != nil {
		return Limits{}, fmt.Errorf("%s%w", path, err)
	}
	return l, nil
}

// limitKeys are the fields of a file of limits; a task has max_drop alone.
var limitKeys = []string{"about", "across", "max_drop", "confidence", "average", "tasks", "max_slowdown", "max_peak", "max_kl_rise"}

// unknownKey is how the YAML library names a field that the file should not have.
var unknownKey = regexp.MustCompile(`unknown field "([^"]*)"`)

// parseLimits reads the text of a file of limits. Its errors begin with ":LINE: " or ": ", to follow a file's name.
func parseLimits(b []byte) (l Limits, err error) {
	defer func() {
		if p := recover(); p != nil { // the YAML library on hostile input
			err = fmt.Errorf(": not readable as YAML: %v", p)
		}
	}()
	if err := bounds.CheckYAML(b); err != nil {
		return Limits{}, err
	}
	if err := yaml.UnmarshalWithOptions(b, &l, yaml.Strict()); err != nil {
		text := strings.TrimSpace(yaml.FormatError(err, false, true))
		if m := unknownKey.FindStringSubmatch(text); m != nil {
			text = strings.Replace(text, m[0], lookup.Unknown("field", m[1], limitKeys...).Error(), 1)
		}
		return Limits{}, fmt.Errorf(": %s", text)
	}
	l.fromFile = map[string]bool{
		"across": len(l.Across) > 0, "confidence": l.Confidence != 0, "max_slowdown": l.MaxSlowdown != nil, "max_peak": l.MaxPeak != nil, "max_kl_rise": l.MaxKLRise != nil,
	}
	if err := l.Check(); err != nil {
		return Limits{}, fmt.Errorf(": %w", err)
	}
	return l, nil
}

// Check returns an error for limits that make no sense.
func (l Limits) Check() error {
	switch {
	case l.MaxDrop == nil && l.Average == nil && len(l.Tasks) == 0 && l.fromFile != nil:
		return errors.New("no max_drop: say what may be lost, such as max_drop: 1.0")
	case l.MaxDrop == nil && l.Average == nil && len(l.Tasks) == 0:
		return errors.New("no --max-drop: say what may be lost, such as --max-drop 1.0, or name a file of limits: --limits limits.yaml")
	case l.Confidence != 0 && !(l.Confidence >= 0.5 && l.Confidence <= 0.9999):
		return fmt.Errorf("%s %v: want 0.5 to 0.9999, such as 0.95", l.name("confidence"), l.Confidence)
	case l.MaxSlowdown != nil && !(*l.MaxSlowdown > 0 && *l.MaxSlowdown < math.Inf(1)):
		return fmt.Errorf("%s %v: want a multiple of the baseline's time, such as 1.2", l.name("max_slowdown"), *l.MaxSlowdown)
	case l.MaxKLRise != nil && !(*l.MaxKLRise >= 0 && *l.MaxKLRise < math.Inf(1)):
		return fmt.Errorf("%s %v: want nats, such as 0.01", l.name("max_kl_rise"), *l.MaxKLRise)
	}
	if _, err := ParseAcross(l.Across...); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(l.Tasks)) {
		if l.Tasks[name].MaxDrop == nil {
			return fmt.Errorf("tasks: %s: no max_drop", name)
		}
	}
	if l.Average != nil && l.Average.MaxDrop == nil {
		return errors.New("average: no max_drop")
	}
	return nil
}

func (l Limits) confidence() float64 {
	if l.Confidence == 0 {
		return results.Confidence
	}
	return l.Confidence
}

func (l Limits) task(name string) Limit {
	if t, ok := l.Tasks[name]; ok {
		return *t.MaxDrop
	}
	return l.general()
}

func (l Limits) average() Limit {
	if l.Average != nil {
		return *l.Average.MaxDrop
	}
	return l.general()
}

// general is max_drop. Without it, tasks that are not named may not drop at all.
func (l Limits) general() Limit {
	if l.MaxDrop != nil {
		return *l.MaxDrop
	}
	return Limit{}
}
