package card

import (
	"runtime"

	"github.com/ebitengine/purego"
)

// openLibrary loads a shared library; what it exports serves those loaded after it. The
// loader keeps what it says of a failure for the thread that asked.
func openLibrary(name string) (uintptr, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
}

func symbol(library uintptr, name string) (uintptr, error) { return purego.Dlsym(library, name) }
