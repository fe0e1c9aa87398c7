package evidence

import (
	"bytes"
	"encoding/json"
	"math"
)

// Share is a number from 0 to 1, or NaN where there is nothing to have a share of; in JSON that is null.
type Share float64

// Ratio is a/b, and NaN for b = 0.
func Ratio(a, b float64) Share {
	if b == 0 {
		return Share(math.NaN())
	}
	return Share(a / b)
}

// Mean is the mean of those that are there, NaN if none is.
func Mean(list []float64) Share {
	sum, n := 0.0, 0
	for _, v := range list {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	return Ratio(sum, float64(n))
}

// MarshalJSON writes null for NaN.
func (s Share) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(s))
}

// UnmarshalJSON reads null as NaN.
func (s *Share) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		*s = Share(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(s))
}
