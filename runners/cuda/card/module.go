package card

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"
)

// kernels are the functions that have been used, and the modules they came from, each
// loaded when it was first asked for.
type kernels struct {
	source    func(module string, major int) (string, error)
	modules   map[string]uintptr // by file
	functions map[string]*Kernel // by name
}

// Kernel is a function on the card.
type Kernel struct {
	handle uintptr
	shared int // dynamic shared memory it was allowed
}

func (k *kernels) open(source func(module string, major int) (string, error)) {
	k.source, k.modules, k.functions = source, map[string]uintptr{}, map[string]*Kernel{}
}

func (k *kernels) close(c *Card) {
	for _, m := range k.modules {
		call(c.driver.ModuleUnload, m)
	}
	k.modules, k.functions = nil, nil
}

// Kernel returns a function of the module kernels/file.ptx; nil, and the operation has
// failed, where it cannot be loaded. No two modules have functions of one name.
func (c *Card) Kernel(file, name string) *Kernel {
	if f := c.kernels.functions[name]; f != nil {
		return f
	}
	module, ok := c.kernels.modules[file]
	if !ok {
		var err error
		if module, err = c.load(file); err != nil {
			c.Fail(fmt.Errorf("kernels/%s.ptx: %w", file, err))
			return nil
		}
		c.kernels.modules[file] = module
	}
	f := &Kernel{}
	symbol := append([]byte(name), 0)
	if err := c.driver.check(call(c.driver.ModuleGetFunction, uintptr(unsafe.Pointer(&f.handle)), module, uintptr(unsafe.Pointer(&symbol[0])))); err != nil {
		c.Fail(fmt.Errorf("kernels/%s.ptx: %s: %w", file, name, err))
		return nil
	}
	c.kernels.functions[name] = f
	return f
}

// load has the driver compile a module for the card. The driver keeps the result on
// disk (~/.nv/ComputeCache) under the PTX, its own version and the card. A cache of our
// own would need the linker's interface (cuLink), which compiles code that is to be
// linked later: there the driver ignores setmaxnreg and serialises wgmma, which halves
// the speed of attention.
func (c *Card) load(file string) (uintptr, error) {
	text, err := c.kernels.source(file, c.Major)
	if err != nil {
		return 0, err
	}
	const errorLog, errorLogBytes = 5, 6 // CU_JIT_ERROR_LOG_BUFFER and its size
	log, input := make([]byte, 8192), append([]byte(text), 0)
	options := [2]uint32{errorLog, errorLogBytes}
	values := [2]uintptr{uintptr(unsafe.Pointer(&log[0])), uintptr(len(log))}
	var pins runtime.Pinner
	pins.Pin(&log[0])
	defer pins.Unpin()
	var module uintptr
	err = c.driver.check(call(c.driver.ModuleLoadDataEx, uintptr(unsafe.Pointer(&module)), uintptr(unsafe.Pointer(&input[0])),
		uintptr(len(options)), uintptr(unsafe.Pointer(&options)), uintptr(unsafe.Pointer(&values))))
	if n := strings.IndexByte(string(log), 0); err != nil && n > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(log[:n])))
	}
	return module, err
}
