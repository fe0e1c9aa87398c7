package card

import "sync"

// Libraries are the driver and cuBLAS, loaded when they are first used.
type Libraries struct {
	driver func() (*driver, error)
	cublas func() (*cublas, error)
}

// Installed are the machine's own.
func Installed() Libraries { return Libraries{openDriver, openCublas} }

// Other are libraries that are not loaded from files: symbol gives the address of a function
// of either, by its name. name stands for cuBLAS's file.
func Other(name string, symbol func(function string) (uintptr, error)) Libraries {
	return Libraries{
		sync.OnceValues(func() (*driver, error) { return newDriver(symbol) }),
		sync.OnceValues(func() (*cublas, error) { return newCublas(name, symbol) }),
	}
}
