package datasets

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/bounds/pages"
)

// parquetRows reads a set's rows from a parquet file, by the position of the columns in its
// schema. The library's reading into Go structs would return a list empty where it is named
// list.item, as old versions of pyarrow do, and not list.element.
func parquetRows(file string, r io.ReaderAt, size int64, budget *bounds.Budget, row func(line int, row longbenchRow) error) error {
	var columns parquetSchema
	return eachParquetRow(file, r, size, budget, func(s *parquet.Schema) (err error) {
		columns, err = parquetColumns(s)
		return err
	}, func(n int, values parquet.Row) error {
		parsed, err := columns.row(values, budget)
		if err != nil {
			return err
		}
		return row(n, parsed)
	})
}

// eachParquetRow calls row for the values of every row of a parquet file, after schema for what its columns
// are. Errors name the file and, where there is one, the row.
func eachParquetRow(file string, r io.ReaderAt, size int64, budget *bounds.Budget, schema func(*parquet.Schema) error, row func(n int, values parquet.Row) error) (err error) {
	defer func() { // the library panics on some damaged files
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: damaged parquet file: %v", file, p)
		}
	}()
	f, err := pages.Open(r, size, budget)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := schema(f.Schema()); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	n := 0
	buf := make([]parquet.Row, 16)
	for _, group := range f.RowGroups() {
		if group.NumRows() == 0 { // as in an empty table: the library would fail to find pages
			continue
		}
		rows := group.Rows()
		for {
			got, err := rows.ReadRows(buf)
			for _, values := range buf[:got] {
				n++
				if err := row(n, values); err != nil {
					return errors.Join(&RowError{file, n, err.Error()}, rows.Close())
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return errors.Join(fmt.Errorf("%s: after row %d: %w", file, n, err), rows.Close())
			}
			if got == 0 {
				return errors.Join(fmt.Errorf("%s: after row %d: no rows and no end", file, n), rows.Close())
			}
		}
		if err := rows.Close(); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if int64(n) != f.NumRows() {
		return fmt.Errorf("%s: %d rows, its footer says %d", file, n, f.NumRows())
	}
	return nil
}

// parquetColumn is the column of a field.
type parquetColumn struct {
	name     string
	list     bool
	nullable bool // null is a value, not an error
	text     bool
	none     bool // the column's type holds nothing but null
	leaf     parquet.LeafColumn
}

type parquetSchema []parquetColumn

// parquetColumns finds the columns of the schema's fields in a file and checks their types.
func parquetColumns(s *parquet.Schema) (parquetSchema, error) {
	columns := parquetSchema{
		{name: "input", text: true}, {name: "context", text: true}, {name: "answers", text: true, list: true},
		{name: "length"}, {name: "dataset", text: true}, {name: "language", text: true},
		{name: "all_classes", text: true, list: true, nullable: true}, {name: "_id", text: true, nullable: true},
	}
	var have []string
	for _, field := range s.Fields() {
		have = append(have, field.Name())
	}
	for i := range columns {
		c := &columns[i]
		found := 0
		for _, path := range s.Columns() {
			if path[0] == c.name {
				found++
				c.leaf, _ = s.Lookup(path...)
			}
		}
		if found == 0 {
			return nil, fmt.Errorf("column %q is missing: have %s", c.name, strings.Join(have, ", "))
		}
		kind := c.leaf.Node.Type()
		null, utf8 := logicalType(kind)
		switch {
		case found > 1:
			return nil, fmt.Errorf("column %q: want %s, is a group of %d columns", c.name, c.want(), found)
		case c.nullable && null:
			c.none = true
			continue
		case c.list != (c.leaf.MaxRepetitionLevel == 1) || c.leaf.MaxRepetitionLevel > 1:
			return nil, fmt.Errorf("column %q: want %s, is %s in lists %d deep", c.name, c.want(), kind, c.leaf.MaxRepetitionLevel)
		case c.text && (kind.Kind() != parquet.ByteArray || !utf8):
			return nil, fmt.Errorf("column %q: want %s, is %s", c.name, c.want(), kind)
		case !c.text && kind.Kind() != parquet.Int64 && kind.Kind() != parquet.Int32:
			return nil, fmt.Errorf("column %q: want %s, is %s", c.name, c.want(), kind)
		case !c.list && len(c.leaf.Path) > 1:
			return nil, fmt.Errorf("column %q: want %s, is a group", c.name, c.want())
		}
	}
	return columns, nil
}

// logicalType says whether a column's type is the one for nulls alone, and whether it is
// text.
func logicalType(t parquet.Type) (null, utf8 bool) {
	if logical := t.LogicalType(); logical != nil {
		_, null = logical.Value.(*format.NullType)
		_, utf8 = logical.Value.(*format.StringType)
	}
	return null, utf8
}

func (c *parquetColumn) want() string {
	switch {
	case c.list:
		return "a list of strings"
	case c.text:
		return "a string"
	}
	return "a whole number"
}

// row makes a row of its values.
func (s parquetSchema) row(values parquet.Row, budget *bounds.Budget) (row longbenchRow, err error) {
	for i := range s {
		c := &s[i]
		var list []string
		var number int64
		null := true // the field itself is, which an empty list is not
		for _, v := range values {
			if v.Column() != c.leaf.ColumnIndex || c.none {
				continue
			}
			if v.DefinitionLevel() < c.leaf.MaxDefinitionLevel {
				// Level 0 is a null at the top; in between, an empty list or
				// an element that is null.
				if v.DefinitionLevel() > 0 {
					null = false
					if c.list && v.DefinitionLevel() == c.leaf.MaxDefinitionLevel-1 && c.leaf.Node.Optional() {
						return row, fmt.Errorf("field %q: element %d: want a string, got null", c.name, len(list)+1)
					}
				} else if c.list && !s.optional(c) {
					null = false // an empty list that may not be null
				}
				continue
			}
			null = false
			if !c.text {
				if number = v.Int64(); c.leaf.Node.Type().Kind() == parquet.Int32 {
					number = int64(v.Int32())
				}
				continue
			}
			b := v.ByteArray()
			if !utf8.Valid(b) {
				return row, fmt.Errorf("field %q: invalid UTF-8 at byte %d", c.name, invalidUTF8(b))
			}
			if err := budget.Take(int64(len(b))); err != nil { // many rows may share a text of the dictionary
				return row, err
			}
			list = append(list, string(b))
		}
		if null && !c.nullable {
			return row, fmt.Errorf("field %q: want %s, got null", c.name, c.want())
		}
		text := strings.Join(list, "")
		switch c.name {
		case "input":
			row.input = text
		case "context":
			row.context = text
		case "answers":
			row.answers = list
		case "length":
			if number < 0 {
				return row, fmt.Errorf("field %q: want a whole number from 0, got %d", c.name, number)
			}
			row.length = int(number)
		case "dataset":
			row.dataset = text
		case "language":
			row.language = text
		case "all_classes":
			row.classes = list
		case "_id":
			if row.id = text; !null && text == "" {
				return row, errors.New(`field "_id" is empty`)
			}
		}
	}
	return row, nil
}

// optional says whether a list itself may be null. Then it has a level of its own, besides
// those of its elements.
func (s parquetSchema) optional(c *parquetColumn) bool {
	levels := 1 // of the repetition
	if c.leaf.Node.Optional() {
		levels++
	}
	return c.leaf.MaxDefinitionLevel > levels
}
