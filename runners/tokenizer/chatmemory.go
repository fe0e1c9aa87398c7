package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/nikolalohinski/gonja/v2/builtins"
	statements "github.com/nikolalohinski/gonja/v2/builtins/control_structures"
	"github.com/nikolalohinski/gonja/v2/exec"
	"github.com/nikolalohinski/gonja/v2/nodes"
	"github.com/nikolalohinski/gonja/v2/tokens"
)

// How a rendering's memory is bounded. The template engine evaluates operators, slices and text itself and asks nobody.
// So a parsed template is changed before its first use: around what an operator joins, a slice copies, a tag prints and
// a loop goes over stand calls of functions that measure the value first and refuse it where it would be too much.
// Filters and methods are wrapped. Every byte of text made is counted against one budget, whether it is kept or not.

// The budget of a rendering, in bytes: what any template may take, and more for long conversations.
const (
	templateMemory        = 64 << 20
	templateMemoryPerByte = 64 // of the conversation
)

const (
	elementBytes  = 48  // an element of a list
	loopBytes     = 128 // an element that is gone over
	maxValueDepth = 200 // of lists and dictionaries; the engine itself has two steps for one
)

// The functions that a changed template calls, by names that no expression can spell.
const (
	guardUse    = " use"    // the value must fit into the budget as text
	guardText   = " text"   // the value becomes text, or part of one
	guardWrite  = " write"  // so many bytes of the template's own text
	guardLeft   = " left"   // of a sum or product
	guardSum    = " sum"    // its right side
	guardTimes  = " times"  // or so
	guardSlice  = " slice"  // the value is copied, lists without what they hold
	guardTarget = " target" // of a method
	guardLoop   = " loop"
)

// guard is x, measured by a function.
func guard(function string, x nodes.Expression) *nodes.Call {
	at := x.Position()
	name := &tokens.Token{Type: tokens.Name, Val: function}
	if at != nil {
		name.Pos, name.Line, name.Col = at.Pos, at.Line, at.Col
	}
	return &nodes.Call{Location: at, Func: &nodes.Name{Name: name}, Args: []nodes.Expression{x}}
}

// guardTemplate puts the measuring functions into a template. It finds the expressions by reflection: some statements
// keep theirs to themselves. Nodes are changed in place, where their fields are exported.
func guardTemplate(root *nodes.Template) (err error) {
	type node struct {
		at uintptr
		t  reflect.Type
	}
	seen := map[node]bool{}
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Interface:
			walk(v.Elem())
		case reflect.Pointer:
			key := node{v.Pointer(), v.Type()}
			if v.IsNil() || seen[key] || v.Type() == reflect.TypeFor[*tokens.Token]() {
				return
			}
			seen[key] = true
			walk(v.Elem()) // first: guards are not guarded
			if e := guardNode(v); e != nil && err == nil {
				err = e
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(v.MapIndex(k))
			}
		}
	}
	walk(reflect.ValueOf(root))
	return err
}

// pointer is v where it is a *T.
func pointer[T any](v reflect.Value) *T {
	if v.Type() != reflect.TypeFor[*T]() {
		return nil
	}
	return (*T)(v.UnsafePointer())
}

func guardNode(v reflect.Value) error {
	if n := pointer[nodes.BinaryExpression](v); n != nil {
		switch n.Operator.Token.Type {
		case tokens.And, tokens.Or: // give one of their sides
		case tokens.Multiply:
			n.Left, n.Right = guard(guardLeft, n.Left), guard(guardTimes, n.Right)
		case tokens.Addition:
			n.Left, n.Right = guard(guardLeft, n.Left), guard(guardSum, n.Right)
		case tokens.Tilde:
			n.Left, n.Right = guard(guardText, n.Left), guard(guardText, n.Right)
		default: // numbers of lists are read from their text
			n.Left, n.Right = guard(guardUse, n.Left), guard(guardUse, n.Right)
		}
	}
	if n := pointer[nodes.Output](v); n != nil {
		n.Expression = guard(guardText, n.Expression)
		if n.Alternative != nil {
			n.Alternative = guard(guardText, n.Alternative)
		}
	}
	if n := pointer[nodes.GetSlice](v); n != nil {
		n.Node = guard(guardSlice, n.Node)
	}
	if n := pointer[nodes.Call](v); n != nil {
		if a, ok := n.Func.(*nodes.GetAttribute); ok {
			a.Node = guard(guardTarget, a.Node)
			for i := range n.Args {
				n.Args[i] = guard(guardUse, n.Args[i])
			}
			for k := range n.Kwargs {
				n.Kwargs[k] = guard(guardUse, n.Kwargs[k])
			}
		}
	}
	if n := pointer[nodes.TestExpression](v); n != nil {
		n.Expression = guard(guardUse, n.Expression)
		for i := range n.Test.Args {
			n.Test.Args[i] = guard(guardUse, n.Test.Args[i])
		}
		for k := range n.Test.Kwargs {
			n.Test.Kwargs[k] = guard(guardUse, n.Test.Kwargs[k])
		}
	}
	if n := pointer[statements.ForControlStructure](v); n != nil {
		if n.Recursive {
			return fmt.Errorf("line %d: recursive loops are not supported", n.Position().Line)
		}
		n.ObjectEvaluator = guard(guardLoop, n.ObjectEvaluator)
	}
	if n := pointer[nodes.Wrapper](v); n != nil {
		n.Nodes = guardData(n.Nodes)
	}
	if n := pointer[nodes.Template](v); n != nil {
		n.Nodes = guardData(n.Nodes)
	}
	return nil
}

// guardData counts the template's own text where it is written.
func guardData(list []nodes.Node) []nodes.Node {
	var out []nodes.Node
	for _, n := range list {
		if d, ok := n.(*nodes.Data); ok {
			out = append(out, &nodes.Output{Start: d.Data, Expression: guard(guardWrite, &nodes.Integer{Location: d.Data, Val: len(d.Data.Val)})})
		}
		out = append(out, n)
	}
	return out
}

// effort is what one rendering has done so far and may still do.
type effort struct {
	steps, depth int
	budget       int64         // bytes
	memory       int64         // what is left of it
	loops        int64         // taken by the loops that are under way
	lefts        []*exec.Value // of sums and products whose right side is not yet there
	err          error         // the first limit that was hit, or the template's refusal
}

// fail keeps the first error: the engine wraps it in the nodes it passed.
func (e *effort) fail(err error) error {
	if e.err == nil {
		e.err = err
	}
	return err
}

// fits says whether so many bytes are left.
func (e *effort) fits(bytes int64) error {
	if bytes < 0 || bytes > e.memory {
		return e.fail(fmt.Errorf("more than %d MiB of text and lists", e.budget>>20))
	}
	return nil
}

func (e *effort) take(bytes int64) error {
	if err := e.fits(bytes); err != nil {
		return err
	}
	e.memory -= bytes
	return nil
}

// use says whether the values' text would fit.
func (e *effort) use(values ...*exec.Value) error {
	for _, v := range values {
		if err := e.fits(sizeOf(v, e.memory)); err != nil {
			return err
		}
	}
	return nil
}

// arguments says whether those of a filter or method would fit, and returns their size.
func (e *effort) arguments(args *exec.VarArgs) (size int64, err error) {
	for _, v := range args.Args {
		size = plus(size, sizeOf(v, e.memory))
	}
	for _, v := range args.KwArgs {
		size = plus(size, sizeOf(v, e.memory))
	}
	return size, e.fits(size)
}

// made counts a new value: its text, or its elements, which are not new.
func (e *effort) made(v *exec.Value) error {
	if err := e.use(v); err != nil {
		return err
	}
	if v.IsString() {
		return e.take(int64(len(v.String())))
	}
	return e.take(times(elementBytes, int64(elements(v))))
}

// loopSize is what going over v takes: the engine makes a value of every element first.
func loopSize(v *exec.Value) int64 { return times(loopBytes, int64(elements(v))) }

// elements counts those of a list or dictionary, and the bytes of text.
func elements(v *exec.Value) int {
	r := v.Val
	for r.Kind() == reflect.Pointer || r.Kind() == reflect.Interface {
		r = r.Elem()
	}
	switch r.Kind() {
	case reflect.String, reflect.Slice, reflect.Array, reflect.Map:
		return r.Len()
	case reflect.Struct:
		if r.Type() == exec.TypeDict {
			return r.FieldByName("Pairs").Len()
		}
	}
	return 0
}

// left takes the left side of the sum or product whose right side is there now.
func (e *effort) left() *exec.Value {
	v := e.lefts[len(e.lefts)-1]
	e.lefts = e.lefts[:len(e.lefts)-1]
	return v
}

// functions are the guards of one rendering, and the functions that make text of their arguments.
func (e *effort) functions() map[string]any {
	measured := func(name string) any {
		f, _ := builtins.GlobalFunctions.Get(name)
		call, ok := f.(func(*exec.Evaluator, *exec.VarArgs) *exec.Value)
		if !ok {
			panic(fmt.Sprintf("tokenizer: the template engine's %s is a %T", name, f))
		}
		return func(x *exec.Evaluator, args *exec.VarArgs) (*exec.Value, error) {
			size, err := e.arguments(args)
			if err == nil {
				err = e.take(size)
			}
			if err != nil {
				return nil, err
			}
			return call(x, args), nil
		}
	}
	one := func(measure func(v *exec.Value) error) any {
		return func(args *exec.VarArgs) (*exec.Value, error) {
			v := args.First()
			return v, measure(v)
		}
	}
	return map[string]any{
		"cycler": measured("cycler"),
		"joiner": measured("joiner"),
		guardUse: one(func(v *exec.Value) error { return e.use(v) }),
		guardText: one(func(v *exec.Value) error {
			return e.take(sizeOf(v, e.memory))
		}),
		guardWrite: func(args *exec.VarArgs) (*exec.Value, error) {
			return exec.AsValue(""), e.take(int64(args.First().Integer()))
		},
		guardLeft: one(func(v *exec.Value) error {
			e.lefts = append(e.lefts, v)
			return e.use(v)
		}),
		guardSum: one(func(v *exec.Value) error {
			left := e.left()
			if left.IsList() {
				return errors.Join(e.made(left), e.made(v))
			}
			return e.take(plus(sizeOf(left, e.memory), sizeOf(v, e.memory)))
		}),
		guardTimes: one(func(v *exec.Value) error {
			left := e.left()
			if err := e.use(v); err != nil || !left.IsString() {
				return err
			}
			if v.IsFloat() { // the engine's powers are fractions, and text times one is 0
				return e.fail(errors.New("text times a power or a fraction is not supported"))
			}
			return e.take(times(int64(len(left.String())), int64(v.Integer())))
		}),
		guardSlice: one(e.made),
		guardTarget: func(args *exec.VarArgs) *exec.Value {
			v := args.First()
			size := sizeOf(v, e.memory)
			err := e.fits(size)
			if err == nil && !v.IsString() { // the engine copies it; of strings, methods count what they make
				err = e.take(size)
			}
			if err != nil { // as an error it would not keep the engine from going on
				return exec.AsValue(refusal{err})
			}
			return v
		},
		guardLoop: one(func(v *exec.Value) error {
			n := loopSize(v)
			if err := e.use(v); err != nil {
				return err
			}
			if err := e.take(n); err != nil {
				return err
			}
			e.loops += n
			return nil
		}),
	}
}

// refusal stands for a value whose methods all fail.
type refusal struct{ err error }

func (r refusal) GetAttribute(string) (*exec.Value, bool) {
	return exec.AsValue(func(*exec.VarArgs) (*exec.Value, error) { return nil, r.err }), true
}

// sizeOf returns how many bytes v is as text, at least: elements of lists and dictionaries count for more. It gives up
// beyond limit, where a list holds itself, and where lists hold each other many times over.
func sizeOf(v *exec.Value, limit int64) int64 {
	m := measure{limit: limit}
	m.value(v, 0)
	return m.size
}

type measure struct{ size, limit int64 }

func (m *measure) value(v *exec.Value, depth int) {
	if v != nil {
		m.reflected(v.Val, depth)
	}
}

func (m *measure) reflected(v reflect.Value, depth int) {
	if m.size > m.limit || !v.IsValid() {
		return
	}
	if depth > maxValueDepth {
		m.size = math.MaxInt64
		return
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case *exec.Value:
			m.value(x, depth+1)
			return
		case *exec.Dict:
			v = reflect.ValueOf(x.Pairs)
		case *exec.Pair:
			m.value(x.Key, depth+1)
			m.value(x.Value, depth+1)
			return
		}
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		m.reflected(v.Elem(), depth+1)
	case reflect.String:
		m.size = plus(m.size, int64(v.Len()))
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			m.size = plus(m.size, int64(v.Len()))
			return
		}
		for i := range v.Len() {
			m.size = plus(m.size, elementBytes)
			m.reflected(v.Index(i), depth+1)
			if m.size > m.limit {
				return
			}
		}
	case reflect.Map:
		for r := v.MapRange(); r.Next() && m.size <= m.limit; {
			m.size = plus(m.size, 2*elementBytes)
			m.reflected(r.Key(), depth+1)
			m.reflected(r.Value(), depth+1)
		}
	default:
		m.size = plus(m.size, 24) // a number
	}
}

// plus and times stop at the largest number.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func times(a, b int64) int64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > math.MaxInt64/b {
		return math.MaxInt64
	}
	return a * b
}

// growth returns what a filter or method may make beyond a small multiple of its input: self, of so many bytes with its
// arguments.
type growth func(self *exec.Value, args *exec.VarArgs, size int64) int64

// templateFilters are the filters there are.
var templateFilters = map[string]growth{
	"abs": nil, "attr": nil, "batch": loopAnd(byNumber(elementBytes)), "capitalize": nil, "center": byNumber(1), "default": nil, "d": nil,
	"dictsort": nil, "e": nil, "escape": nil, "filesizeformat": nil, "first": nil, "float": nil, "forceescape": nil, "format": byPercent,
	"groupby": loop, "indent": byLines, "int": nil, "join": loopAnd(byElements), "items": nil, "last": nil, "length": nil, "count": nil,
	"list": loop, "lower": nil, "map": loop, "max": loop, "min": loop, "pprint": nil, "random": loop, "rejectattr": loop, "reject": loop,
	"replace": byReplacement, "reverse": loop, "round": nil, "safe": nil, "selectattr": loop, "select": loop,
	"slice": loopAnd(byNumber(elementBytes)), "sort": loop, "string": nil, "striptags": nil, "sum": loop, "title": nil, "tojson": byIndent,
	"trim": nil, "truncate": nil, "unique": loop, "upper": nil, "urlencode": nil, "urlize": byArguments, "wordcount": nil,
	"wordwrap": byArguments, "xmlattr": byArguments,
}

// templateMethods are the methods of strings.
var templateMethods = map[string]growth{
	"capitalize": nil, "capwords": nil, "casefold": nil, "center": byNumber(1), "count": nil, "encode": nil, "endswith": nil,
	"expandtabs": byTabs, "find": nil, "format": byBraces, "isalnum": nil, "isalpha": nil, "isascii": nil, "isdecimal": nil,
	"isdigit": nil, "islower": nil, "isnumeric": nil, "isprintable": nil, "isspace": nil, "istitle": nil, "isupper": nil,
	"join": byJoined, "ljust": byNumber(1), "lower": nil, "lstrip": nil, "partition": nil, "removeprefix": nil, "removesuffix": nil,
	"replace": byReplacement, "rfind": nil, "rjust": byNumber(1), "rpartition": nil, "rsplit": byPieces, "rstrip": nil, "split": byPieces,
	"splitlines": byPieces, "startswith": nil, "strip": nil, "swapcase": nil, "title": nil, "upper": nil, "zfill": byNumber(1),
}

// each goes over a call's arguments.
func each(args *exec.VarArgs, f func(v *exec.Value)) {
	for _, v := range args.Args {
		f(v)
	}
	for _, v := range args.KwArgs {
		f(v)
	}
}

// largest is the greatest number among the arguments.
func largest(args *exec.VarArgs) (n int64) {
	each(args, func(v *exec.Value) {
		if v.IsNumber() {
			n = max(n, int64(min(v.Float(), 1<<62)))
		}
	})
	return n
}

// longest is the length of the longest text among the arguments, 1 at least.
func longest(args *exec.VarArgs) int64 {
	n := 1
	each(args, func(v *exec.Value) {
		if v.IsString() {
			n = max(n, len(v.String()))
		}
	})
	return int64(n)
}

// text is argument i, or the one of a name, where it is text.
func text(args *exec.VarArgs, i int, name string) string {
	v := args.KwArgs[name]
	if v == nil && i < len(args.Args) {
		v = args.Args[i]
	}
	if v == nil || !v.IsString() {
		return ""
	}
	return v.String()
}

func loop(self *exec.Value, _ *exec.VarArgs, _ int64) int64 { return loopSize(self) }

func loopAnd(g growth) growth {
	return func(self *exec.Value, args *exec.VarArgs, size int64) int64 {
		return plus(loopSize(self), g(self, args, size))
	}
}

// byNumber: as many as a number says.
func byNumber(bytes int64) growth {
	return func(_ *exec.Value, args *exec.VarArgs, _ int64) int64 {
		return times(bytes, times(largest(args), longest(args)))
	}
}

// byLines: so much before every line.
func byLines(self *exec.Value, args *exec.VarArgs, _ int64) int64 {
	return times(int64(1+strings.Count(self.String(), "\n")), max(largest(args), longest(args)))
}

// byIndent: so much before every line of JSON, by its depth; a line is an element or a bracket.
func byIndent(_ *exec.Value, args *exec.VarArgs, size int64) int64 {
	return times(largest(args), times(maxValueDepth, 2+size/(elementBytes/2)))
}

// byElements: a separator between elements.
func byElements(self *exec.Value, args *exec.VarArgs, _ int64) int64 {
	return times(int64(elements(self)), longest(args))
}

// byArguments: the arguments around any part of the text.
func byArguments(_ *exec.Value, args *exec.VarArgs, size int64) int64 {
	return times(size, longest(args)-1)
}

// byJoined: self between the elements of the argument.
func byJoined(self *exec.Value, args *exec.VarArgs, _ int64) (n int64) {
	each(args, func(v *exec.Value) {
		n = plus(n, plus(loopSize(v), times(int64(elements(v)), int64(len(self.String())))))
	})
	return n
}

func byReplacement(self *exec.Value, args *exec.VarArgs, _ int64) int64 {
	old := text(args, 0, "old")
	return times(int64(strings.Count(self.String(), old)), int64(len(text(args, 1, "new"))))
}

func byTabs(self *exec.Value, args *exec.VarArgs, _ int64) int64 {
	return times(int64(strings.Count(self.String(), "\t")), max(8, largest(args)))
}

// byPieces: a list of pieces, one for two characters at most where words are split.
func byPieces(self *exec.Value, args *exec.VarArgs, _ int64) int64 {
	n := len(self.String()) / 2
	if separator := text(args, 0, "sep"); separator != "" {
		n = strings.Count(self.String(), separator)
	}
	return times(elementBytes, int64(1+n))
}

// byPercent: Go's formats, whose widths end at a million; each may print any argument.
func byPercent(self *exec.Value, args *exec.VarArgs, size int64) int64 {
	s := self.String()
	width := min(1<<20, max(largestNumber(s), largest(args)))
	return times(int64(strings.Count(s, "%")), plus(width, size))
}

// byBraces: Python's formats; each may print any argument, in a width that stands there or is an argument.
func byBraces(self *exec.Value, args *exec.VarArgs, size int64) int64 {
	s := self.String()
	return times(int64(strings.Count(s, "{")), plus(max(largestNumber(s), largest(args)), size))
}

// largestNumber is the greatest number written in s.
func largestNumber(s string) (n int64) {
	for _, digits := range strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsDigit(r) }) {
		v, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			v = math.MaxInt64 // too many digits, or those of another script
		}
		n = max(n, v)
	}
	return n
}

// filters are the filters of one rendering.
func (e *effort) filters() *exec.FilterSet {
	set := map[string]exec.FilterFunction{}
	for name, grows := range templateFilters {
		filter, ok := builtins.Filters.Get(name)
		if !ok {
			panic(fmt.Sprintf("tokenizer: the template engine has no filter %q", name))
		}
		set[name] = func(x *exec.Evaluator, in *exec.Value, args *exec.VarArgs) *exec.Value {
			if err := e.before(in, args, grows); err != nil {
				return exec.AsValue(err)
			}
			out := filter(x, in, args)
			if err := e.made(out); err != nil {
				return exec.AsValue(err)
			}
			return out
		}
	}
	return exec.NewFilterSet(set)
}

func (e *effort) before(self *exec.Value, args *exec.VarArgs, grows growth) error {
	size, err := e.arguments(args)
	if err != nil {
		return err
	}
	own := sizeOf(self, e.memory)
	if err := e.fits(own); err != nil || grows == nil {
		return err
	}
	return e.fits(grows(self, args, plus(size, own)))
}

// methods are the methods of one rendering.
func (e *effort) methods() exec.Methods {
	set := map[string]exec.Method[string]{}
	for name, grows := range templateMethods {
		method, ok := builtins.Methods.Str.Get(name)
		if !ok {
			panic(fmt.Sprintf("tokenizer: the template engine's strings have no method %q", name))
		}
		set[name] = func(self string, value *exec.Value, args *exec.VarArgs) (any, error) {
			if err := e.before(value, args, grows); err != nil {
				return nil, err
			}
			if name == "replace" && len(args.Args) == 2 { // Python's default, which the engine does not have
				args.Args = append(args.Args, exec.AsValue(-1))
			}
			out, err := method(self, value, args)
			if err != nil {
				return nil, err
			}
			return out, e.made(exec.AsValue(out))
		}
	}
	m := builtins.Methods
	m.Str = exec.NewMethodSet(set)
	return m
}
