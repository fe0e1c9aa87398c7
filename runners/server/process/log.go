package process

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// log is the file of what a server prints, appended to by one start after the other.
type log struct {
	path  string
	file  *os.File
	start int64 // of what this server printed
}

func openLog(path, command string) (*log, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("the server's log: %w", err)
	}
	fmt.Fprintf(f, "# %s: %s\n", time.Now().UTC().Format(time.RFC3339), command)
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("the server's log: %w", err)
	}
	return &log{path, f, info.Size()}, nil
}

// The end of a log that an error quotes: room for a line of why, and what led there.
const (
	endBytes = 2000
	endLines = 12
)

// end is the last lines that the server printed.
func (l *log) end() string {
	f, err := os.Open(l.path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err.Error()
	}
	from := max(l.start, info.Size()-endBytes)
	text, err := io.ReadAll(io.NewSectionReader(f, from, endBytes))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(strings.ToValidUTF8(string(text), "\uFFFD")), "\n")
	if from > l.start && len(lines) > 1 {
		lines = lines[1:] // cut
	}
	lines = lines[max(0, len(lines)-endLines):]
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], "\r ")
	}
	if end := strings.Join(lines, "\n"); end != "" {
		return end
	}
	return "(nothing was printed)"
}
