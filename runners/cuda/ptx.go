package cuda

import (
	"embed"
	"strings"
)

//go:generate kernels/build.sh

//go:embed kernels/*.ptx
var ptx embed.FS

// source returns the PTX of a file in kernels/ for a card: on compute capability 9.0 and
// later the instructions of programmatic dependent launch, comments until then, come into
// force (kernels/device.h).
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
