package card

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ebitengine/purego"
)

// cublasVariable names a file to load instead of looking for one.
const cublasVariable = "SNAPBENCH_CUBLAS"

// cublasHelp says how to get the library.
const cublasHelp = "cuBLAS 12 or 13 comes with the CUDA toolkit, or without it: pip install nvidia-cublas " +
	"(or nvidia-cublas-cu12); " + cublasVariable + " names the file where it lies elsewhere"

// cublas holds the addresses of cuBLAS's functions.
type cublas struct {
	file                                                                 string
	Create, Destroy, SetStream, SetWorkspace, GetVersion, GemmEx, Status uintptr
}

// The file names of cuBLAS 13 and 12, and the folders outside the loader's path where
// toolkits and Python packages put them.
var (
	cublasNames   = []string{"libcublas.so.13", "libcublas.so.12"}
	cublasFolders = []string{
		"$CUDA_HOME/lib64", "$CUDA_PATH/lib64", "/usr/local/cuda/lib64", "/usr/local/cuda-*/lib64", "/opt/cuda/lib64",
		"$VIRTUAL_ENV/lib/python3*/site-packages/nvidia/*/lib", "$CONDA_PREFIX/lib", "$CONDA_PREFIX/lib/python3*/site-packages/nvidia/*/lib",
		"$HOME/.local/lib/python3*/site-packages/nvidia/*/lib",
		"/usr/local/lib/python3*/*-packages/nvidia/*/lib", "/usr/lib/python3*/*-packages/nvidia/*/lib",
		"/opt/*/lib/python3*/site-packages/nvidia/*/lib",
	}
)

// cublasCandidates lists what to try, in order.
func cublasCandidates() []string {
	if f := os.Getenv(cublasVariable); f != "" {
		return []string{f}
	}
	files := append([]string(nil), cublasNames...)
	for _, folder := range cublasFolders {
		missing := false
		folder = os.Expand(folder, func(name string) string {
			v := os.Getenv(name)
			missing = missing || v == ""
			return v
		})
		if missing {
			continue
		}
		for _, name := range cublasNames {
			found, _ := filepath.Glob(filepath.Join(folder, name))
			files = append(files, found...)
		}
	}
	return files
}

// openCublas loads cuBLAS once for the process.
var openCublas = sync.OnceValues(func() (*cublas, error) {
	var tried []string
	for _, file := range cublasCandidates() {
		// cuBLAS loads libcublasLt, which is not always on the loader's path.
		if dir := filepath.Dir(file); dir != "." {
			if half := strings.Replace(filepath.Base(file), "libcublas", "libcublasLt", 1); half != filepath.Base(file) {
				_, _ = openLibrary(filepath.Join(dir, half))
			}
		}
		handle, err := openLibrary(file)
		if err != nil {
			tried = append(tried, err.Error())
			continue
		}
		return newCublas(file, func(name string) (uintptr, error) { return symbol(handle, name) })
	}
	return nil, fmt.Errorf("cuda: cuBLAS not found (%s): %s", strings.Join(tried, "; "), cublasHelp)
})

// newCublas looks the functions up in a file.
func newCublas(file string, symbol func(name string) (uintptr, error)) (*cublas, error) {
	b := &cublas{file: file}
	for name, at := range map[string]*uintptr{
		"cublasCreate_v2": &b.Create, "cublasDestroy_v2": &b.Destroy, "cublasSetStream_v2": &b.SetStream,
		"cublasSetWorkspace_v2": &b.SetWorkspace, "cublasGetVersion_v2": &b.GetVersion, "cublasGemmEx": &b.GemmEx,
		"cublasGetStatusString": &b.Status,
	} {
		var err error
		if *at, err = symbol(name); err != nil {
			return nil, fmt.Errorf("cuda: %s has no %s: %s", file, name, cublasHelp)
		}
	}
	return b, nil
}

func (b *cublas) check(status uint32) error {
	if status == 0 {
		return nil
	}
	r, _, _ := purego.SyscallN(b.Status, uintptr(status))
	return fmt.Errorf("cuBLAS: %s (%d)", text(r), status)
}

// cublasVersion formats what cublasGetVersion returns: 130100 is 13.1.0.
func cublasVersion(v int32) string {
	if v >= 100000 {
		return fmt.Sprintf("%d.%d.%d", v/10000, v/100%100, v%100)
	}
	return fmt.Sprintf("%d.%d.%d", v/1000, v/100%10, v%100)
}
