package pages

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// unpacker unpacks pages, each into no more bytes than its header says. The
// library's own codecs go on for as long as the packed bytes do.
type unpacker struct {
	buf  []byte
	zstd *zstd.Decoder
}

var errLarger = errors.New("the page unpacks to more than its header says")

// unpack returns what src unpacks to, at most size bytes, until the next call.
func (u *unpacker) unpack(codec format.CompressionCodec, src []byte, size int) ([]byte, error) {
	if codec == format.Uncompressed {
		return src, nil
	}
	if cap(u.buf) < size {
		u.buf = make([]byte, size)
	}
	dst := u.buf[:size:size]
	switch codec {
	case format.Snappy:
		n, err := snappy.DecodedLen(src)
		if err != nil {
			return nil, err
		}
		if n > size {
			return nil, errLarger
		}
		return snappy.Decode(dst, src)
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(src))
		if err != nil {
			return nil, err
		}
		return readAll(z, dst)
	case format.Brotli:
		return readAll(brotli.NewReader(bytes.NewReader(src)), dst)
	case format.Zstd:
		if u.zstd == nil {
			var err error
			if u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true)); err != nil {
				return nil, err
			}
		}
		out, err := u.zstd.DecodeAll(src, dst[:0])
		if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
			err = errLarger
		}
		return out, err
	}
	return nil, checkCodec(codec)
}

// checkCodec refuses a codec that is not read. LZ4 is not: where the library has
// to make its buffer larger it goes on with the smaller one, full of zeros, and
// on damaged data it makes it larger for ever.
func checkCodec(codec format.CompressionCodec) error {
	switch codec {
	case format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd:
		return nil
	}
	return fmt.Errorf("compressed with %s: have none, snappy, gzip, brotli, zstd", codec)
}

// readAll fills dst from r, which must end there or before.
func readAll(r io.Reader, dst []byte) ([]byte, error) {
	n, err := io.ReadFull(r, dst)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		// Shorter than dst or cut off: the library, which reads it again, tells
		// the two apart.
		return dst[:n], nil
	}
	if err != nil {
		return nil, err
	}
	var more [1]byte
	switch n, err := io.ReadFull(r, more[:]); {
	case n > 0:
		return nil, errLarger
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return dst, nil
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
	}
}
