package bounds

import (
	"bufio"
	"errors"
	"fmt"
)

// MaxLine is the longest line in bytes that is read from a file of lines. A prompt of ten
// million tokens is shorter.
const MaxLine = 64 << 20

// ErrLongLine says that a line is longer than [MaxLine].
var ErrLongLine = fmt.Errorf("the line is longer than %d MiB, the most that is read", MaxLine>>20)

// ReadLine reads up to and including the next newline, as [bufio.Reader.ReadBytes]
// does: at the end of the input it returns what is left with [io.EOF]. For a line longer than
// [MaxLine] it returns only [ErrLongLine].
func ReadLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > MaxLine {
			return nil, ErrLongLine
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
