package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// runSlack is how many values more than its header says a page's runs may hold:
// the last run is filled up, by some writers to a whole group of groups.
const runSlack = 512

// plainDictionary is how old files name the encoding RLEDictionary.
const plainDictionary format.Encoding = 2

// errRuns says that few bytes stand for many values.
var errRuns = errors.New("its runs hold more values than the page's header says")

// runs walks runs and bit-packed groups of values of width bits, as levels and
// places in a dictionary are stored, and holds their number against values.
func runs(b []byte, width uint, values int64) error {
	if width > 32 {
		return fmt.Errorf("values of %d bits", width)
	}
	var have uint64
	for len(b) > 0 {
		head, n := binary.Uvarint(b)
		if n <= 0 {
			return errCut
		}
		b = b[n:]
		count, size := head>>1, uint64(width+7)/8
		if head&1 != 0 {
			if count > 1<<32 {
				return errRuns
			}
			size = count * uint64(width)
			count *= 8
		}
		if count > uint64(values)+runSlack {
			return errRuns
		}
		if have += count; have > uint64(values)+runSlack {
			return errRuns
		}
		if count > 0 || head&1 != 0 {
			if size > uint64(len(b)) {
				return errCut
			}
			b = b[size:]
		}
	}
	return nil
}

// levels walks the levels at the beginning of b, which run up to top, and returns
// what follows. Their length comes before them, or, in pages of the second
// version, from the header as length >= 0.
func levels(b []byte, top int, values, length int64, encoding int64) ([]byte, error) {
	if length < 0 {
		if top == 0 {
			return b, nil
		}
		if len(b) < 4 {
			return nil, errCut
		}
		length, b = int64(binary.LittleEndian.Uint32(b)), b[4:]
	}
	if length > int64(len(b)) {
		return nil, errCut
	}
	var err error
	switch format.Encoding(encoding) {
	case format.RLE:
		if top > 0 {
			err = runs(b[:length], uint(bits.Len(uint(top))), values)
		}
	case format.BitPacked: // eight levels a byte at most
	default:
		err = fmt.Errorf("levels in encoding %s", format.Encoding(encoding))
	}
	return b[length:], err
}

// delta walks numbers that are stored as differences, from the beginning of b, and
// returns the bytes they take. There may be as many as values.
func delta(b []byte, values int64) (int, error) {
	at := 0
	next := func() (uint64, error) {
		v, n := binary.Uvarint(b[at:])
		if n <= 0 {
			return 0, errCut
		}
		at += n
		return v, nil
	}
	var head [4]uint64 // values of a block, its parts, values in all, the first value
	for i := range head {
		var err error
		if head[i], err = next(); err != nil {
			return 0, err
		}
	}
	block, parts, left := head[0], head[1], head[2]
	if block == 0 || block > 1<<20 || parts == 0 || parts > block || block%parts != 0 {
		return 0, fmt.Errorf("blocks of %d differences in %d parts", block, parts)
	}
	if left > uint64(values) {
		return 0, fmt.Errorf("%d differences for %d values", left, values)
	}
	if left > 0 {
		left--
	}
	for left > 0 {
		if _, err := next(); err != nil { // the smallest difference
			return 0, err
		}
		if uint64(len(b)-at) < parts {
			return 0, errCut
		}
		widths := b[at : at+int(parts)]
		at += int(parts)
		for _, w := range widths {
			if left == 0 {
				break
			}
			if w > 64 {
				return 0, fmt.Errorf("differences of %d bits", w)
			}
			at = min(len(b), at+int(block/parts*uint64(w)/8)) // the last part may be cut
			left -= min(left, block/parts)
		}
	}
	return at, nil
}

// values holds a page's values, without their levels, against their number. It
// returns what they unpack to beyond the bytes that are there.
func values(b []byte, encoding format.Encoding, kind parquet.Kind, n int64) (int64, error) {
	switch encoding {
	case format.Plain, format.ByteStreamSplit:
		return 0, nil
	case plainDictionary, format.RLEDictionary:
		if len(b) == 0 {
			return 0, nil
		}
		return 0, runs(b[1:], uint(b[0]), n)
	case format.RLE: // of truth values
		if kind != parquet.Boolean {
			break
		}
		if len(b) < 4 || int64(binary.LittleEndian.Uint32(b)) > int64(len(b)-4) {
			return 0, errCut
		}
		return 0, runs(b[4:4+binary.LittleEndian.Uint32(b)], 1, n)
	case format.DeltaBinaryPacked, format.DeltaLengthByteArray:
		if len(b) == 0 {
			return 0, nil
		}
		_, err := delta(b, n)
		return 0, err
	case format.DeltaByteArray:
		if len(b) == 0 {
			return 0, nil
		}
		prefixes, err := delta(b, n)
		if err != nil {
			return 0, err
		}
		if _, err := delta(b[prefixes:], n); err != nil {
			return 0, err
		}
		// Each value repeats the beginning of the one before it.
		lengths, err := parquet.DeltaBinaryPacked.DecodeInt32(nil, b[:prefixes])
		if err != nil {
			return 0, err
		}
		var sum int64
		for _, l := range lengths {
			sum += max(0, int64(l))
		}
		return sum, nil
	}
	return 0, fmt.Errorf("values of type %s in encoding %s", kind, encoding)
}
