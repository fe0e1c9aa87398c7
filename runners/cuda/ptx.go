package cuda

import (
	"compress/gzip"
	"embed"
	"io"
	"io/fs"
	"strings"
)

//go:generate kernels/build.sh

// PTX is long, and packed a tenth of itself.
//
//go:embed kernels/*.ptx.gz
var embedded embed.FS

// ptx is what kernels are read from: embedded, and what a test puts over it.
var ptx fs.FS = embedded

// source returns the PTX of a file in kernels/ for a card: on compute capability 9.0 and
// later the instructions of programmatic dependent launch, comments until then, come into
// force (kernels/device.h).
func source(file string, major int) (string, error) {
	text, err := unpacked(file)
	if err != nil {
		return "", err
	}
	if major >= 9 {
		text = strings.Replace(text, "\n.target sm_80\n", "\n.target sm_90\n", 1)
		text = strings.ReplaceAll(text, "//sm_90 ", "")
	}
	return text, nil
}

func unpacked(file string) (string, error) {
	f, err := ptx.Open("kernels/" + file + ".ptx.gz")
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(z)
	return string(text), err
}
