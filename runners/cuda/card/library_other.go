//go:build !linux

package card

import (
	"errors"
	"runtime"
)

func openLibrary(string) (uintptr, error) {
	return 0, errors.New("cuda runs on linux, not supported yet on " + runtime.GOOS)
}

func symbol(uintptr, string) (uintptr, error) { panic("cuda: no library was opened") }
