package jinja

import (
	"fmt"
	"maps"
	"math/big"
	"slices"
	"unicode/utf8"
)

// Value is the value of an expression: one of the types below, bool, int64,
// *big.Int (beyond int64), float64 or string. A nil Value is a variable without a
// value; templates never see it.
type Value any

type (
	none struct{}
	// markup is text marked safe by |safe or |escape. Text that is added to it is escaped.
	markup string
	// undefined is a variable, attribute or item that does not exist.
	undefined  struct{ kind, text string } // the error of using it
	listValue  struct{ items []Value }
	tupleValue struct {
		items []Value
		group bool // made by groupby, so it has the attributes grouper and list
	}
	rangeValue struct{ start, stop, step, length int64 }
	// view is the result of dict.keys(), values() and items().
	view struct {
		kind string // dict_keys …
		dict *dictValue
	}
	// generator returns its items only once.
	generator struct {
		name string // the name of its type in Python
		next func() (Value, bool, error)
	}
	namespaceValue struct{ dict *dictValue }
	cycler         struct {
		items []Value
		at    int
	}
	joiner struct {
		separator Value
		used      bool
	}
	// builtin is a function of the language or a method of a value.
	builtin struct {
		name string
		call func(r *run, args []Value, named []named) (Value, error)
	}
	macroValue struct {
		name string // empty for a call block
		*signature
		at *activation
	}
)

// named is an argument that is given by name.
type named struct {
	name  string
	value Value
}

func undefinedName(id string) *undefined {
	return &undefined{"UndefinedError", repr(id) + " is undefined"}
}

func (u *undefined) fail() error { return fail(u.kind, "%s", u.text) }

// dictValue is a dictionary, ordered by the first assignment of each key.
type dictValue struct {
	keys, values []Value
	at           map[string]int // by hash
}

func newDict() *dictValue { return &dictValue{at: map[string]int{}} }

func (d *dictValue) set(hash string, key, value Value) {
	if i, ok := d.at[hash]; ok {
		d.values[i] = value
		return
	}
	d.at[hash] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

// setText sets the value of a key that is a text.
func (d *dictValue) setText(key string, value Value) { d.set("s"+key, key, value) }

func (d *dictValue) text(key string) (Value, bool) {
	i, ok := d.at["s"+key]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

func (d *dictValue) copy() *dictValue {
	return &dictValue{slices.Clone(d.keys), slices.Clone(d.values), maps.Clone(d.at)}
}

func (v *view) items() []Value {
	switch v.kind {
	case "dict_keys":
		return v.dict.keys
	case "dict_values":
		return v.dict.values
	}
	all := make([]Value, len(v.dict.keys))
	for i := range all {
		all[i] = newTuple(v.dict.keys[i], v.dict.values[i])
	}
	return all
}

func newTuple(items ...Value) *tupleValue { return &tupleValue{items: items} }

func (v *rangeValue) item(i int64) Value { return v.start + i*v.step }

// typeName is the name of a value's type in Python.
func typeName(v Value) string {
	switch v := v.(type) {
	case none:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case markup:
		return "Markup"
	case *undefined:
		return "Undefined"
	case *listValue:
		return "list"
	case *tupleValue:
		if v.group {
			return "_GroupTuple"
		}
		return "tuple"
	case *dictValue:
		return "dict"
	case *rangeValue:
		return "range"
	case *view:
		return v.kind
	case *generator:
		return v.name
	case *namespaceValue:
		return "Namespace"
	case *cycler:
		return "Cycler"
	case *joiner:
		return "Joiner"
	case *loopValue:
		return "LoopContext"
	case *macroValue:
		return "Macro"
	}
	return "builtin_function_or_method"
}

// typeRepr is the name of a value in Jinja2's messages.
func typeRepr(v Value) string {
	switch v.(type) {
	case none:
		return "None"
	case markup:
		return "markupsafe.Markup object"
	case *namespaceValue, *cycler, *joiner:
		return "jinja2.utils." + typeName(v) + " object"
	case *loopValue, *macroValue, *undefined:
		return "jinja2.runtime." + typeName(v) + " object"
	}
	return typeName(v) + " object"
}

// textOf returns the text of a string, whether it is marked safe or not.
func textOf(v Value) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case markup:
		return string(v), true
	}
	return "", false
}

// sequence returns the items of a list or tuple.
func sequence(v Value) ([]Value, bool) {
	switch v := v.(type) {
	case *listValue:
		return v.items, true
	case *tupleValue:
		return v.items, true
	}
	return nil, false
}

func truth(v Value) bool {
	switch v := v.(type) {
	case none, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case markup:
		return v != ""
	case *rangeValue:
		return v.length > 0
	case *listValue:
		return len(v.items) > 0
	case *tupleValue:
		return len(v.items) > 0
	case *dictValue:
		return len(v.keys) > 0
	case *view:
		return len(v.dict.keys) > 0
	}
	return true
}

// length is Python's len.
func (r *run) length(v Value) (int, error) {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v), r.scan(len(v))
	case markup:
		return utf8.RuneCountInString(string(v)), r.scan(len(v))
	case *listValue:
		return len(v.items), nil
	case *tupleValue:
		return len(v.items), nil
	case *dictValue:
		return len(v.keys), nil
	case *view:
		return len(v.dict.keys), nil
	case *rangeValue:
		return int(v.length), nil
	case *undefined:
		return 0, nil
	case *loopValue:
		return v.length(r)
	}
	return 0, fail("TypeError", "object of type '%s' has no len()", typeName(v))
}

// fromGo turns a variable of the caller into a value.
func fromGo(v any) (Value, error) {
	switch v := v.(type) {
	case nil:
		return none{}, nil
	case bool, int64, float64:
		return v, nil
	case int:
		return int64(v), nil
	case string:
		if !utf8.ValidString(v) {
			return nil, fmt.Errorf("text that is not valid UTF-8: %.40q", v)
		}
		return v, nil
	case []any:
		l := &listValue{}
		for _, x := range v {
			x, err := fromGo(x)
			if err != nil {
				return nil, err
			}
			l.items = append(l.items, x)
		}
		return l, nil
	case Pairs:
		d := newDict()
		for _, p := range v {
			x, err := fromGo(p.Value)
			if err != nil {
				return nil, err
			}
			d.setText(p.Key, x)
		}
		return d, nil
	case map[string]any:
		d := newDict()
		for _, k := range slices.Sorted(maps.Keys(v)) {
			x, err := fromGo(v[k])
			if err != nil {
				return nil, err
			}
			d.setText(k, x)
		}
		return d, nil
	}
	return nil, fmt.Errorf("a value of type %T", v)
}
