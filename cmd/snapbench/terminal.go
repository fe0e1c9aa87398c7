package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/snapbench/snapbench/results"
)

// screen writes standard output or error as every command uses them. Characters that would
// control a terminal are written as visible text: a model's name, a row from elsewhere or a
// server's answer may hold some. JSON keeps its meaning.
type screen struct {
	w    io.Writer
	mu   sync.Mutex
	part []byte // of a character whose other bytes are not written yet
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := append(s.part, p...)
	whole := len(text)
	for i := max(0, whole-utf8.UTFMax+1); i < len(text); i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			whole = i
			break
		}
	}
	s.part = append([]byte(nil), text[whole:]...)
	if _, err := io.WriteString(s.w, results.VisibleLines(string(text[:whole]))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// close writes what there is of a character that was never completed.
func (s *screen) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := io.WriteString(s.w, results.VisibleLines(string(s.part)))
	s.part = nil
	return err
}

// bare returns the writer behind a screen, for text that is safe already. That of
// results.Grid is, and has control characters of its own, for bold face.
func bare(w io.Writer) io.Writer {
	if s, ok := w.(*screen); ok {
		return s.w
	}
	return w
}

// exact returns the writer for data that must arrive byte for byte: bare(w), unless that is a
// terminal.
func exact(w io.Writer) io.Writer {
	if _, ok := asTerminal(w); ok {
		return w
	}
	return bare(w)
}

// asTerminal returns the terminal that w writes to.
func asTerminal(w io.Writer) (*os.File, bool) {
	f, ok := bare(w).(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// terminalWidth is the number of columns of the terminal that w writes to, and 100 where it is
// none.
func terminalWidth(w io.Writer) int {
	if f, ok := asTerminal(w); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 20 {
			return width
		}
	}
	return 100
}

// printTables prints the tables of results, fitted to the width of the terminal.
func printTables(w io.Writer, set results.Set) error {
	title := ""
	for _, s := range results.Sections(set) {
		if s.Grid.Title != title && s.Grid.Title != "" {
			title = s.Grid.Title
			fmt.Fprintf(w, "%s\n\n", title)
		}
		if _, err := fmt.Fprintf(bare(w), "%s\n%s\n", s.Heading, s.Grid.Text(terminalWidth(w))); err != nil {
			return err
		}
	}
	return nil
}
