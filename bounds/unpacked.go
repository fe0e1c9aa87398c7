// Package bounds limits what is read: the size that a packed file may unpack to, the length
// of a line, the depth of a YAML text. Everything that reads files from elsewhere uses it, so
// that no file can exhaust the memory.
package bounds

import (
	"fmt"
	"io"
	"sync/atomic"
)

// Where no size is set, a packed file may unpack to unpackedTimes its size, but always to
// freeUnpacked bytes and never to more than maxUnpacked. Prose packs to a third or a quarter,
// repetitive text to a fiftieth; the largest LongBench set has 0.2 GB.
const (
	freeUnpacked  = 64 << 20
	unpackedTimes = 100
	maxUnpacked   = 1 << 30
)

// The memory that a row and a text take at most, besides their bytes.
const (
	rowBytes  = 512
	textBytes = 32
)

// UnpackedFlag is the flag of the program that sets one size in place of these limits.
const UnpackedFlag = "--max-unpacked"

// unpacked is the size that was set, 0 where none was.
var unpacked atomic.Int64

// SetUnpacked lets every file that is read from now on unpack to n bytes, whatever its own
// size; 0 restores the package's limits.
func SetUnpacked(n int64) { unpacked.Store(n) }

// Unpacked is the most bytes that a file of the given size may unpack to.
func Unpacked(size int64) int64 {
	if n := unpacked.Load(); n > 0 {
		return n
	}
	if size > maxUnpacked/unpackedTimes {
		return maxUnpacked
	}
	return max(freeUnpacked, unpackedTimes*size)
}

// Budget is what one file may still unpack to. It is not for concurrent use.
type Budget struct {
	size, limit, used int64
}

// Unpacking returns the budget of a file of size bytes.
func Unpacking(size int64) *Budget { return &Budget{size: size, limit: Unpacked(size)} }

// Take takes n >= 0 bytes from the budget. It is called before they are allocated. Its error,
// an [*UnpackedError], does not name the file.
func (b *Budget) Take(n int64) error {
	if err := b.Fits(n); err != nil {
		return err
	}
	b.used += n
	return nil
}

// Fits returns the error that Take would, and takes nothing.
func (b *Budget) Fits(n int64) error {
	if n < 0 || n > b.limit-b.used {
		return &UnpackedError{b.size, b.limit}
	}
	return nil
}

// TakeRow takes the memory that a row costs besides its text, where its lists have so many
// texts. For rows of a few bytes it is most of what they cost.
func (b *Budget) TakeRow(texts int) error { return b.Take(rowBytes + textBytes*int64(texts)) }

// Reader returns a reader of r that takes what is read from the budget, and fails with an
// [*UnpackedError] where that is used up.
func (b *Budget) Reader(r io.Reader) io.Reader { return &budgetReader{r, b} }

type budgetReader struct {
	r io.Reader
	b *Budget
}

func (r *budgetReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if over := r.b.Take(int64(n)); over != nil {
		return 0, over
	}
	return n, err
}

// UnpackedError says that a file would unpack to more than it may.
type UnpackedError struct {
	Size  int64 // of the file as stored, in bytes
	Limit int64 // what it may unpack to, in bytes
}

func (e *UnpackedError) Error() string {
	return fmt.Sprintf("its %d bytes unpack to more than %d, the most for a file of that size: where that is meant, allow more with %s, such as %s %dGiB",
		e.Size, e.Limit, UnpackedFlag, UnpackedFlag, 4*(e.Limit/maxUnpacked+1))
}
