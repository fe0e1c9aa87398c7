// Package pages opens parquet files of others. Before the library decodes
// anything, every length and count in the footer and in the pages' headers is held
// against the bytes that are there and against what the file may unpack to: the
// library allocates what they claim.
package pages

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapbench/snapbench/bounds"
)

// What a value takes in memory besides its bytes, at most: one of a list waits for
// its row to be whole.
const (
	flatBytes = 16
	listBytes = 64
)

// Open opens a parquet file of size bytes and checks all its pages. What the file
// unpacks to is taken off the budget; the caller takes what it makes of it. Errors
// do not name the file.
func Open(r io.ReaderAt, size int64, budget *bounds.Budget) (f *parquet.File, err error) {
	defer func() { // damaged files reach deep into the library
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("damaged parquet file: %v", p)
		}
	}()
	if err := checkFooter(r, size, budget); err != nil {
		return nil, err
	}
	f, err = parquet.OpenFile(r, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, fmt.Errorf("damaged parquet file: %w", err)
	}
	leaves := columns(f.Root())
	c := checker{r: r, size: size, budget: budget}
	defer c.unpacker.close()
	for i, g := range f.Metadata().RowGroups {
		if len(g.Columns) != len(leaves) {
			return nil, fmt.Errorf("damaged parquet file: group %d has %d columns, the schema %d", i, len(g.Columns), len(leaves))
		}
		for k := range g.Columns {
			name := strings.Join(leaves[k].Path(), ".")
			if err := checkCodec(g.Columns[k].MetaData.Codec); err != nil {
				return nil, fmt.Errorf("column %q is %w", name, err)
			}
			if err := c.chunk(&g.Columns[k].MetaData, leaves[k]); err != nil {
				var over *bounds.UnpackedError
				if errors.As(err, &over) {
					return nil, over
				}
				return nil, fmt.Errorf("damaged parquet file: column %q: %w", name, err)
			}
		}
	}
	return f, nil
}

// columns are the leaves of a schema, in order.
func columns(c *parquet.Column) []*parquet.Column {
	if c.Leaf() {
		return []*parquet.Column{c}
	}
	var leaves []*parquet.Column
	for _, child := range c.Columns() {
		leaves = append(leaves, columns(child)...)
	}
	return leaves
}

// checkFooter holds the footer against the file.
func checkFooter(r io.ReaderAt, size int64, budget *bounds.Budget) error {
	if size < 12 {
		return fmt.Errorf("not a parquet file: %d bytes", size)
	}
	var head [4]byte
	var end [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return err
	}
	if _, err := r.ReadAt(end[:], size-8); err != nil {
		return err
	}
	if string(head[:]) != "PAR1" {
		return errors.New("not a parquet file: it does not begin with PAR1")
	}
	if string(end[4:]) != "PAR1" {
		return errors.New("the parquet file is cut off: it does not end with PAR1")
	}
	n := int64(binary.LittleEndian.Uint32(end[:]))
	if n > size-12 {
		return fmt.Errorf("not a parquet file, or a damaged one: a footer of %d bytes in a file of %d", n, size)
	}
	if err := budget.Take(2 * n); err != nil { // the library copies it
		return err
	}
	footer := make([]byte, n)
	if _, err := r.ReadAt(footer, size-8-n); err != nil {
		return err
	}
	s, err := readStructure(footer)
	if err != nil {
		return fmt.Errorf("damaged parquet file: footer: %w", err)
	}
	return budget.Take(s.cost)
}

// checker reads every page of a file.
type checker struct {
	r        io.ReaderAt
	size     int64
	budget   *bounds.Budget
	unpacker unpacker
}

// chunk checks the pages of one column in one group of rows, where the library
// looks for them.
func (c *checker) chunk(m *format.ColumnMetaData, leaf *parquet.Column) error {
	from := m.DataPageOffset
	if m.DictionaryPageOffset != 0 {
		from = m.DictionaryPageOffset
	}
	if from < 0 || m.TotalCompressedSize < 0 || from > c.size || m.TotalCompressedSize > c.size-from || m.NumValues < 0 || m.NumValues > math.MaxInt32 {
		return fmt.Errorf("%d bytes at %d, %d values, in a file of %d bytes", m.TotalCompressedSize, from, m.NumValues, c.size)
	}
	if err := c.budget.Take(m.TotalCompressedSize); err != nil {
		return err
	}
	b := make([]byte, m.TotalCompressedSize)
	if _, err := c.r.ReadAt(b, from); err != nil && len(b) > 0 {
		return err
	}
	for n := 0; len(b) > 0; n++ {
		rest, err := c.page(b, m.Codec, leaf)
		if err != nil {
			return fmt.Errorf("page %d: %w", n, err)
		}
		b = rest
	}
	return nil
}

// page checks the page that b begins with and returns what follows it.
func (c *checker) page(b []byte, codec format.CompressionCodec, leaf *parquet.Column) ([]byte, error) {
	s, err := readStructure(b)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	get := func(outer, inner int16) int64 { return s.fields[field{outer, inner}] }
	packed, size := get(0, 3), get(0, 2)
	b = b[s.at:]
	if packed < 0 || packed > int64(len(b)) || size < 0 || size > math.MaxInt32 {
		return nil, fmt.Errorf("%d bytes, unpacked %d, where %d are left", packed, size, len(b))
	}
	body, rest := b[:packed], b[packed:]

	var n, encoding int64
	definition, repetition := int64(format.RLE), int64(format.RLE)
	definitionLength, repetitionLength := int64(-1), int64(-1)
	kind := format.PageType(get(0, 1))
	switch kind {
	case format.DataPage:
		n, encoding, definition, repetition = get(5, 1), get(5, 2), get(5, 3), get(5, 4)
	case format.DictionaryPage:
		n = get(7, 1)
	case format.DataPageV2:
		n, encoding, definitionLength, repetitionLength = get(8, 1), get(8, 4), get(8, 5), get(8, 6)
		if compressed, ok := s.fields[field{8, 7}]; ok && compressed == 0 {
			codec = format.Uncompressed
		}
		if definitionLength < 0 || repetitionLength < 0 {
			return nil, fmt.Errorf("levels of %d and %d bytes", repetitionLength, definitionLength)
		}
	default:
		return nil, fmt.Errorf("a page of type %s", kind)
	}
	each := int64(flatBytes)
	if leaf.MaxRepetitionLevel() > 0 {
		each = listBytes
	}
	if leaf.Type().Kind() == parquet.FixedLenByteArray {
		each += int64(max(0, leaf.Type().Length()))
	}
	if n < 0 || n > math.MaxInt32 || each > math.MaxInt32 {
		return nil, fmt.Errorf("%d values of %d bytes", n, each)
	}
	if err := c.budget.Take(s.cost + size + n*each); err != nil {
		return nil, err
	}

	if kind == format.DataPageV2 { // levels come before what is packed
		if body, err = levels(body, leaf.MaxRepetitionLevel(), n, repetitionLength, repetition); err != nil {
			return nil, fmt.Errorf("repetition levels: %w", err)
		}
		if body, err = levels(body, leaf.MaxDefinitionLevel(), n, definitionLength, definition); err != nil {
			return nil, fmt.Errorf("definition levels: %w", err)
		}
	}
	if body, err = c.unpacker.unpack(codec, body, int(size)); err != nil {
		return nil, err
	}
	switch kind {
	case format.DictionaryPage:
		return rest, nil
	case format.DataPage:
		if body, err = levels(body, leaf.MaxRepetitionLevel(), n, -1, repetition); err != nil {
			return nil, fmt.Errorf("repetition levels: %w", err)
		}
		if body, err = levels(body, leaf.MaxDefinitionLevel(), n, -1, definition); err != nil {
			return nil, fmt.Errorf("definition levels: %w", err)
		}
	}
	more, err := values(body, format.Encoding(encoding), leaf.Type().Kind(), n)
	if err != nil {
		return nil, err
	}
	return rest, c.budget.Take(more)
}
