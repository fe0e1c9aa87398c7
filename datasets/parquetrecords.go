package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"

	"github.com/snapbench/snapbench/bounds"
)

// parquetRecords calls row for every row of a parquet file, as the JSON object that a file of lines would
// have for it: lists, records and nulls nested in any way. Only the fields wanted are read.
func parquetRecords(file string, r io.ReaderAt, size int64, budget *bounds.Budget, wanted []string, row func(n int, fields map[string]json.RawMessage) error) error {
	var fields []*parquetField
	columns := 0
	return eachParquetRow(file, r, size, budget, func(s *parquet.Schema) error {
		columns = len(s.Columns())
		for _, f := range s.Fields() {
			at := 0
			if len(fields) > 0 {
				at = fields[len(fields)-1].end
			}
			field, err := newParquetField(f, at, 0, 0, slices.Contains(wanted, f.Name()))
			if err != nil {
				return fmt.Errorf("column %q: %w", f.Name(), err)
			}
			fields = append(fields, field)
		}
		return nil
	}, func(n int, values parquet.Row) error {
		a := parquetAssembly{columns: make([][]parquet.Value, columns), budget: budget}
		values.Range(func(column int, v []parquet.Value) bool {
			a.columns[column] = v
			return true
		})
		record := map[string]json.RawMessage{}
		for _, f := range fields {
			if !f.wanted {
				continue
			}
			v, err := a.value(f)
			if err == nil {
				record[f.name], err = json.Marshal(v)
			}
			if err != nil {
				return fmt.Errorf("field %q: %w", f.name, err)
			}
		}
		return row(n, record)
	})
}

// parquetField is a field of a schema. Its leaves are the columns first to end.
type parquetField struct {
	name               string
	wanted             bool
	optional, repeated bool
	list               bool // the wrapping of a list: its one child's values are its own
	repetition, define int  // levels at which it is repeated, and there
	first, end         int
	children           []*parquetField // none: a leaf
	kind               parquet.Kind
}

// newParquetField lays out a field whose first leaf is column first, under a parent of the given levels.
func newParquetField(f parquet.Field, first, repetition, define int, wanted bool) (*parquetField, error) {
	n := &parquetField{name: f.Name(), wanted: wanted, optional: f.Optional(), repeated: f.Repeated(), repetition: repetition, define: define, first: first}
	if n.repeated {
		n.repetition++
	}
	if n.repeated || n.optional {
		n.define++
	}
	if f.Leaf() {
		n.end, n.kind = first+1, f.Type().Kind()
		_, text := logicalType(f.Type())
		switch n.kind {
		case parquet.Boolean, parquet.Int32, parquet.Int64, parquet.Float, parquet.Double:
		case parquet.ByteArray:
			if wanted && !text {
				return nil, fmt.Errorf("want text or numbers, is %s", f.Type())
			}
		default:
			if wanted {
				return nil, fmt.Errorf("want text or numbers, is %s", f.Type())
			}
		}
		return n, nil
	}
	n.end = first
	for _, child := range f.Fields() {
		c, err := newParquetField(child, n.end, n.repetition, n.define, wanted)
		if err != nil {
			return nil, err
		}
		n.children, n.end = append(n.children, c), c.end
	}
	// A list is written as a group around one repeated group around its element.
	n.list = len(n.children) == 1 && (n.children[0].repeated || n.repeated && n.name == "list")
	return n, nil
}

// parquetAssembly makes the values of one row from what is left of its columns.
type parquetAssembly struct {
	columns [][]parquet.Value
	budget  *bounds.Budget
}

var errParquetValues = errors.New("damaged: a column ends too early")

// value takes a field's value from the columns.
func (a *parquetAssembly) value(f *parquetField) (any, error) {
	if len(a.columns[f.first]) == 0 {
		return nil, errParquetValues
	}
	there := a.columns[f.first][0].DefinitionLevel() >= f.define
	switch {
	case !f.repeated && there:
		return a.body(f)
	case !f.repeated:
		return nil, a.skip(f)
	}
	list := []any{}
	if !there {
		return list, a.skip(f)
	}
	for {
		v, err := a.body(f)
		if err != nil {
			return nil, err
		}
		if err := a.budget.TakeRow(1); err != nil {
			return nil, err
		}
		list = append(list, v)
		if rest := a.columns[f.first]; len(rest) == 0 || rest[0].RepetitionLevel() != f.repetition {
			return list, nil
		}
	}
}

// skip takes the one value that each column has for a field that is not there.
func (a *parquetAssembly) skip(f *parquetField) error {
	for i := f.first; i < f.end; i++ {
		if len(a.columns[i]) == 0 {
			return errParquetValues
		}
		a.columns[i] = a.columns[i][1:]
	}
	return nil
}

func (a *parquetAssembly) body(f *parquetField) (any, error) {
	if len(f.children) == 0 {
		v := a.columns[f.first][0]
		a.columns[f.first] = a.columns[f.first][1:]
		return a.leaf(f, v)
	}
	if f.list {
		return a.value(f.children[0])
	}
	group := map[string]any{}
	for _, c := range f.children {
		v, err := a.value(c)
		if err != nil {
			return nil, err
		}
		group[c.name] = v
	}
	return group, nil
}

func (a *parquetAssembly) leaf(f *parquetField, v parquet.Value) (any, error) {
	switch f.kind {
	case parquet.Boolean:
		return v.Boolean(), nil
	case parquet.Int32:
		return v.Int32(), nil
	case parquet.Int64:
		return v.Int64(), nil
	case parquet.Float, parquet.Double:
		x := v.Double()
		if f.kind == parquet.Float {
			x = float64(v.Float())
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("the number %v", x)
		}
		return x, nil
	}
	b := v.ByteArray()
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("invalid UTF-8 at byte %d", invalidUTF8(b))
	}
	return string(b), a.budget.Take(int64(len(b)))
}
