package plots

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/results"
)

// formats are the kinds of files that figures can be written as.
var formats = []struct {
	name  string
	bytes func(Figure) []byte
}{{"png", Figure.PNG}, {"svg", Figure.SVG}, {"pdf", Figure.PDF}}

// Formats lists the names of the formats.
func Formats() []string {
	var names []string
	for _, f := range formats {
		names = append(names, f.name)
	}
	return names
}

// Output says how figures are written: as which files, and in which look. The zero value is PNG and SVG in the usual
// look.
type Output struct {
	Look    Look
	Formats []string
}

// Check returns an error for an output that cannot be made.
func (o Output) Check() error {
	for _, name := range o.Formats {
		if !slices.Contains(Formats(), name) {
			return lookup.Unknown("format", name, Formats()...)
		}
	}
	return o.Look.Check()
}

// Write writes every figure into a folder as NAME.FORMAT and returns the paths.
func (o Output) Write(dir string, figures []Figure) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	want := o.Formats
	if len(want) == 0 {
		want = []string{"png", "svg"}
	}
	var paths []string
	for _, f := range figures {
		f = f.With(o.Look)
		for _, format := range formats {
			if !slices.Contains(want, format.name) {
				continue
			}
			path := filepath.Join(dir, f.Name+"."+format.name)
			if err := results.WriteBytes(path, format.bytes(f)); err != nil {
				return paths, err
			}
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// Write writes every figure into a folder as NAME.png and NAME.svg and returns the paths.
func Write(dir string, figures []Figure) ([]string, error) { return Output{}.Write(dir, figures) }
