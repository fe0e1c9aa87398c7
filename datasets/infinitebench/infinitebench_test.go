package infinitebench

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// Rows of the original builders, made again from the numbers that they hold, and their prompts.
func TestSharedRows(t *testing.T) {
	var file struct {
		Samples []struct {
			Task string
			Row  struct {
				Context, Input string
				Answer         json.RawMessage
			}
			Prompts map[string]string
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "infinitebench.json"), &file)
	rows, prompts := map[string]int{}, 0
	for i, s := range file.Samples {
		if !slices.Contains(Tasks(), s.Task) {
			continue
		}
		row, err := again(s.Task, s.Row.Context, s.Row.Input)
		if err != nil {
			t.Fatalf("sample %d: %v", i, err)
		}
		answer := string(s.Row.Answer)
		if text, err := strconv.Unquote(answer); err == nil {
			answer = text
		}
		if row.Context != s.Row.Context || row.Input != s.Row.Input || row.Answer != answer {
			t.Errorf("sample %d: the row is %q, %q, %s, want %q, %q, %s", i, row.Context, row.Input, row.Answer, s.Row.Context, s.Row.Input, answer)
		}
		for model, want := range s.Prompts {
			_, message, err := row.Prompt(model, row.Context)
			if err != nil || message != want {
				t.Errorf("sample %d: the prompt of %s is\n%q, %v, want\n%q", i, model, message, err, want)
			}
			prompts++
		}
		rows[s.Task]++
	}
	if prompts == 0 {
		t.Fatal("no prompts")
	}
	t.Logf("infinitebench.json: rows %v and %d prompts equal", rows, prompts)
}

// again makes a row from the numbers that its context holds.
func again(task, context, input string) (Row, error) {
	switch task {
	case "passkey", "number_string":
		key := regexp.MustCompile(`[0-9]+`).FindString(context)
		before := strings.Count(context[:strings.Index(context, key)], texts().Noise)
		return Hidden(task, key, before, strings.Count(context, texts().Noise)-before), nil
	case "kv_retrieval":
		uuid := regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
		all := uuid.FindAllString(context, -1)
		var pairs [][2]string
		for pair := range slices.Chunk(all, 2) {
			pairs = append(pairs, [2]string(pair))
		}
		key := uuid.FindString(input)
		return KV(pairs, slices.IndexFunc(pairs, func(p [2]string) bool { return p[0] == key })), nil
	case "math_find":
		var numbers []int
		if err := json.Unmarshal([]byte(context), &numbers); err != nil {
			return Row{}, err
		}
		question := slices.IndexFunc(texts().Rows["math_find"].Numbers, func(n string) bool { return strings.Contains(input, "The "+n+" of") })
		return Find(question, numbers)
	case "math_calc":
		var terms []Term
		minus := false
		for _, word := range strings.Fields(context) {
			if n, err := strconv.Atoi(word); err == nil {
				terms = append(terms, Term{minus, n})
			}
			minus = word == "-"
		}
		return Calc(terms), nil
	}
	var list []Function
	for _, m := range regexp.MustCompile(`def func_(\d+)\(x\):\n    return (?:func_(\d+)\(x\)|x)(?: ([+-]) (\d+))?\n`).FindAllStringSubmatch(context, -1) {
		number := func(s string) int { n, _ := strconv.Atoi(s); return n } // 0 for none
		list = append(list, Function{Name: number(m[1]), Calls: number(m[2]), Add: number(m[3] + m[4])})
	}
	var name, x int
	call := input[strings.Index(input, "func_"):]
	if _, err := fmt.Sscanf(call, "func_%d(%d)", &name, &x); err != nil {
		return Row{}, err
	}
	row, _, err := Run(list, name, x)
	return row, err
}

// counter draws 0, 1, 2 … modulo the bound.
func counter() func(int) int {
	n := -1
	return func(bound int) int { n++; return n % bound }
}

// What rows promise, whatever is drawn.
func TestDraws(t *testing.T) {
	draws := counter()
	for range 50 {
		key := PassKey(draws)
		row := Hidden("passkey", key, 3, 2)
		if row.Context[row.Value.From:row.Value.To] != key || row.Context[row.Needle.From:row.Needle.To] != "The pass key is "+key+". Remember it. "+key+" is the pass key." {
			t.Fatalf("the key %s in %q is at %v, %v", key, row.Context, row.Needle, row.Value)
		}
		if s := NumberString(draws); len(s) != 10 {
			t.Fatalf("the string %q", s)
		}
		terms := Terms(60, draws)
		var values []int
		if err := json.Unmarshal([]byte(Calc(terms).Answer), &values); err != nil || len(values) != 59 {
			t.Fatalf("%d values, %v", len(values), err)
		}
		for _, v := range values {
			if v < 0 || v > 99 {
				t.Fatalf("the value %d of %v", v, terms)
			}
		}
		for question := range Questions {
			numbers := Numbers(question, 400, draws)
			row, err := Find(question, numbers)
			if err != nil {
				t.Fatal(err)
			}
			if low, high := slices.Min(numbers), slices.Max(numbers); low < 0 || high > 99 || row.Prefix == "" || strings.Contains(row.Prefix+row.Input, "{") {
				t.Fatalf("numbers from %d to %d, %+v", low, high, row)
			}
		}
		for layers := 2; layers <= 10; layers += 2 {
			list, call, x := Functions(60, layers, draws)
			row, chain, err := Run(list, call, x)
			if err != nil || len(list) != 60/layers*layers || len(chain) != layers || !slices.IsSortedFunc(list, func(a, b Function) int { return a.Name - b.Name }) {
				t.Fatalf("%d functions in %d layers: a chain of %d, %v", len(list), layers, len(chain), err)
			}
			if first := row.Context[chain[0].From:chain[0].To]; !strings.HasPrefix(first, "def "+row.Func+"(x):\n") {
				t.Fatalf("the chain begins with %q, asked is %s", first, row.Call)
			}
		}
	}
	if _, err := Find(2, []int{5, 5, 6}); err == nil {
		t.Error("a third largest of two different numbers")
	}
	if _, _, err := Run([]Function{{Name: 1, Calls: 1}}, 1, 0); err == nil {
		t.Error("a function that calls itself has a value")
	}
}

// Every template fills in every task, and leaves the mark once.
func TestTemplates(t *testing.T) {
	for _, task := range Tasks() {
		row := Row{Task: task, Input: "INPUT", Prefix: "PREFIX", Func: "FUNC", Call: "CALL"}
		for _, model := range Templates() {
			system, message, err := row.Prompt(model, "MARK")
			if err != nil || strings.Count(message, "MARK") != 1 || strings.ContainsAny(message, "{}") || (system != "") != (model == "gpt4" && task == "math_calc") {
				t.Errorf("%s for %s: %q, %q, %v", task, model, system, message, err)
			}
		}
		if message := row.Message("MARK"); strings.Count(message, "MARK") != 1 || strings.ContainsAny(message, "{}") {
			t.Errorf("%s for lm-evaluation-harness: %q", task, message)
		}
		if context, _, _ := row.Apart("MARK"); strings.Count(context, "MARK") != 1 || strings.ContainsAny(context, "{}") {
			t.Errorf("%s for kvpress: %q", task, context)
		}
		if n, more := MaxNew(task); n < 1 || more != 20 {
			t.Errorf("%s: %d new tokens, %d more", task, n, more)
		}
	}
	if _, _, err := (Row{Task: "passkey"}).Prompt("gpt5", ""); err == nil || !strings.Contains(err.Error(), "gpt4, kimi, yarn-mistral") {
		t.Errorf("a model without prompts: %v", err)
	}
}
