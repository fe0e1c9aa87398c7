package gate

import (
	"io"
	"os"
)

// SaveJUnit writes the verdict to a file as JUnit XML.
func (g *Result) SaveJUnit(path string) error {
	return save(path, os.O_TRUNC, g.WriteJUnit)
}

// AppendMarkdown adds the verdict to a file as Markdown: other steps of a CI job write to
// the same summary.
func (g *Result) AppendMarkdown(path string) error {
	return save(path, os.O_APPEND, func(w io.Writer) error {
		_, err := io.WriteString(w, g.Markdown())
		return err
	})
}

func save(path string, how int, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|how, 0o644)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
