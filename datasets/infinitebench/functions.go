package infinitebench

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Function is one of code_run's functions: it returns what Calls returns, plus Add.
type Function struct {
	Name  int
	Calls int // 0: none, it starts from its own argument
	Add   int
}

// Functions draws n functions in so many layers, each of which calls one of the next layer, in the
// order of their names, and which of the first layer is called with which argument.
func Functions(n, layers int, intn func(int) int) (list []Function, call, x int) {
	each := n / layers
	names := make([]int, 2*n)
	for i := range names {
		names[i] = i + 1
	}
	for i := range each * layers { // a partial shuffle: the first of them are a sample
		k := i + intn(len(names)-i)
		names[i], names[k] = names[k], names[i]
	}
	for i, name := range names[:each*layers] {
		f := Function{Name: name, Add: intn(30) - 12}
		if layer := i / each; layer < layers-1 {
			f.Calls = names[(layer+1)*each+intn(each)]
		}
		list = append(list, f)
	}
	call, x = names[intn(each)], intn(21)-10
	slices.SortFunc(list, func(a, b Function) int { return cmp.Compare(a.Name, b.Name) })
	return list, call, x
}

// Run is a row of code_run: the value of a function of the list at x. The functions that the answer rests
// on are in as many places; chain has where each stands in the context, the one called first. The error
// says which function is missing.
func Run(list []Function, name, x int) (row Row, chain []Span, err error) {
	t := texts().Rows["code_run"]
	var b strings.Builder
	b.WriteString(t.Head)
	where, by := map[int]Span{}, map[int]Function{}
	for _, f := range list {
		from := b.Len()
		fmt.Fprintf(&b, "def func_%d(x):\n    return ", f.Name)
		if f.Calls == 0 {
			b.WriteString("x")
		} else {
			fmt.Fprintf(&b, "func_%d(x)", f.Calls)
		}
		switch {
		case f.Add < 0:
			fmt.Fprintf(&b, " - %d", -f.Add)
		case f.Add > 0:
			fmt.Fprintf(&b, " + %d", f.Add)
		}
		where[f.Name], by[f.Name] = Span{from, b.Len()}, f
		b.WriteString("\n\n")
	}
	value, f := x, Function{Calls: name}
	for f.Calls != 0 {
		next, ok := by[f.Calls]
		if !ok || len(chain) == len(list) {
			return Row{}, nil, fmt.Errorf("func_%d is not there, or calls itself", f.Calls)
		}
		f = next
		value += f.Add
		chain = append(chain, where[f.Name])
	}
	call := fmt.Sprintf("func_%d(%d)", name, x)
	return Row{
		Task: "code_run", Context: b.String(), Input: strings.ReplaceAll(t.Input, "{func_call}", call), Func: fmt.Sprintf("func_%d", name), Call: call,
		Answer: strconv.Itoa(value),
	}, chain, nil
}
