package commands

import (
	"fmt"

	"github.com/snapbench/snapbench/results/gate"
)

// Size is the value of a flag for a number of bytes, such as 4GiB. Setting it tells Took.
type Size struct {
	Took func(bytes int64)
	text string
}

// Set reads a size.
func (f *Size) Set(s string) error {
	size, err := gate.ParseSize(s)
	if err != nil || size.Bytes < 1 || size.Bytes > 1<<62 {
		return fmt.Errorf("want a size, such as 4GiB or 800MiB")
	}
	f.text = s
	f.Took(int64(size.Bytes))
	return nil
}

// String returns the size as it was typed.
func (f *Size) String() string { return f.text }

// Type is what help calls the value.
func (f *Size) Type() string { return "size" }
