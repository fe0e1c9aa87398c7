package cuda

import "github.com/ebitengine/purego"

// openLibrary loads a shared library; what it exports serves those loaded after it.
func openLibrary(name string) (uintptr, error) {
	return purego.Dlopen(name, purego.RTLD_NOW|purego.RTLD_GLOBAL)
}

func symbol(library uintptr, name string) (uintptr, error) { return purego.Dlsym(library, name) }
