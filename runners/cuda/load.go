package cuda

import (
	"embed"
	"fmt"
	"runtime"
	"strings"
	"unsafe"
)

//go:generate kernels/build.sh

//go:embed kernels/*.ptx
var ptx embed.FS

// kernels are the functions of the embedded PTX, loaded file by file when first
// used.
type kernels struct {
	modules   map[string]uintptr // by file
	functions map[string]*kernel // by name
}

// kernel is a function on the card.
type kernel struct {
	name   string
	handle uintptr
	shared int // dynamic shared memory it was allowed
}

func (k *kernels) open() {
	k.modules, k.functions = map[string]uintptr{}, map[string]*kernel{}
}

func (k *kernels) close(d *Device) {
	for _, m := range k.modules {
		call(d.driver.ModuleUnload, m)
	}
	k.modules, k.functions = nil, nil
}

// kernel returns a function of kernels/file.ptx; nil, and the operation has failed,
// where it cannot be loaded.
func (d *Device) kernel(file, name string) *kernel {
	if f := d.kernels.functions[name]; f != nil {
		return f
	}
	module, ok := d.kernels.modules[file]
	if !ok {
		var err error
		if module, err = d.load(file); err != nil {
			d.fail(fmt.Errorf("kernels/%s.ptx: %w", file, err))
			return nil
		}
		d.kernels.modules[file] = module
	}
	f := &kernel{name: name}
	c := append([]byte(name), 0)
	if err := d.driver.check(call(d.driver.ModuleGetFunction, uintptr(unsafe.Pointer(&f.handle)), module, uintptr(unsafe.Pointer(&c[0])))); err != nil {
		d.fail(fmt.Errorf("kernels/%s.ptx: %s: %w", file, name, err))
		return nil
	}
	d.kernels.functions[name] = f
	return f
}

// source returns the PTX of a file for a card: on 9.0 and later the instructions
// of programmatic dependent launch, comments until then, come into force
// (kernels/device.h).
func source(file string, major int) (string, error) {
	b, err := ptx.ReadFile("kernels/" + file + ".ptx")
	if err != nil {
		return "", err
	}
	text := string(b)
	if major >= 9 {
		text = strings.Replace(text, "\n.target sm_80\n", "\n.target sm_90\n", 1)
		text = strings.ReplaceAll(text, "//sm_90 ", "")
	}
	return text, nil
}

// load has the driver compile a file for the card. The driver keeps the result on
// disk (~/.nv/ComputeCache) under the PTX, its own version and the card; a cache of
// our own would need the linker's interface (cuLink), which compiles for linking
// later: that ignores setmaxnreg and serialises wgmma, half the speed of attention.
func (d *Device) load(file string) (uintptr, error) {
	text, err := source(file, d.card.Major)
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
	err = d.driver.check(call(d.driver.ModuleLoadDataEx, uintptr(unsafe.Pointer(&module)), uintptr(unsafe.Pointer(&input[0])),
		uintptr(len(options)), uintptr(unsafe.Pointer(&options)), uintptr(unsafe.Pointer(&values))))
	if n := strings.IndexByte(string(log), 0); err != nil && n > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(log[:n])))
	}
	return module, err
}
