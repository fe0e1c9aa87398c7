// Package console is what commands write to: a screen on which nothing that they print can
// control the terminal, and the progress of a run.
package console

import (
	"io"
	"os"
	"strconv"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/snapbench/snapbench/results"
)

// Screen writes standard output or error as every command uses them. Characters that would
// control a terminal are written as visible text: a model's name, a row from elsewhere or a
// server's answer may hold some. JSON keeps its meaning.
type Screen struct {
	w    io.Writer
	mu   sync.Mutex
	part []byte // of a character whose other bytes are not written yet
}

// NewScreen returns a screen that writes to w.
func NewScreen(w io.Writer) *Screen { return &Screen{w: w} }

// Write writes text. Bytes of a character that is not complete wait for the others.
func (s *Screen) Write(p []byte) (int, error) {
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

// Close writes what there is of a character that was never completed.
func (s *Screen) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := io.WriteString(s.w, results.VisibleLines(string(s.part)))
	s.part = nil
	return err
}

// Bare returns the writer behind a screen, for text that is safe already. That of
// results.Grid is, and has control characters of its own, for bold face.
func Bare(w io.Writer) io.Writer {
	if s, ok := w.(*Screen); ok {
		return s.w
	}
	return w
}

// Exact returns the writer for data that must arrive byte for byte: Bare(w), unless that is a
// terminal.
func Exact(w io.Writer) io.Writer {
	if _, ok := terminal(w); ok {
		return w
	}
	return Bare(w)
}

// terminal returns the terminal that w writes to.
func terminal(w io.Writer) (*os.File, bool) {
	f, ok := Bare(w).(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// Width is the number of columns that tables for w may have: COLUMNS of the environment where that is a number of 20 or
// more, else those of the terminal that w writes to, and 100 where it is none.
func Width(w io.Writer) int {
	if width, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && width >= 20 {
		return width
	}
	if f, ok := terminal(w); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width >= 20 {
			return width
		}
	}
	return 100
}
