package pages

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapbench/snapbench/bounds"
)

// file writes a parquet file of rows that the column text holds in the encoding.
func file(t testing.TB, texts []string, e encoding.Encoding, c compress.Codec, version int) []byte {
	t.Helper()
	schema := parquet.NewSchema("s", parquet.Group{
		"text": parquet.Compressed(parquet.Encoded(parquet.String(), e), c),
		"list": parquet.List(parquet.String()),
		"size": parquet.Optional(parquet.Int(64)),
	})
	var b bytes.Buffer
	w := parquet.NewWriter(&b, schema, parquet.DataPageVersion(version), parquet.SkipPageBounds("text"), parquet.DataPageStatistics(false))
	for i, text := range texts {
		row := map[string]any{"text": text, "list": []string{"a", "b"}}
		if i%2 == 0 {
			row["size"] = int64(i)
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read opens a file as its readers do and returns the bytes of the column text.
func read(b []byte) (n int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("panic")
		}
	}()
	f, err := Open(bytes.NewReader(b), int64(len(b)), bounds.Unpacking(int64(len(b))))
	if err != nil {
		return 0, err
	}
	leaf, ok := f.Schema().Lookup("text")
	if !ok {
		return 0, errors.New("no column text")
	}
	buf := make([]parquet.Row, 4)
	for _, g := range f.RowGroups() {
		rows := g.Rows()
		for {
			got, err := rows.ReadRows(buf)
			for _, row := range buf[:got] {
				for _, v := range row {
					if v.Column() == leaf.ColumnIndex {
						n += len(v.ByteArray())
					}
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || got == 0 {
				return n, errors.Join(err, errors.New("no rows"), rows.Close())
			}
		}
		if err := rows.Close(); err != nil {
			return n, err
		}
	}
	return n, nil
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

var (
	codecs    = []compress.Codec{&parquet.Uncompressed, &parquet.Snappy, &parquet.Gzip, &parquet.Brotli, &parquet.Zstd}
	encodings = []encoding.Encoding{&parquet.Plain, &parquet.RLEDictionary, &parquet.DeltaLengthByteArray, &parquet.DeltaByteArray}
)

// Every codec, encoding and version of a page that the library writes is read.
func TestOpen(t *testing.T) {
	var all []string
	want := 0
	for i := range 300 {
		all = append(all, strings.Repeat("prose ", i%7)+string(rune('a'+i%26)))
		want += len(all[i])
	}
	for _, c := range codecs {
		for _, e := range encodings {
			for version := 1; version <= 2; version++ {
				if got, err := read(file(t, all, e, c, version)); err != nil || got != want {
					t.Errorf("%s, %s, version %d: %d bytes, %v, want %d", c, e, version, got, err, want)
				}
			}
		}
	}
	if _, err := read(file(t, all, &parquet.Plain, &parquet.Lz4Raw, 1)); err == nil || !strings.HasPrefix(err.Error(), `column "text" is compressed with LZ4_RAW: have `) {
		t.Errorf("LZ4: %v", err)
	}
	if got, err := read(file(t, nil, &parquet.Plain, &parquet.Zstd, 1)); err != nil || got != 0 {
		t.Errorf("no rows: %d, %v", got, err)
	}
}

// A small file that unpacks to much is refused before it does.
func TestOpenBombs(t *testing.T) {
	long := strings.Repeat("a", 1<<20)
	var same []string
	for range 100 {
		same = append(same, long)
	}
	for _, c := range []compress.Codec{&parquet.Gzip, &parquet.Brotli, &parquet.Zstd} {
		b := file(t, same, &parquet.Plain, c, 1)
		n := allocated(func() {
			_, err := read(b)
			var over *bounds.UnpackedError
			if !errors.As(err, &over) || over.Size != int64(len(b)) {
				t.Errorf("%s: %v", c, err)
			}
		})
		if n > 300<<20 {
			t.Errorf("%s: %d bytes take %d MB", c, len(b), n>>20)
		}
	}
	// Each text is the beginning of the one before: few bytes in any codec.
	b := file(t, same, &parquet.DeltaByteArray, &parquet.Zstd, 1)
	n := allocated(func() {
		_, err := read(b)
		var over *bounds.UnpackedError
		if !errors.As(err, &over) {
			t.Errorf("prefixes: %v", err)
		}
	})
	if n > 64<<20 {
		t.Errorf("prefixes: %d bytes take %d MB", len(b), n>>20)
	}
}

// One flipped bit costs little memory, wherever it is.
func TestOpenFlippedBits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var all []string
	for range 50 {
		text := make([]byte, 200)
		for k := range text {
			text[k] = "abcdefgh    "[rng.IntN(12)]
		}
		all = append(all, string(text))
	}
	for _, c := range codecs {
		for _, e := range encodings {
			whole := file(t, all, e, c, 1+rng.IntN(2))
			for range 150 {
				b := bytes.Clone(whole)
				bit := rng.IntN(8 * len(b))
				b[bit/8] ^= 1 << (bit % 8)
				var err error
				if n := allocated(func() { _, err = read(b) }); n > 140<<20 {
					t.Errorf("%s, %s, bit %d: %d MB for a file of %d bytes (%v)", c, e, bit, n>>20, len(b), err)
				}
			}
		}
	}
}

func TestStructure(t *testing.T) {
	varint := func(n uint64) []byte { return binary.AppendUvarint(nil, n) }
	list := func(kind byte, n uint64) []byte { return append([]byte{0x19, 0xf0 | kind}, varint(n)...) }
	for want, b := range map[string][]byte{
		errCut.Error():                  list(typeStruct, 1<<30),
		"a map":                         {0x1b, 0},
		"a field of type 14":            {0x1e},
		"structures more than 32 deep":  bytes.Repeat([]byte{0x1c}, 40),
		"lists more than 32 deep":       append([]byte{0x19}, bytes.Repeat([]byte{0x19}, 40)...),
		"field 0 after field 0":         {0x05, 0},
		"field 1 after field 1":         {0x15, 0, 0x05, 2},
		"a number of more than 64 bits": append([]byte{0x16}, bytes.Repeat([]byte{0xff}, 11)...),
	} {
		if _, err := readStructure(b); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%x: %v, want %q", b, err, want)
		}
	}
	// Field 2 is −3, field 5 a structure whose field 1 is 4 and 2 true.
	s, err := readStructure([]byte{0x25, 5, 0x3c, 0x15, 8, 0x11, 0, 0, 9})
	if err != nil || s.at != 8 || s.fields[field{0, 2}] != -3 || s.fields[field{5, 1}] != 4 || s.fields[field{5, 2}] != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	// What a list's elements are charged is what they take.
	for _, size := range []uintptr{unsafe.Sizeof(format.RowGroup{}), unsafe.Sizeof(format.ColumnChunk{}), unsafe.Sizeof(format.SchemaElement{}), unsafe.Sizeof(format.PageHeader{})} {
		if size > structBytes {
			t.Errorf("a structure of %d bytes", size)
		}
	}
}

func TestRuns(t *testing.T) {
	varint := func(n uint64) []byte { return binary.AppendUvarint(nil, n) }
	for _, c := range []struct {
		b      []byte
		width  uint
		values int64
		want   error
	}{
		{append(varint(100<<1), 3), 2, 100, nil},
		{append(varint(3<<1|1), 1, 2, 3), 1, 20, nil}, // filled up to whole groups
		{append(varint(1<<31), 3), 2, 100, errRuns},
		{varint(1<<40 | 1), 0, 100, errRuns},
		{varint(3<<1 | 1), 1, 24, errCut},
		{nil, 1, 0, nil},
	} {
		if err := runs(c.b, c.width, c.values); err != c.want {
			t.Errorf("%x, %d bits: %v, want %v", c.b, c.width, err, c.want)
		}
	}
	if runs(nil, 33, 1) == nil {
		t.Error("values of 33 bits")
	}
}

func TestDelta(t *testing.T) {
	numbers := []int32{7, 5, 3, 1, 2, 3, 4, 5, 1000000, -4}
	for len(numbers) < 500 {
		numbers = append(numbers, numbers[len(numbers)-10]*3)
	}
	b, err := parquet.DeltaBinaryPacked.EncodeInt32(nil, numbers)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := delta(append(b, 1, 2, 3), 500); err != nil || n != len(b) {
		t.Errorf("%d of %d bytes, %v", n, len(b), err)
	}
	if _, err := delta(b, 499); err == nil {
		t.Error("more differences than values")
	}
	for i := range b {
		if n, err := delta(b[:i], 500); err == nil && n > i {
			t.Errorf("cut to %d bytes, it has %d", i, n)
		}
	}
}

// FuzzOpen reads damaged files: whatever they are, they take little memory.
func FuzzOpen(f *testing.F) {
	for _, c := range codecs {
		for _, e := range encodings {
			for version := 1; version <= 2; version++ {
				f.Add(file(f, []string{"a", "ab", "abc", "b"}, e, c, version))
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var err error
		if n := allocated(func() { _, err = read(b) }); n > 512<<20 {
			t.Fatalf("%d MB for a file of %d bytes (%v)", n>>20, len(b), err)
		}
	})
}
