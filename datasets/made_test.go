package datasets

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/datasets/graphwalks"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// The contract's samples of tasks whose prompts are made are few and short.
func init() {
	contractData["graphwalks"] = func(_ *testing.T, _ string, own any) {
		o := own.(*GraphWalksOptions)
		o.Lengths, o.Trials = []int{700, 400}, 2
	}
	contractData["infinitebench"] = func(_ *testing.T, _ string, own any) {
		o := own.(*InfiniteBenchOptions)
		o.Lengths, o.Trials = []int{900, 600}, 2
	}
	contractData["json-kv"] = func(_ *testing.T, _ string, own any) {
		own.(*JSONKVOptions).Lengths = []int{900, 600}
	}
	contractData["longeval"] = func(_ *testing.T, _ string, own any) {
		o := own.(*LinesOptions)
		o.Lengths, o.Trials = []int{900, 400}, 2
	}
}

// madeTasks are the tasks whose prompts are made, by name, under the contract's options.
func madeTasks(t testing.TB, options func(own any)) map[string]*madeTask {
	t.Helper()
	tasks := map[string]*madeTask{}
	for _, family := range []string{"graphwalks", "infinitebench", "json-kv", "longeval", "ruler2"} {
		for _, d := range Definitions() {
			if d.Family != family {
				continue
			}
			for _, name := range d.Names {
				own := d.Own()
				options(own)
				task, err := Open(name, Options{Own: own})
				if err != nil {
					t.Fatal(err)
				}
				tasks[name] = task.(*madeTask)
			}
		}
	}
	return tasks
}

// setOption sets an option by its flag, where the task has it.
func setOption(t testing.TB, own any, name string, values ...string) {
	t.Helper()
	for _, o := range OptionsOf(own) {
		if o.Name == name {
			if err := o.Set(values); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A prompt is never longer than asked, and one more piece would not fit, or hardly.
func TestMadeFits(t *testing.T) {
	for name, task := range madeTasks(t, func(own any) { setOption(t, own, "lengths", "600", "1500"); setOption(t, own, "trials", "2") }) {
		for _, m := range []Model{{Tokenizer: wordwise(), Chat: chatml}, {Tokenizer: pairwise()}} {
			for i := range task.Len() {
				c := task.grid.cell(i)
				if m.Chat == nil {
					c.length *= 4 // two bytes a token
				}
				p, err := task.fit(c, m)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				if p.tokens() > c.length {
					t.Fatalf("%s, %s: %d %s, %d tokens", name, task.ID(i), p.size, task.grid.unit, p.tokens())
				}
				next, err := task.write(c, p.size+1, m)
				if err != nil {
					t.Fatal(err)
				}
				if each := next.tokens() / (p.size + 1); next.tokens() <= c.length && c.length-p.tokens() > each {
					t.Errorf("%s, %s: %d of %d tokens are used, though one more piece takes but %d", name, task.ID(i), p.tokens(), c.length, next.tokens()-p.tokens())
				}
			}
		}
		if _, err := task.fit(cell{length: 20}, Model{Tokenizer: wordwise()}); err == nil || !strings.Contains(err.Error(), "no room") {
			t.Errorf("%s: 20 tokens: %v", name, err)
		}
	}
}

// Marks are of the passages that they name, in the final prompt.
func TestMadeMarks(t *testing.T) {
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	named := map[string]int{}
	for name, task := range madeTasks(t, func(own any) { setOption(t, own, "sizes", "120"); setOption(t, own, "trials", "3") }) {
		for i := range task.Len() {
			s := task.Sample(i, m)
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			asked := false
			needles := []string{}
			for _, mark := range s.Marks {
				named[mark.Name]++
				text := s.Prompt[mark.From:mark.To]
				switch mark.Name {
				case "value":
					if !slices.Contains(s.Answers, text) {
						t.Errorf("%s, %s: the value %q, the answer %q", name, s.ID, text, s.Answers)
					}
				case "needle":
					needles = append(needles, text)
				case "question":
					asked = true
				}
			}
			if asked != (name != "infinitebench.math_calc") { // which has no question in its prompt
				t.Errorf("%s, %s: a question is marked: %t", name, s.ID, asked)
			}
			switch {
			case strings.HasPrefix(name, "graphwalks"):
				var nodes []string
				for line := range strings.SplitSeq(s.Prompt, "\n") {
					if from, to, ok := strings.Cut(line, " -> "); ok && strings.Contains(line, asOperation(s.Prompt)) {
						nodes = append(nodes, from+" -> "+to)
					}
				}
				if strings.HasSuffix(name, ".parents") {
					nodes = slices.DeleteFunc(nodes, func(line string) bool { return !strings.HasSuffix(line, asOperation(s.Prompt)) })
					if !slices.Equal(nodes, needles) {
						t.Errorf("%s, %s: edges into the node %q, marked %q", name, s.ID, nodes, needles)
					}
				}
			case name == "infinitebench.code_run":
				if n := 2*(task.grid.cell(i).trial%5) + 2; len(needles) != n {
					t.Errorf("%s: %d functions are marked, of %d layers", s.ID, len(needles), n)
				}
			case strings.HasPrefix(name, "infinitebench.math"):
			default:
				right := len(needles) == len(s.Answers)
				for k, needle := range needles {
					right = right && strings.Contains(needle, s.Answers[k]) && strings.Count(s.Prompt, needle) == 1
				}
				if !right {
					t.Errorf("%s, %s: the needles %q, the answer %q", name, s.ID, needles, s.Answers)
				}
			}
		}
	}
	if named["needle"] == 0 || named["value"] == 0 || named["question"] == 0 {
		t.Errorf("marks: %v", named)
	}
}

// asOperation is the node that a prompt's operation names.
func asOperation(prompt string) string {
	_, rest, _ := strings.Cut(prompt[strings.LastIndex(prompt, "Operation:\n"):], "node ")
	return rest[:len(graphwalks.Node(0))]
}

// The benchmarks' own grids, where nothing is asked for.
func TestMadePublished(t *testing.T) {
	want := map[string]int{
		"infinitebench.passkey": 590, "infinitebench.number_string": 590, "infinitebench.kv_retrieval": 500,
		"infinitebench.math_find": 350, "infinitebench.math_calc": 50, "infinitebench.code_run": 400,
		"longeval.lines": 6 * 50, "lost-in-the-middle": 3 * 5 * 20, "helmet.json-kv": 6 * 6 * 17,
	}
	tasks := madeTasks(t, func(any) {})
	for name, n := range want {
		if got := tasks[name].Len(); got != n {
			t.Errorf("%s: %d samples, want %d", name, got, n)
		}
	}
	places := func(name string, n int) (list []int) {
		for i := range tasks[name].Len() {
			list = append(list, tasks[name].grid.cell(i).among(n))
		}
		return list
	}
	for i, at := range places("infinitebench.passkey", 5221) {
		if want := i / 10 * 90; at != want && at != want+1 { // 5,220 lines have 5,221 places
			t.Fatalf("row %d: the key after %d lines, want %d", i, at, want)
		}
	}
	for i, at := range places("infinitebench.kv_retrieval", 2500) {
		if at != 5*i {
			t.Fatalf("row %d: pair %d is asked for, want %d", i, at, 5*i)
		}
	}
	layers := map[int]int{}
	for i := range 400 {
		layers[2*(tasks["infinitebench.code_run"].grid.cell(i).trial%5)+2]++
	}
	if fmt.Sprint(layers) != "map[2:80 4:80 6:80 8:80 10:80]" {
		t.Errorf("layers of code_run: %v", layers)
	}
}

// Whatever is asked for, a mistake is named.
func TestMadeOptions(t *testing.T) {
	for _, c := range []struct{ task, option, value, also, want string }{
		{"lost-in-the-middle", "lengths", "1k", "sizes", "exclude each other"},
		{"lost-in-the-middle", "sizes", "4194305", "", "have 1 to 4194304 pairs"},
		{"longeval.lines", "trials", "100001", "", "too many"},
		{"infinitebench.math_find", "depths", "50%", "", "no place"},
		{"infinitebench.passkey", "protocol", "gpt5", "", `unknown protocol "gpt5": did you mean gpt4? have claude2, gpt4, kimi, yarn-mistral, lm-eval, kvpress`},
		{"graphwalks.bfs", "out-degree", "1001", "", "1 to 1000"},
		{"helmet.json-kv", "depths", "50,50", "", "asked for twice"},
	} {
		d, err := Define(c.task)
		if err != nil {
			t.Fatal(err)
		}
		own := d.Own()
		setOption(t, own, c.option, strings.Split(c.value, ",")...)
		if c.also != "" {
			setOption(t, own, c.also, "7")
		}
		if _, err := Open(c.task, Options{Own: own}); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.task) {
			t.Errorf("%s with %s %s: %v, want %q", c.task, c.option, c.value, err, c.want)
		}
	}
	// Too small for what is asked, which is known only as the sample is made.
	own := &JSONKVOptions{}
	own.Sizes = []int{1}
	task, err := Open("helmet.json-kv", Options{Own: own})
	if err != nil {
		t.Fatal(err)
	}
	if s := task.Sample(0, Model{Tokenizer: wordwise()}); s.Err == nil || !strings.Contains(s.Err.Error(), "1 pairs") {
		t.Errorf("one pair with two examples: %v", s.Err)
	}
}

// A protocol changes the prompt and not the row; kvpress reads the question behind the compressed context.
func TestInfiniteBenchProtocols(t *testing.T) {
	m := Model{Tokenizer: bytewise(), Chat: chatml}
	for _, task := range []string{"passkey", "number_string", "kv_retrieval", "math_find", "math_calc", "code_run"} {
		var first Sample
		for _, protocol := range []string{"gpt4", "yarn-mistral", "claude2", "kimi", "lm-eval", "kvpress"} {
			own := &InfiniteBenchOptions{Protocol: protocol}
			own.Sizes = []int{120}
			opened, err := Open("infinitebench."+task, Options{Own: own})
			if err != nil {
				t.Fatal(err)
			}
			s := opened.Sample(0, m)
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			if protocol == "gpt4" {
				first = s
			}
			if s.Protocol != protocol || s.ID != first.ID || !slices.Equal(s.Answers, first.Answers) || m.Tokenizer.Decode(slices.Concat(s.IDs, s.Question), false) != s.Prompt {
				t.Errorf("%s by %s: %s %q, by gpt4 %s %q", task, protocol, s.ID, s.Answers, first.ID, first.Answers)
			}
			if apart := len(s.Question) > 0; apart != (protocol == "kvpress") {
				t.Errorf("%s by %s: the question is apart: %t", task, protocol, apart)
			}
			if chat := strings.Contains(s.Prompt, "<|im_start|>user"); chat != (protocol != "yarn-mistral") {
				t.Errorf("%s by %s: in a chat template: %t", task, protocol, chat)
			}
			if system := strings.Contains(s.Prompt, "<|im_start|>system\nYou are a calculator"); system != (protocol == "gpt4" && task == "math_calc") {
				t.Errorf("%s by %s: the calculator's system message: %t", task, protocol, system)
			}
			if stops := len(s.StopStrings) > 0; stops != (protocol == "lm-eval") {
				t.Errorf("%s by %s stops at %q", task, protocol, s.StopStrings)
			}
		}
	}
}

// Prompts that lost-in-the-middle's and HELMET's own code made.
func TestSharedJSONKVPrompts(t *testing.T) {
	var file struct {
		Prompts []struct {
			Records            [][2]string
			Key, Value, Prompt string
			First              string `json:"prompt_query_first"`
		}
		HELMET []struct {
			Records                           [][2]string
			Context, Question, Answer, Prompt string
			Demos                             [][2]string
		} `json:"helmet_prompts"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "json_kv.json"), &file)
	at := func(records [][2]string, key string) int {
		return slices.IndexFunc(records, func(r [2]string) bool { return r[0] == key })
	}
	prompt := func(p made) string {
		head, tail, err := p.around(Model{})
		if err != nil {
			t.Fatal(err)
		}
		return head + p.context + tail
	}
	compared := 0
	for i, c := range file.Prompts {
		for first, want := range map[bool]string{false: c.Prompt, true: c.First} {
			p := lostPrompt(c.Records, at(c.Records, c.Key), first)
			if got := prompt(p); got != want || p.answers[0] != c.Value {
				t.Errorf("prompt %d is\n%q, want\n%q", i, got, want)
			}
			compared++
		}
	}
	for i, c := range file.HELMET {
		var demos []int
		for _, d := range c.Demos {
			demos = append(demos, at(c.Records, d[0]))
		}
		p := helmetPrompt(c.Records, at(c.Records, c.Question), demos)
		if got := prompt(p); got != c.Prompt || p.answers[0] != c.Answer {
			t.Errorf("HELMET's prompt %d is\n%q, want\n%q", i, got, c.Prompt)
		}
		compared++
	}
	if compared == 0 {
		t.Fatal("no prompts")
	}
	t.Logf("json_kv.json: %d prompts equal", compared)
}

// LongEval's frame, from the file of templates.
func TestSharedLinesPrompt(t *testing.T) {
	var file struct {
		Lines struct{ Header, Line, Footer string } `json:"longeval_lines"`
	}
	sharedtest.JSON(t, sharedtest.Path(t, "ruler", "templates.json"), &file)
	list := []registerLine{{"torpid-kid", "24169"}, {"moaning-conversation", "7"}}
	want := file.Lines.Header
	for _, l := range list {
		want += strings.NewReplacer("{index}", l.name, "{number}", l.number).Replace(file.Lines.Line)
	}
	want += strings.ReplaceAll(file.Lines.Footer, "{index}", list[1].name)
	p := linesPrompt(list, 1)
	head, tail, err := p.around(Model{})
	if got := head + p.context + tail; err != nil || got != want {
		t.Errorf("the prompt is\n%q, want\n%q", got, want)
	}
}

// Prompts of 128K tokens take less than a second each.
func BenchmarkMade128K(b *testing.B) {
	m := smolLM2(b)
	m.ContextLength = 0
	for name, task := range madeTasks(b, func(own any) { setOption(b, own, "lengths", "128k") }) {
		b.Run(name, func(b *testing.B) {
			for i := range b.N {
				s := task.Sample(i%task.Len(), m)
				if s.Err != nil {
					b.Fatal(s.Err)
				}
				b.ReportMetric(float64(len(s.IDs)+len(s.Question)), "tokens")
			}
		})
	}
}

// Families that say different things of one flag are named.
func TestUsageOf(t *testing.T) {
	if got := UsageOf("needles", "longbench", "needle"); strings.Contains(got, "needle: ") || got == "" {
		t.Errorf("an option of one family: %q", got)
	}
	got := UsageOf("protocol", "infinitebench", "longbench", "needle")
	if !strings.HasPrefix(got, "infinitebench: whose prompt: gpt4") || !strings.Contains(got, "; longbench: how a row becomes a prompt") {
		t.Errorf("an option of two families: %q", got)
	}
	if got := UsageOf("sizes", "infinitebench", "json-kv"); strings.Contains(got, "json-kv: ") {
		t.Errorf("an option of which two families say the same: %q", got)
	}
}
