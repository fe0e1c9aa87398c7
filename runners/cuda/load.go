package cuda

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
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
	cache     string             // folder of compiled kernels; empty: none
}

// kernel is a function on the card.
type kernel struct {
	name   string
	handle uintptr
	shared int // dynamic shared memory it was allowed
}

func (k *kernels) open(d *Device) {
	k.modules, k.functions = map[string]uintptr{}, map[string]*kernel{}
	if dir, err := os.UserCacheDir(); err == nil {
		k.cache = filepath.Join(dir, "snapbench", "cuda")
	}
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

// load compiles a file for the card, or takes the compiled form from the cache:
// its name is the hash of the PTX, the driver's version and the card's capability.
func (d *Device) load(file string) (uintptr, error) {
	text, err := source(file, d.card.Major)
	if err != nil {
		return 0, err
	}
	key := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%d.%d", text, d.driver.version(), d.card.Major, d.card.Minor))
	cached := ""
	if d.kernels.cache != "" {
		cached = filepath.Join(d.kernels.cache, hex.EncodeToString(key[:])+".cubin")
	}
	var module uintptr
	if cached != "" {
		if b, err := os.ReadFile(cached); err == nil && len(b) > 0 {
			if call(d.driver.ModuleLoadData, uintptr(unsafe.Pointer(&module)), uintptr(unsafe.Pointer(&b[0]))) == 0 {
				return module, nil
			}
		}
	}
	cubin, err := d.compile(file, text)
	if err != nil {
		return 0, err
	}
	if err := d.driver.check(call(d.driver.ModuleLoadData, uintptr(unsafe.Pointer(&module)), uintptr(unsafe.Pointer(&cubin[0])))); err != nil {
		return 0, err
	}
	if cached != "" {
		keep(cached, cubin) // a cache that cannot be written costs time, nothing else
	}
	return module, nil
}

// keep writes a file whole or not at all.
func keep(path string, content []byte) {
	if os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), "part-*")
	if err != nil {
		return
	}
	_, err = f.Write(content)
	if close := f.Close(); err == nil {
		err = close
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
}

// compile has the driver make machine code for the card.
func (d *Device) compile(file, text string) ([]byte, error) {
	const (
		errorLog, errorLogBytes = 5, 6 // CU_JIT_ERROR_LOG_BUFFER and its size
		inputPTX                = 1
	)
	log := make([]byte, 8192)
	options := []uint32{errorLog, errorLogBytes}
	values := []uintptr{uintptr(unsafe.Pointer(&log[0])), uintptr(len(log))}
	explain := func(code uint32) error {
		err := d.driver.check(code)
		if n := strings.IndexByte(string(log), 0); err != nil && n > 0 {
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(log[:n])))
		}
		return err
	}
	var state, cubin, size uintptr
	if err := explain(call(d.driver.LinkCreate, uintptr(len(options)), uintptr(unsafe.Pointer(&options[0])), uintptr(unsafe.Pointer(&values[0])), uintptr(unsafe.Pointer(&state)))); err != nil {
		return nil, err
	}
	defer func() { call(d.driver.LinkDestroy, state) }()
	input, name := append([]byte(text), 0), append([]byte(file), 0)
	if err := explain(call(d.driver.LinkAddData, state, inputPTX, uintptr(unsafe.Pointer(&input[0])), uintptr(len(input)), uintptr(unsafe.Pointer(&name[0])), 0, 0, 0)); err != nil {
		return nil, err
	}
	if err := explain(call(d.driver.LinkComplete, state, uintptr(unsafe.Pointer(&cubin)), uintptr(unsafe.Pointer(&size)))); err != nil {
		return nil, err
	}
	return append([]byte(nil), unsafe.Slice((*byte)(at(cubin)), size)...), nil
}
