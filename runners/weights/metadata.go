package weights

import (
	"fmt"
	"math"
	"slices"
)

// Metadata is a file's key-value pairs. Every accessor returns an error for a
// key that is absent (wrapping ErrAbsent) or of another type. Whole numbers of any
// width and sign are converted if the value fits.
type Metadata struct {
	path   string
	keys   []string
	values map[string]any // of the types that Value lists
}

func newMetadata(path string) Metadata { return Metadata{path: path, values: map[string]any{}} }

func (m *Metadata) set(key string, v any) {
	m.keys = append(m.keys, key)
	m.values[key] = v
}

// Keys returns the keys in the order of the file.
func (m Metadata) Keys() []string { return slices.Clone(m.keys) }

// Has reports whether the key is present, with a value of any type.
func (m Metadata) Has(key string) bool { _, ok := m.values[key]; return ok }

// Value returns the value in the file's type: string, bool, uint8 to uint64,
// int8 to int64, float32, float64, a slice of one of these, or []any for arrays
// of arrays. The caller must not change the slices.
func (m Metadata) Value(key string) (any, error) {
	v, ok := m.values[key]
	if !ok {
		return nil, fmt.Errorf("%s: no metadata key %q: %w", m.path, key, ErrAbsent)
	}
	return v, nil
}

func (m Metadata) mismatch(key, want string) error {
	v := m.values[key]
	if n := arrayLen(v); n >= 0 {
		return fmt.Errorf("%s: metadata key %q holds %d values as %T, not %s", m.path, key, n, v, want)
	}
	return fmt.Errorf("%s: metadata key %q is %.80q (%T), not %s", m.path, key, fmt.Sprint(v), v, want)
}

// String returns a string.
func (m Metadata) String(key string) (string, error) {
	v, err := m.Value(key)
	if err != nil {
		return "", err
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", m.mismatch(key, "a string")
}

// Bool returns a truth value.
func (m Metadata) Bool(key string) (bool, error) {
	v, err := m.Value(key)
	if err != nil {
		return false, err
	}
	if b, ok := v.(bool); ok {
		return b, nil
	}
	return false, m.mismatch(key, "true or false")
}

// Uint returns a whole number that is not negative.
func (m Metadata) Uint(key string) (uint64, error) {
	v, err := m.Value(key)
	if err != nil {
		return 0, err
	}
	if u, ok := v.(uint64); ok {
		return u, nil
	}
	if i, ok := toInt(v); ok && i >= 0 {
		return uint64(i), nil
	}
	return 0, m.mismatch(key, "a whole number from 0")
}

// Int returns a whole number.
func (m Metadata) Int(key string) (int64, error) {
	v, err := m.Value(key)
	if err != nil {
		return 0, err
	}
	if i, ok := toInt(v); ok {
		return i, nil
	}
	return 0, m.mismatch(key, "a whole number")
}

// Float returns a float64, or a float32 as a float64.
func (m Metadata) Float(key string) (float64, error) {
	v, err := m.Value(key)
	if err != nil {
		return 0, err
	}
	switch v := v.(type) {
	case float32:
		return float64(v), nil
	case float64:
		return v, nil
	}
	return 0, m.mismatch(key, "a floating-point number")
}

// Strings returns an array of strings. The caller must not change it.
func (m Metadata) Strings(key string) ([]string, error) {
	v, err := m.Value(key)
	if err != nil {
		return nil, err
	}
	if s, ok := v.([]string); ok {
		return s, nil
	}
	return nil, m.mismatch(key, "an array of strings")
}

// Floats returns an array of float32. The caller must not change it.
func (m Metadata) Floats(key string) ([]float32, error) {
	v, err := m.Value(key)
	if err != nil {
		return nil, err
	}
	if f, ok := v.([]float32); ok {
		return f, nil
	}
	return nil, m.mismatch(key, "an array of float32")
}

// Bools returns an array of truth values. The caller must not change it.
func (m Metadata) Bools(key string) ([]bool, error) {
	v, err := m.Value(key)
	if err != nil {
		return nil, err
	}
	if b, ok := v.([]bool); ok {
		return b, nil
	}
	return nil, m.mismatch(key, "an array of truth values")
}

// Ints returns an array of whole numbers of any width.
func (m Metadata) Ints(key string) ([]int64, error) {
	v, err := m.Value(key)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case []uint8:
		return widen(v), nil
	case []int8:
		return widen(v), nil
	case []uint16:
		return widen(v), nil
	case []int16:
		return widen(v), nil
	case []uint32:
		return widen(v), nil
	case []int32:
		return widen(v), nil
	case []int64:
		return slices.Clone(v), nil
	case []uint64:
		if len(v) == 0 || slices.Max(v) <= math.MaxInt64 {
			return widen(v), nil
		}
	}
	return nil, m.mismatch(key, "an array of whole numbers within 64 bits")
}

func widen[T uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64](v []T) []int64 {
	out := make([]int64, len(v))
	for i, x := range v {
		out[i] = int64(x)
	}
	return out
}

func toInt(v any) (int64, bool) {
	switch v := v.(type) {
	case uint8:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint16:
		return int64(v), true
	case int16:
		return int64(v), true
	case uint32:
		return int64(v), true
	case int32:
		return int64(v), true
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= math.MaxInt64
	}
	return 0, false
}

// arrayLen returns the length of an array, or -1 for another value.
func arrayLen(v any) int {
	switch v := v.(type) {
	case []uint8:
		return len(v)
	case []int8:
		return len(v)
	case []uint16:
		return len(v)
	case []int16:
		return len(v)
	case []uint32:
		return len(v)
	case []int32:
		return len(v)
	case []uint64:
		return len(v)
	case []int64:
		return len(v)
	case []float32:
		return len(v)
	case []float64:
		return len(v)
	case []bool:
		return len(v)
	case []string:
		return len(v)
	case []any:
		return len(v)
	}
	return -1
}
