//go:build !linux && !darwin

package local

import "os"

// identify fills in what tells a file and its content from others: here nothing.
func (s *stamp) identify(*os.File) (bool, error) { return false, nil }
