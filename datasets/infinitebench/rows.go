package infinitebench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Hidden is a row of passkey or number_string: the key's line with noise lines before and after.
func Hidden(task, key string, before, after int) Row {
	t := texts().Rows[task]
	noise := texts().Noise
	needle := strings.ReplaceAll(t.Needle, "{key}", key)
	at := before * len(noise)
	value := at + strings.Index(needle, key)
	return Row{
		Task: task, Input: t.Input, Answer: key,
		Context: strings.Repeat(noise, before) + needle + strings.Repeat(noise, after),
		Needle:  Span{at, at + len(needle) - 1}, Value: Span{value, value + len(key)},
	}
}

// PassKey draws five digits.
func PassKey(intn func(int) int) string {
	b := make([]byte, 5)
	for i := range b {
		b[i] = byte('0' + intn(10))
	}
	return string(b)
}

// NumberString draws five digits, and five times doubles the one at a random place.
func NumberString(intn func(int) int) string {
	b := []byte(PassKey(intn))
	for range 5 {
		at := intn(len(b))
		b = slices.Insert(b, at, b[at])
	}
	return string(b)
}

// KV is a row of kv_retrieval: keys and values as a JSON object in one line.
func KV(pairs [][2]string, asked int) Row {
	t := texts().Rows["kv_retrieval"]
	var b strings.Builder
	b.WriteString(t.Head + "{")
	var needle, value Span
	for i, p := range pairs {
		if i > 0 {
			b.WriteString(", ")
		}
		from := b.Len()
		b.WriteString(`"` + p[0] + `": "` + p[1] + `"`)
		if i == asked {
			needle = Span{from, b.Len()}
			value = Span{b.Len() - 1 - len(p[1]), b.Len() - 1}
		}
	}
	b.WriteString("}")
	return Row{
		Task: "kv_retrieval", Context: b.String(), Input: strings.ReplaceAll(t.Input, "{key}", pairs[asked][0]), Answer: pairs[asked][1],
		Needle: needle, Value: value,
	}
}

// Questions is the number of math_find's questions: largest, second, third, smallest, second,
// third, median.
const Questions = 7

// highest and the outer fifths, from which the numbers' bounds are drawn.
const (
	highest    = 99
	lowestHigh = highest * 8 / 10
	highestLow = highest * 2 / 10
)

// Numbers draws a list of n numbers for a question of math_find: from 0 to a bound in the upper fifth for
// the largest, from a bound in the lower fifth to 99 for the smallest, one of these for the median.
func Numbers(question, n int, intn func(int) int) []int {
	low, high := 0, highest
	if question < 3 || question == 6 && intn(2) == 0 {
		high = lowestHigh + intn(highest-lowestHigh+1)
	} else {
		low = intn(highestLow + 1)
	}
	list := make([]int, n)
	for i := range list {
		list[i] = low + intn(high-low+1)
	}
	return list
}

// Find is a row of math_find. Equal numbers count once, but for the median. The error says where
// a list has too few different numbers.
func Find(question int, numbers []int) (Row, error) {
	t := texts().Rows["math_find"]
	sorted := slices.Sorted(slices.Values(numbers))
	n := len(sorted)
	answer := ""
	if question == 6 {
		if n == 0 {
			return Row{}, fmt.Errorf("no median of no numbers")
		}
		if n%2 == 1 {
			answer = strconv.Itoa(sorted[n/2])
		} else {
			answer = strconv.FormatFloat(float64(sorted[n/2]+sorted[n/2-1])/2, 'f', 1, 64)
		}
	} else {
		sorted = slices.Compact(sorted)
		if len(sorted) <= question%3 {
			return Row{}, fmt.Errorf("%d numbers with %d different ones have no %s", n, len(sorted), t.Numbers[question])
		}
		at := question
		if question < 3 {
			at = len(sorted) - 1 - question
		} else {
			at -= 3
		}
		answer = strconv.Itoa(sorted[at])
	}
	name := strings.NewReplacer("{number}", t.Numbers[question])
	return Row{Task: "math_find", Context: pythonList(numbers), Prefix: name.Replace(t.Prefix), Input: name.Replace(t.Input), Answer: answer}, nil
}

// pythonList is a list of numbers as Python prints it.
func pythonList(list []int) string {
	b := []byte{'['}
	for i, n := range list {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return string(append(b, ']'))
}

// Term is a number that is added, or with Minus taken away.
type Term struct {
	Minus bool
	Value int
}

// Terms draws an expression of n terms whose running value stays from 0 to 99.
func Terms(n int, intn func(int) int) []Term {
	terms := make([]Term, n)
	for i := range terms {
		terms[i].Value = intn(highest + 1)
	}
	value := terms[0].Value
	for i := 1; i < n; i++ {
		t := &terms[i]
		room := highest - value
		if t.Minus = intn(2) == 0; t.Minus {
			room = value
		}
		if t.Value > room {
			t.Value = intn(room + 1)
		}
		value += t.signed()
	}
	return terms
}

func (t Term) signed() int {
	if t.Minus {
		return -t.Value
	}
	return t.Value
}

// Calc is a row of math_calc: the answer is the list of the running values after the first term.
func Calc(terms []Term) Row {
	var context []byte
	var values []int
	value := 0
	for i, t := range terms {
		value += t.signed()
		switch {
		case i == 0:
			context = strconv.AppendInt(context, int64(t.Value), 10)
			continue
		case t.Minus:
			context = append(context, " - "...)
		default:
			context = append(context, " + "...)
		}
		context = strconv.AppendInt(context, int64(t.Value), 10)
		values = append(values, value)
	}
	return Row{Task: "math_calc", Context: string(context), Input: texts().Rows["math_calc"].Input, Answer: pythonList(values)}
}
