package results

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"reflect"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/snapbench/snapbench/bounds"
)

// leaf is a leaf of a file's schema: a plain column, or the keys or the values of a map.
type leaf struct {
	Column
	part string // for a map: key or value
}

// matchColumns finds the column of every leaf of a file's schema.
func matchColumns(schema *parquet.Schema, columns []Column) ([]leaf, error) {
	want := map[string]Column{}
	for _, c := range columns {
		want[c.Name] = c
	}
	found := map[string]bool{}
	var leaves []leaf
	for _, path := range schema.Columns() {
		name := path[0]
		c, ok := want[name]
		if !ok {
			return nil, fmt.Errorf("column %q is not one of a results file", name)
		}
		at, ok := schema.Lookup(path...)
		part := ""
		switch {
		case c.Type == "map" && ok && len(path) == 3 && at.MaxRepetitionLevel == 1 && path[2] == [2]string{"key", "value"}[mapLeaves(leaves, name)%2]:
			part = path[2]
		case c.Type == "map" && ok && len(path) == 1 && isNull(at.Node.Type()):
			// pandas writes this for a column that is null in every row.
		case c.Type == "map":
			return nil, fmt.Errorf("column %q is no map of texts by name", name)
		case !ok || len(path) != 1 || at.Node.Repeated():
			return nil, fmt.Errorf("column %q is nested, want %s", name, c.Type)
		}
		if !accepts(c, at.Node.Type()) {
			return nil, fmt.Errorf("column %q has type %s, want %s", name, at.Node.Type(), c.Type)
		}
		if at.ColumnIndex != len(leaves) {
			return nil, fmt.Errorf("damaged parquet file: column %q is number %d, want %d", name, at.ColumnIndex, len(leaves))
		}
		leaves = append(leaves, leaf{c, part})
		found[name] = true
	}
	for _, c := range columns {
		if !found[c.Name] && !c.Nullable {
			return nil, fmt.Errorf("column %q is missing", c.Name)
		}
		if n := mapLeaves(leaves, c.Name); c.Type == "map" && n != 0 && n != 2 {
			return nil, fmt.Errorf("column %q is no map of texts by name", c.Name)
		}
	}
	return leaves, nil
}

// mapLeaves counts the leaves that are parts of a map.
func mapLeaves(leaves []leaf, name string) (n int) {
	for _, l := range leaves {
		if l.Name == name && l.part != "" {
			n++
		}
	}
	return n
}

func isNull(t parquet.Type) bool {
	lt := t.LogicalType()
	if lt == nil {
		return false
	}
	_, null := lt.Value.(*format.NullType)
	return null
}

// accepts reports whether a column of a file can hold values of a Column's type. It refuses a logical type that would
// change their meaning (a date in an integer, a decimal in bytes). pandas turns integers with nulls into floats, which
// set takes if they are whole, and a column that is all null into one without a type.
func accepts(c Column, t parquet.Type) bool {
	var logical any
	if lt := t.LogicalType(); lt != nil {
		logical = lt.Value
	}
	_, isInt := logical.(*format.IntType)
	_, isString := logical.(*format.StringType)
	if _, null := logical.(*format.NullType); null {
		return c.Nullable
	}
	switch c.Type {
	case "int":
		if c.Nullable && t.Kind() == parquet.Double && logical == nil {
			return true
		}
		return (t.Kind() == parquet.Int64 || t.Kind() == parquet.Int32) && (logical == nil || isInt)
	case "float":
		return (t.Kind() == parquet.Double || t.Kind() == parquet.Float) && logical == nil
	case "bool":
		return t.Kind() == parquet.Boolean
	case "string", "map":
		return t.Kind() == parquet.ByteArray && (logical == nil || isString)
	}
	return false
}

func readGroup[T Row | row1](g parquet.RowGroup, leaves []leaf, buf []parquet.Row, budget *bounds.Budget, rows *[]T) error {
	rr := g.Rows()
	defer rr.Close()
	for {
		n, err := rr.ReadRows(buf)
		for _, values := range buf[:n] {
			var r T
			for _, v := range values {
				if v.Kind() == parquet.ByteArray {
					if err := budget.Take(int64(len(v.ByteArray()))); err != nil { // many rows may use one text of a dictionary
						return err
					}
				}
			}
			if err := setAll(reflect.ValueOf(&r).Elem(), leaves, values); err != nil {
				return fmt.Errorf("row %d: %w", len(*rows), err)
			}
			*rows = append(*rows, r)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("damaged parquet file after row %d: %w", len(*rows), err)
		}
		if n == 0 {
			return fmt.Errorf("damaged parquet file after row %d: no progress", len(*rows))
		}
	}
}

// setAll stores the values of one row. They are grouped by leaf: one for a plain column, one per entry for a map.
func setAll(row reflect.Value, leaves []leaf, values []parquet.Value) error {
	var keys []parquet.Value
	for i, l := range leaves {
		n := 0
		for n < len(values) && values[n].Column() == i {
			n++
		}
		mine := values[:n]
		values = values[n:]
		var err error
		switch {
		case n == 0:
			err = errors.New("damaged: no value")
		case l.part == "key":
			keys = mine
		case l.part == "value":
			err = l.setMap(row, keys, mine)
		case n > 1:
			err = fmt.Errorf("damaged: %d values", n)
		default:
			err = l.set(row, mine[0])
		}
		if err != nil {
			return fmt.Errorf("column %q: %w", l.Name, err)
		}
	}
	if len(values) > 0 {
		return fmt.Errorf("damaged: column number %d", values[0].Column())
	}
	return nil
}

// setMap stores a map. The parquet library gives an empty map as a single null.
func (c Column) setMap(row reflect.Value, keys, texts []parquet.Value) error {
	if len(keys) != len(texts) {
		return fmt.Errorf("damaged: %d names and %d texts", len(keys), len(texts))
	}
	m := make(map[string]string, len(keys))
	for i, k := range keys {
		if k.IsNull() && texts[i].IsNull() && len(keys) == 1 {
			return nil
		}
		if k.IsNull() || texts[i].IsNull() {
			return errors.New("null where a value is needed")
		}
		name := validText(k)
		if _, twice := m[name]; twice {
			return fmt.Errorf("%q is there twice", name)
		}
		m[name] = validText(texts[i])
	}
	row.Field(c.field).Set(reflect.ValueOf(m))
	return nil
}

func validText(v parquet.Value) string {
	return string(bytes.ToValidUTF8(slices.Clone(v.ByteArray()), []byte("\uFFFD")))
}

// set stores a parquet value in the column's field of a row.
func (c Column) set(row reflect.Value, v parquet.Value) error {
	f := row.Field(c.field)
	if v.IsNull() {
		if !c.Nullable {
			return errors.New("null where a value is needed")
		}
		return nil
	}
	if f.Kind() == reflect.Pointer {
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	switch v.Kind() {
	case parquet.Boolean:
		f.SetBool(v.Boolean())
	case parquet.Int32:
		f.SetInt(int64(v.Int32()))
	case parquet.Int64:
		f.SetInt(v.Int64())
	case parquet.Float:
		f.SetFloat(float64(v.Float()))
	case parquet.Double:
		if x := v.Double(); f.CanInt() {
			if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
				return fmt.Errorf("%v is no whole number", x)
			}
			f.SetInt(int64(x))
		} else {
			f.SetFloat(x)
		}
	case parquet.ByteArray:
		f.SetString(validText(v))
	default:
		return fmt.Errorf("a value of kind %s", v.Kind())
	}
	return nil
}

// parquetRows turns rows into the library's rows, because the library itself would write maps in random order.
func parquetRows(rows []Row) []parquet.Row {
	out := make([]parquet.Row, len(rows))
	for i := range rows {
		v := reflect.ValueOf(&rows[i]).Elem()
		at := 0 // the leaf
		for _, c := range columns {
			level := 0 // of a value that is there
			if c.Nullable {
				level = 1
			}
			if c.Type == "map" {
				m := v.Field(c.field).Interface().(map[string]string)
				names := slices.Sorted(maps.Keys(m))
				for k, part := range []func(string) string{func(name string) string { return name }, func(name string) string { return m[name] }} {
					for n, name := range names {
						out[i] = append(out[i], parquet.ByteArrayValue([]byte(part(name))).Level(min(n, 1), level+1, at+k))
					}
					if len(names) == 0 {
						out[i] = append(out[i], parquet.NullValue().Level(0, 0, at+k))
					}
				}
				at += 2
				continue
			}
			value := parquet.NullValue().Level(0, 0, at)
			if x := c.Value(&rows[i]); x != nil {
				value = parquet.ValueOf(x).Level(0, level, at)
			}
			out[i] = append(out[i], value)
			at++
		}
	}
	return out
}
