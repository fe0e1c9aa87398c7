package jinja

import "math/big"

// globals are the functions that every template can use.
var globals map[string]Value

// maxRange is the length of the longest range that the sandbox allows.
const maxRange = 100000

func init() {
	globals = map[string]Value{}
	for name, f := range map[string]func(r *run, args []Value, names []named) (Value, error){
		"range":     newRange,
		"dict":      func(r *run, args []Value, names []named) (Value, error) { return r.dict("dict", args, names) },
		"namespace": newNamespace,
		"cycler":    newCycler,
		"joiner":    newJoiner,
		"lipsum": func(*run, []Value, []named) (Value, error) {
			return nil, fail(Unsupported, "lipsum, whose text is drawn at random")
		},
		"raise_exception": func(r *run, args []Value, names []named) (Value, error) {
			a, err := bindArguments("raise_exception", "message", args, names)
			if err != nil {
				return nil, err
			}
			s, err := r.str(a[0])
			if err != nil {
				return nil, err
			}
			return nil, &Error{Kind: Refused, Text: s}
		},
		"strftime_now": func(r *run, args []Value, names []named) (Value, error) {
			a, err := bindArguments("strftime_now", "format", args, names)
			if err != nil {
				return nil, err
			}
			s, err := textArgument("strftime", a[0])
			if err != nil {
				return nil, err
			}
			return strftimeNow(r, s)
		},
	} {
		globals[name] = &builtin{name, f}
	}
}

func newRange(r *run, args []Value, names []named) (Value, error) {
	if len(names) > 0 {
		return nil, fail("TypeError", "range() takes no keyword arguments")
	}
	if len(args) < 1 || len(args) > 3 {
		return nil, fail("TypeError", "range expected from 1 to 3 arguments, got %d", len(args))
	}
	n := [3]*big.Int{new(big.Int), nil, big.NewInt(1)}
	for i, v := range args {
		w, ok := wholeOf(v)
		if !ok {
			return nil, fail("TypeError", "'%s' object cannot be interpreted as an integer", typeName(v))
		}
		n[i] = w
	}
	if len(args) == 1 {
		n[0], n[1] = new(big.Int), n[0]
	}
	if n[2].Sign() == 0 {
		return nil, fail("ValueError", "range() arg 3 must not be zero")
	}
	// The number of steps between the ends.
	length := new(big.Int).Sub(n[1], n[0])
	one := big.NewInt(int64(n[2].Sign()))
	length.Add(length, n[2]).Sub(length, one)
	length.Quo(length, n[2])
	if length.Sign() < 0 {
		length.SetInt64(0)
	}
	if length.Cmp(big.NewInt(maxRange)) > 0 {
		return nil, fail("OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).", maxRange)
	}
	for _, w := range n {
		if w.BitLen() > 62 {
			return nil, fail(Unsupported, "a range of numbers beyond 64 bits")
		}
	}
	return &rangeValue{n[0].Int64(), n[1].Int64(), n[2].Int64(), length.Int64()}, nil
}

// dict makes a dictionary from another one or from pairs, and from arguments by name.
func (r *run) dict(function string, args []Value, names []named) (*dictValue, error) {
	if len(args) > 1 {
		return nil, fail("TypeError", "%s expected at most 1 argument, got %d", function, len(args))
	}
	d := newDict()
	if len(args) == 1 {
		if from, ok := args[0].(*dictValue); ok {
			if err := r.take(entryBytes * len(from.keys)); err != nil {
				return nil, err
			}
			d = from.copy()
		} else if err := r.dictOfPairs(d, args[0]); err != nil {
			return nil, err
		}
	}
	for _, k := range names {
		d.setText(k.name, k.value)
	}
	return d, r.take(valueBytes + entryBytes*len(names))
}

func (r *run) dictOfPairs(d *dictValue, pairs Value) error {
	next, err := r.iterate(pairs)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		x, ok, err := next()
		if err != nil || !ok {
			return err
		}
		pair, err := r.collect(x)
		if err != nil {
			if kindOf(err) == "TypeError" {
				err = fail("TypeError", "cannot convert dictionary update sequence element #%d to a sequence", i)
			}
			return err
		}
		if len(pair) != 2 {
			return fail("ValueError", "dictionary update sequence element #%d has length %d; 2 is required", i, len(pair))
		}
		if err := r.setKey(d, pair[0], pair[1]); err != nil {
			return err
		}
	}
}

func newNamespace(r *run, args []Value, names []named) (Value, error) {
	d, err := r.dict("dict", args, names)
	if err != nil {
		return nil, err
	}
	return &namespaceValue{d}, nil
}

func newCycler(r *run, args []Value, names []named) (Value, error) {
	if len(names) > 0 {
		return nil, fail("TypeError", "Cycler.__init__() got an unexpected keyword argument '%s'", names[0].name)
	}
	if len(args) == 0 {
		return nil, fail("RuntimeError", "at least one item has to be provided")
	}
	return &cycler{items: args}, nil
}

func newJoiner(r *run, args []Value, names []named) (Value, error) {
	a, err := bindArguments("joiner", "sep?", args, names)
	if err != nil {
		return nil, err
	}
	if a[0] == nil {
		a[0] = ", "
	}
	return &joiner{separator: a[0]}, nil
}
