package jinja

import (
	"math"
	"strings"
)

// filterFunction is a filter: its parameters, of which the first is the value, in
// the form of bindArguments; or raw, which binds its arguments itself.
type filterFunction struct {
	parameters string
	call       func(r *run, a []Value) (Value, error)
	raw        func(r *run, x Value, args []Value, names []named) (Value, error)
}

func (r *run) filter(n *filter, x Value) (Value, error) {
	args, names, err := r.evalArguments(&n.arguments)
	if err != nil {
		return nil, err
	}
	return r.applyFilter(n.name, x, args, names)
}

// filterText applies the filters of a block to its text, the value of the innermost
// filter.
func (r *run) filterText(n node, s string) (Value, error) {
	f := n.(*filter)
	var x Value = s
	if f.x != nil {
		var err error
		if x, err = r.filterText(f.x, s); err != nil {
			return nil, err
		}
	}
	return r.filter(f, x)
}

func (r *run) applyFilter(name string, x Value, args []Value, names []named) (Value, error) {
	f := filters[name]
	if f == nil {
		return nil, fail("TemplateRuntimeError", "No filter named %s found.", repr(name))
	}
	if s, ok := textOf(x); ok {
		if err := r.scan(len(s)); err != nil {
			return nil, err
		}
	}
	if f.raw != nil {
		return f.raw(r, x, args, names)
	}
	a, err := bindArguments(name, f.parameters, append([]Value{x}, args...), names)
	if err != nil {
		return nil, err
	}
	return f.call(r, a)
}

var filters map[string]*filterFunction

func init() { // not in the declaration, because some filters look up others in the table
	filters = map[string]*filterFunction{
		"abs":            {parameters: "x /", call: absFilter},
		"attr":           {parameters: "obj name", call: attrFilter},
		"batch":          {parameters: "value linecount fill_with?", call: batchFilter},
		"capitalize":     {parameters: "s", call: textFilter(capitalize)},
		"center":         {parameters: "value width?", call: centerFilter},
		"default":        {parameters: "value default_value? boolean?", call: defaultFilter},
		"dictsort":       {parameters: "value case_sensitive? by? reverse?", call: dictsortFilter},
		"escape":         {parameters: "s /", call: func(r *run, a []Value) (Value, error) { return r.escaped(a[0]) }},
		"filesizeformat": {parameters: "value binary?", call: filesizeFilter},
		"first":          {parameters: "seq", call: firstFilter},
		"float":          {parameters: "value default?", call: floatFilter},
		"forceescape":    {parameters: "value", call: forceescapeFilter},
		"format":         {raw: formatFilter},
		"groupby":        {parameters: "value attribute default? case_sensitive?", call: groupbyFilter},
		"indent":         {parameters: "s width? first? blank?", call: indentFilter},
		"int":            {parameters: "value default? base?", call: intFilter},
		"items":          {parameters: "value", call: itemsFilter},
		"join":           {parameters: "value d? attribute?", call: joinFilter},
		"last":           {parameters: "seq", call: lastFilter},
		"length": {parameters: "obj /", call: func(r *run, a []Value) (Value, error) {
			n, err := r.length(a[0])
			return int64(n), err
		}},
		"list": {parameters: "value", call: func(r *run, a []Value) (Value, error) {
			items, err := r.collect(a[0])
			return &listValue{items}, err
		}},
		"lower":      {parameters: "s", call: textFilter(lower)},
		"map":        {raw: mapFilter},
		"max":        {parameters: "value case_sensitive? attribute?", call: extremeFilter(">")},
		"min":        {parameters: "value case_sensitive? attribute?", call: extremeFilter("<")},
		"pprint":     {raw: unsupportedFilter("pprint")},
		"random":     {raw: unsupportedFilter("random, whose value is drawn at random")},
		"reject":     {raw: selectFilter(false, false)},
		"rejectattr": {raw: selectFilter(true, false)},
		"replace":    {parameters: "s old new count?", call: replaceFilter},
		"reverse":    {parameters: "value", call: reverseFilter},
		"round":      {parameters: "value precision? method?", call: roundFilter},
		"safe": {parameters: "value", call: func(r *run, a []Value) (Value, error) {
			s, err := r.str(a[0])
			return markup(s), err
		}},
		"select":     {raw: selectFilter(false, true)},
		"selectattr": {raw: selectFilter(true, true)},
		"slice":      {parameters: "value slices fill_with?", call: sliceFilter},
		"sort":       {parameters: "value reverse? case_sensitive? attribute?", call: sortFilter},
		"string":     {parameters: "s /", call: func(r *run, a []Value) (Value, error) { return r.soft(a[0]) }},
		"striptags":  {parameters: "value", call: striptagsFilter},
		"sum":        {parameters: "iterable attribute? start?", call: sumFilter},
		"title":      {parameters: "s", call: textFilter(titleWords)},
		"tojson":     {parameters: "x ensure_ascii? indent? separators? sort_keys?", call: tojson},
		"trim":       {parameters: "value chars?", call: trimFilter},
		"truncate":   {parameters: "s length? killwords? end? leeway?", call: truncateFilter},
		"unique":     {parameters: "value case_sensitive? attribute?", call: uniqueFilter},
		"upper":      {parameters: "s", call: textFilter(upper)},
		"urlencode":  {parameters: "value", call: urlencodeFilter},
		"urlize":     {raw: unsupportedFilter("urlize")},
		"wordcount":  {parameters: "s", call: wordcountFilter},
		"wordwrap":   {raw: unsupportedFilter("wordwrap")},
		"xmlattr":    {parameters: "d autospace?", call: xmlattrFilter},
	}
	for alias, name := range map[string]string{"count": "length", "d": "default", "e": "escape"} {
		filters[alias] = filters[name]
	}
}

func unsupportedFilter(what string) func(*run, Value, []Value, []named) (Value, error) {
	return func(*run, Value, []Value, []named) (Value, error) {
		return nil, fail(Unsupported, "the filter %s", what)
	}
}

func absFilter(r *run, a []Value) (Value, error) {
	if f, ok := a[0].(float64); ok {
		return math.Abs(f), nil
	}
	n, ok := wholeOf(a[0])
	if !ok {
		return nil, fail("TypeError", "bad operand type for abs(): '%s'", typeName(a[0]))
	}
	if n.Sign() < 0 {
		return r.wholeArithmetic("-", bigZero, n)
	}
	return integer(n), nil
}

func attrFilter(r *run, a []Value) (Value, error) {
	name, ok := textOf(a[1])
	if !ok {
		return nil, fail("TypeError", "attribute name must be string, not '%s'", typeName(a[1]))
	}
	v, ok, err := r.ownAttribute(a[0], name)
	if ok || err != nil {
		return v, err
	}
	return missing(a[0], name), nil
}

func defaultFilter(r *run, a []Value) (Value, error) {
	_, isUndefined := a[0].(*undefined)
	if !isUndefined && !(a[2] != nil && truth(a[2]) && !truth(a[0])) {
		return a[0], nil
	}
	if a[1] == nil {
		return "", nil
	}
	return a[1], nil
}

func firstFilter(r *run, a []Value) (Value, error) {
	next, err := r.iterate(a[0])
	if err != nil {
		return nil, err
	}
	v, ok, err := next()
	if err != nil || ok {
		return v, err
	}
	return &undefined{"UndefinedError", "No first item, sequence was empty."}, nil
}

func lastFilter(r *run, a []Value) (Value, error) {
	next, ok, err := r.reversed(a[0])
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fail("TypeError", "'%s' object is not reversible", typeName(a[0]))
	}
	v, ok, err := next()
	if err != nil || ok {
		return v, err
	}
	return &undefined{"UndefinedError", "No last item, sequence was empty."}, nil
}

func floatFilter(r *run, a []Value) (Value, error) {
	v, err := toFloat(a[0])
	if err == nil {
		return v, nil
	}
	if kind := kindOf(err); kind != "TypeError" && kind != "ValueError" {
		return nil, err
	}
	if a[1] == nil {
		return 0.0, nil
	}
	return a[1], nil
}

// toFloat is Python's float().
func toFloat(v Value) (float64, error) {
	if u, ok := v.(*undefined); ok {
		return 0, u.fail()
	}
	if s, ok := textOf(v); ok {
		return readFloat(s)
	}
	return floatOf(v)
}

func intFilter(r *run, a []Value) (Value, error) {
	base := int64(10)
	var err error
	if s, ok := textOf(a[0]); ok {
		if base, err = wholeArgument(a[2], 10); err == nil {
			var v Value
			if v, err = readInteger(s, int(max(min(base, 100), -100))); err == nil {
				return v, nil
			}
		}
	} else {
		var v Value
		if v, err = toInteger(a[0]); err == nil {
			return v, nil
		}
	}
	if kind := kindOf(err); kind != "TypeError" && kind != "ValueError" {
		return nil, err
	}
	f, err := toFloat(a[0])
	var v Value
	if err == nil {
		v, err = toInteger(f)
	}
	switch kindOf(err) {
	case "":
		return v, err
	case "TypeError", "ValueError", "OverflowError":
		if a[1] == nil {
			return int64(0), nil
		}
		return a[1], nil
	}
	return nil, err
}

func formatFilter(r *run, x Value, args []Value, names []named) (Value, error) {
	s, err := r.soft(x)
	if err != nil {
		return nil, err
	}
	t, _ := textOf(s)
	if len(args) > 0 && len(names) > 0 {
		return nil, fail("FilterArgumentError", "can't handle positional and keyword arguments at the same time")
	}
	if len(names) == 0 {
		return r.percent(s, t, newTuple(args...))
	}
	d := newDict()
	for _, k := range names {
		d.setText(k.name, k.value)
	}
	return r.percent(s, t, d)
}

func filesizeFilter(r *run, a []Value) (Value, error) {
	bytes, err := toFloat(a[0])
	if err != nil {
		return nil, err
	}
	base, names := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if a[1] != nil && truth(a[1]) {
		base, names = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	if bytes == 1 {
		return "1 Byte", nil
	}
	if bytes < base {
		n, err := toInteger(bytes)
		if err != nil {
			return nil, err
		}
		s, err := r.str(n)
		return s + " Bytes", err
	}
	unit := base
	for i, name := range names {
		if unit *= base; bytes < unit || i == len(names)-1 {
			s, err := r.formatFloat(base*bytes/unit, spec{fill: " ", sign: '-', precision: 1, kind: 'f'})
			return s + " " + name, err
		}
	}
	return nil, nil
}

func xmlattrFilter(r *run, a []Value) (Value, error) {
	d, ok := a[0].(*dictValue)
	if !ok {
		return nil, noItems(a[0])
	}
	t := text{r: r}
	for i, k := range d.keys {
		switch d.values[i].(type) {
		case none, *undefined:
			continue
		}
		key, ok := textOf(k)
		if !ok {
			return nil, fail("TypeError", "expected string or bytes-like object, got '%s'", typeName(k))
		}
		if strings.ContainsAny(key, " \t\n\r\f\v/>=") {
			return nil, fail("ValueError", "Invalid character in attribute name: %s", repr(key))
		}
		if t.Len() > 0 || a[1] == nil || truth(a[1]) {
			t.add(" ")
		}
		key, err := r.escape(k)
		if err != nil {
			return nil, err
		}
		v, err := r.escape(d.values[i])
		if err != nil {
			return nil, err
		}
		t.add(key + `="` + v + `"`)
	}
	return t.String(), t.err
}

func roundFilter(r *run, a []Value) (Value, error) {
	precision, method := int64(0), "common"
	var err error
	if a[2] != nil {
		method, _ = textOf(a[2])
	}
	if method != "common" && method != "ceil" && method != "floor" {
		return nil, fail("FilterArgumentError", "method must be common, ceil or floor")
	}
	if u, ok := a[0].(*undefined); ok {
		if method == "common" {
			return nil, fail("TypeError", "type Undefined doesn't define __round__ method")
		}
		return nil, u.fail()
	}
	if !isNumber(a[0]) {
		return nil, fail("TypeError", "type %s doesn't define __round__ method", typeName(a[0]))
	}
	if _, ok := a[1].(none); ok && method == "common" {
		return roundWhole(a[0])
	}
	if precision, err = wholeArgument(a[1], 0); err != nil {
		return nil, err
	}
	if method == "common" {
		return r.roundTo(a[0], precision)
	}
	ten, err := r.operate("**", int64(10), precision)
	if err != nil {
		return nil, err
	}
	x, err := r.operate("*", a[0], ten)
	if err != nil {
		return nil, err
	}
	f, isFloat := x.(float64)
	if isFloat {
		round := math.Ceil
		if method == "floor" {
			round = math.Floor
		}
		if x, err = toInteger(round(f)); err != nil {
			return nil, err
		}
	}
	return r.operate("/", x, ten)
}
