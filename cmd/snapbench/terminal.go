package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/snapbench/snapbench/results"
)

// terminalWidth is the number of columns of a terminal, and 100 where w is none.
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
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
		if _, err := fmt.Fprintf(w, "%s\n%s\n", s.Heading, s.Grid.Text(terminalWidth(w))); err != nil {
			return err
		}
	}
	return nil
}
