package card

import (
	"runtime"

	"github.com/ebitengine/purego"
)

// openLibrary loads a shared library and makes its symbols available to those loaded later.
// It stays on one thread, since the loader keeps an error's text per thread.
func openLibrary(name string) (uintptr, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
}

func symbol(library uintptr, name string) (uintptr, error) { return purego.Dlsym(library, name) }
