package datasets

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
)

// v2Row is a row of LongBench v2; fields replace its own.
func v2Row(id string, fields map[string]any) string {
	row := map[string]any{
		"_id": id, "domain": "d", "difficulty": "easy", "length": "short", "question": " Who? ", "choice_A": "Ann $Q$", "choice_B": "Ben",
		"choice_C": "Cid", "choice_D": "Dan", "answer": "B", "context": " Ben did. $C_B$ ",
	}
	for k, v := range fields {
		row[k] = v
	}
	b, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// scRow is a row of SCBench.
func scRow(task, context string, turns ...any) string {
	row := map[string]any{"id": 7, "context": context, "multi_turns": turns}
	if task == "scbench-vt" {
		row = map[string]any{"id": nil, "input": context, "multi_turns": turns}
	}
	b, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	return string(b) + "\n"
}

func scTurn(input string, answer any) any { return map[string]any{"input": input, "answer": answer} }

const mrcrRow = `{"prompt": "[{\"role\": \"user\", \"content\": \"Write a poem about tapirs\"}, {\"role\": \"assistant\", \"content\": \"Oh tapir\"}, {\"role\": \"user\", \"content\": \"Prepend x7Qa to the 1st (1 indexed) poem about tapirs.\"}]", "answer": "x7QaOh tapir", "random_string_to_prepend": "x7Qa"}` + "\n"

func init() {
	contractData["longbench-v2"] = func(t *testing.T, _ string, own any) {
		own.(*LongBenchV2Options).Data = writeFile(t, filepath.Join(t.TempDir(), "data.json"), "["+v2Row("a", nil)+","+v2Row("b", map[string]any{"difficulty": "hard"})+","+v2Row("c", nil)+"]")
	}
	contractData["babilong"] = func(t *testing.T, task string, own any) {
		dir, row := t.TempDir(), `{"input": "Ann has it.\n", "question": "Where? ", "target": "office"}`+"\n"
		writeFile(t, filepath.Join(dir, "data", babilongTask(task), "0k.json"), strings.Repeat(row, 2))
		writeFile(t, filepath.Join(dir, "data", babilongTask(task), "4k.json"), "["+row+"]")
		own.(*BABILongOptions).Data = dir
	}
	contractData["mrcr"] = func(t *testing.T, task string, own any) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, strings.TrimPrefix(task, "mrcr-")+"needle.jsonl"), strings.Repeat(mrcrRow, 3))
		own.(*MRCROptions).Data = dir
	}
	contractData["scbench"] = func(t *testing.T, task string, own any) {
		dir := t.TempDir()
		text := scRow(task, "[7, 98]", scTurn("The smallest number of the list is: ", 7), scTurn("The largest number of the list is: ", 98))
		writeFile(t, filepath.Join(dir, scbenchOwn(task)+".jsonl"), text)
		own.(*SCBenchOptions).Data = dir
	}
}

// Prompts of LongBench v2 by its three protocols.
func TestLongBenchV2Prompts(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "data.json"), "["+v2Row("a", nil)+"]")
	sample := func(m Model, protocol string, limit int) Sample {
		t.Helper()
		k, err := Open("longbench-v2", Options{Own: &LongBenchV2Options{Data: file, Protocol: protocol, MaxLength: limit}})
		if err != nil {
			t.Fatal(err)
		}
		s := k.Sample(0, m)
		if s.Err != nil {
			t.Fatal(s.Err)
		}
		return s
	}
	// A place that stands in a document or in a choice is replaced where its turn is still to come.
	const text = "Please read the following text and answer the question below.\n\n<text>\nBen did. Ben\n</text>\n\n" +
		"What is the correct answer to this question: Who?\nChoices:\n(A) Ann $Q$\n(B) Ben\n(C) Cid\n(D) Dan\n\n" +
		"Format your response as follows: \"The correct answer is (insert answer here)\"."
	if s := sample(Model{Tokenizer: wordwise()}, "longbench-v2", 0); s.Prompt != text || s.MaxNew != 128 || s.ID != "easy/short/a" {
		t.Errorf("%s: %q, %d new tokens", s.ID, s.Prompt, s.MaxNew)
	}
	s := sample(Model{Tokenizer: bytewise(), Chat: chatml}, "longbench-v2", 9)
	if want := "<|im_start|>user\n" + text[:4] + text[len(text)-5:] + "<|im_end|>\n<|im_start|>assistant\n"; s.Prompt != want || !s.Truncated {
		t.Errorf("cut to 9: %q, want %q", s.Prompt, want)
	}
	s = sample(Model{Tokenizer: bytewise(), Chat: chatml, ContextLength: 300}, "longbench-v2", 0)
	if n := len(s.IDs); n > 300-128 || n < 300-128-2 || !s.Truncated || !strings.Contains(s.Note, "cut to the model's context, where the original allows 120000") {
		t.Errorf("%d tokens, %q", n, s.Note)
	}
	s = sample(Model{Tokenizer: wordwise()}, "kvpress", 0)
	if !strings.HasPrefix(s.Prompt, "<s>Please read the following text and answer the question below.\n<text>\n Ben did. $C_B$ \n</text>\n\nWhat is the correct answer to this question:  Who? \n") ||
		!strings.HasSuffix(s.Prompt, `"The correct answer is (insert answer here).`+"\n") || s.MaxNew != 16 || len(s.Question) == 0 || s.Metric != "longbench_v2_kvpress" {
		t.Errorf("kvpress: %q", s.Prompt)
	}
	m := Model{Tokenizer: wordwise(), Chat: chatml, ContextLength: 21}
	s = sample(m, "lm-eval", 0)
	if len(s.IDs) != 20 || !strings.HasSuffix(s.Prompt, "question: Who?\nChoices:\n(A) Ann $Q$\n(B) Ben\n(C) Cid\n(D) Dan\n\nAnswer:") || s.MaxNew != 1 || s.Metric != "exact" ||
		m.Tokenizer.Decode(s.Among, false) != " A B C D" {
		t.Errorf("lm-eval: %d tokens, %q, of %v", len(s.IDs), s.Prompt, s.Among)
	}
	k, err := Open("longbench-v2", Options{Own: &LongBenchV2Options{Data: file, Protocol: "lm-eval"}})
	if err != nil {
		t.Fatal(err)
	}
	if s := k.Sample(0, Model{Tokenizer: bytewise()}); s.Err == nil || !strings.Contains(s.Err.Error(), `no one token for " A" behind "Answer:"`) {
		t.Errorf("letters of two tokens: %v", s.Err)
	}
}

func TestBABILongPrompts(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "4k", "qa1-00000-of-00002.jsonl"), `{"input": " Ann went. ", "question": "Where is Ann? ", "target": "office"}`+"\n")
	writeFile(t, filepath.Join(dir, "4k", "qa1-00001-of-00002.jsonl"), `{"input": "Ben went.", "question": "Where is Ben? ", "target": "garden"}`+"\n")
	open := func(own BABILongOptions) (Task, error) {
		own.Data = dir
		return Open("babilong-qa1", Options{Own: &own})
	}
	k, err := open(BABILongOptions{Parts: []string{"none"}, Template: "base"})
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	s := k.Sample(0, m)
	if want := "<context>\nAnn went.\n</context>\n\nQuestion: Where is Ann?"; s.Prompt != want || s.ID != "4k/1" || k.Len() != 2 || s.MaxNew != 20 ||
		s.Protocol != "instruction_no_examples_no_post_prompt_no_chat_template_no" || s.Length != 4000 {
		t.Errorf("%+v", s)
	}
	if k, err = open(BABILongOptions{Parts: babilongParts, Template: "own"}); err != nil {
		t.Fatal(err)
	}
	s = k.Sample(1, m)
	if !strings.HasPrefix(s.Prompt, "<|im_start|>user\nI will give you context with the facts about positions") || !strings.Contains(s.Prompt, "is shop.\n</example>\n\nAlways return") ||
		!strings.Contains(s.Prompt, "The most recent location of ’person’ is ’location’. Do not write anything else after that.\n\n<context>\nBen went.\n</context>\n\nQuestion: Where is Ben?<|im_end|>") ||
		s.Protocol != "instruction_yes_examples_yes_post_prompt_yes_chat_template_yes" || len(s.Classes) != 6 {
		t.Errorf("%+v", s)
	}
	for want, own := range map[string]BABILongOptions{
		`unknown part of the prompt "hint": have instruction, examples, post_prompt, none`: {Parts: []string{"hint"}, Template: "own"},
		`--template: "chat": want own or base`:                                             {Template: "chat"},
		`--row-lengths: "4096": want lengths as the benchmark names them: 0k, 4k, 1M`:      {Template: "own", Lengths: []string{"4096"}},
		`has no file data/qa1/8k, `:                                                        {Template: "own", Lengths: []string{"8k"}},
	} {
		if _, err := open(own); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestMRCRSamples(t *testing.T) {
	dir := t.TempDir()
	long := strings.Replace(mrcrRow, "Oh tapir\\\"}", "Oh tapir "+strings.Repeat("é", 500)+"\\\"}", 1)
	writeFile(t, filepath.Join(dir, "2needle", "2needle_0.jsonl"), mrcrRow)
	writeFile(t, filepath.Join(dir, "2needle", "2needle_1.jsonl"), long)
	for limit, want := range map[int]int{0: 2, 300: 1, 1000: 2} {
		k, err := Open("mrcr-2", Options{Own: &MRCROptions{Data: dir, MaxChars: limit}})
		if err != nil || k.Len() != want {
			t.Fatalf("%d characters: %v, want %d rows", limit, err, want)
		}
		s := k.Sample(0, Model{Tokenizer: wordwise(), Chat: chatml})
		if s.Err != nil || !strings.Contains(s.Prompt, "assistant\nOh tapir<|im_end|>\n<|im_start|>user\nPrepend x7Qa") || s.Answers[0] != "x7QaOh tapir" || s.Classes[0] != "x7Qa" {
			t.Errorf("%+v", s)
		}
	}
	if _, err := Open("mrcr-2", Options{Own: &MRCROptions{Data: dir, MaxChars: 10}}); err == nil || !strings.Contains(err.Error(), "--max-chars: 10: no conversation is so short") {
		t.Errorf("%v", err)
	}
}

// Rows that break their schema are refused by file and line.
func TestUserCopyBadRows(t *testing.T) {
	dir := t.TempDir()
	n := 0
	file := func(text string) string {
		n++
		return writeFile(t, filepath.Join(dir, fmt.Sprint(n), "x.jsonl"), text)
	}
	v2 := func(text string) error {
		_, err := Open("longbench-v2", Options{Own: &LongBenchV2Options{Data: file(text), Protocol: "kvpress"}})
		return err
	}
	mrcr := func(text string) error {
		_, err := Open("mrcr-4", Options{Own: &MRCROptions{Data: file(text)}})
		return err
	}
	sc := func(task, text string) error {
		_, err := Open(task, Options{Own: &SCBenchOptions{Data: file(text), Modes: scbenchModes, Template: "own"}})
		return err
	}
	row := `{"input": "a", "question": "Where?", "target": "office"}` + "\n"
	bab := func(text string) error {
		path := writeFile(t, filepath.Join(t.TempDir(), "qa1", "4k.json"), text)
		_, err := Open("babilong-qa1", Options{Own: &BABILongOptions{Data: filepath.Dir(filepath.Dir(path)), Template: "own"}})
		return err
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{v2(v2Row("a", nil) + "\n" + v2Row("b", map[string]any{"answer": "E"})), `x.jsonl:2: field "answer" is "E", want one of A, B, C, D`},
		{v2(v2Row("a", map[string]any{"length": "huge"})), `x.jsonl:1: field "length" is "huge", want one of short, medium, long`},
		{v2(v2Row("a", nil) + "\n" + v2Row("a", nil)), `x.jsonl:2: id "a" was already used in line 1`},
		{v2(v2Row("a", map[string]any{"context": " "})), `x.jsonl:1: fields "_id" ("a") and "context"`},
		{v2(`{"_id": "a"}`), `x.jsonl:1: field "difficulty" is missing: have _id`},
		{v2(""), `x.jsonl: no rows in it`},
		{mrcr(mrcrRow + strings.Replace(mrcrRow, "x7QaOh", "Oh", 1)), `x.jsonl:2: field "answer" does not begin with "random_string_to_prepend", "x7Qa"`},
		{mrcr(strings.Replace(mrcrRow, `"[{`, `"{`, 1)), `x.jsonl:1: field "prompt": a list of messages as JSON text: `},
		{mrcr(strings.Replace(mrcrRow, `"answer"`, `"n_needles": 8, "answer"`, 1)), `x.jsonl:1: field "n_needles" is 8, the task is mrcr-4`},
		{func() error {
			path := writeFile(t, filepath.Join(dir, "scbench_kv.jsonl"), scRow("", "c", scTurn("q", "a")))
			_, err := Open("scbench-vt", Options{Own: &SCBenchOptions{Data: path, Modes: scbenchModes, Template: "own"}})
			return err
		}(), `scbench_kv.jsonl: the rows are scbench-kv's by its name, the task is scbench-vt`},
		{sc("scbench-kv", scRow("", "c")), `x.jsonl:1: field "multi_turns": want a list of {input, answer}, at least one, got null`},
		{sc("scbench-kv", scRow("", "c", scTurn("q", ""))), `turn 1: field "answer" is empty`},
		{sc("scbench-kv", scRow("", "c", scTurn("q", "a"), scTurn("", "a"))), `turn 2: field "input" is empty`},
		{sc("scbench-mf", scRow("", "c", scTurn("What?", 7))), `turn 1: field "input": "What?" does not say "The … of"`},
		{sc("scbench-mf", scRow("", "c", scTurn("The top of", "much"))), `turn 1: strconv.ParseFloat: parsing "much"`},
		{sc("scbench-kv", `{"context": {"a": 1}, "multi_turns": []}`), `field "context": want a string, a number or a list of such, got an object`},
		{sc("scbench-kv", scRow("", "c", scTurn("q", "a"))+scRow("", "c", scTurn("q", "a"))), `x.jsonl:2: id "7" was already used in line 1`},
		{bab(row + strings.Replace(row, "office", "", 1)), `4k.json:2: fields "question" and "target": want some text in each`},
		{bab("[" + row + ", 7]"), `4k.json:2: want a JSON object`},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%v, want %s", c.err, c.want)
		}
	}
}

// llama3Chat renders messages as Llama 3 does, their texts trimmed.
func llama3Chat(messages []Message, _ map[string]any) (string, error) {
	var b strings.Builder
	b.WriteString("<|begin_of_text|>")
	for _, m := range messages {
		b.WriteString("<|start_header_id|>" + m.Role + "<|end_header_id|>\n\n" + strings.TrimSpace(m.Content) + "<|eot_id|>")
	}
	b.WriteString("<|start_header_id|>assistant<|end_header_id|>\n\n")
	return b.String(), nil
}

// The texts that are embedded are those of the originals.
func TestSharedUserCopyTexts(t *testing.T) {
	var shared struct {
		BABILong struct {
			Template string
			Prompts  map[string]map[string]string
		}
		LongBenchV2 struct {
			Direct  string `json:"0shot"`
			Limits  map[string]int
			KVPress struct {
				Context, Question string
				MaxNew            int `json:"max_new_tokens"`
			}
		} `json:"longbench_v2"`
		SCBench struct {
			MaxNew       map[string]any `json:"max_new_tokens"`
			First        map[string]any `json:"first_turn"`
			Context      map[string]any `json:"scdq_context"`
			FollowUp     map[string]any `json:"follow_up"`
			FollowUpChat map[string]any `json:"follow_up_in_chat_template"`
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "prompts.json"), &shared)
	same := func(name string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q, the original %q", name, got, want)
		}
	}
	same("BABILong", babilongTexts().Template, shared.BABILong.Template)
	same("BABILong", babilongTexts().Tasks, shared.BABILong.Prompts)
	v2 := longBenchV2Texts()
	same("LongBench v2", v2.Template, shared.LongBenchV2.Direct)
	same("LongBench v2", v2.Limit, shared.LongBenchV2.Limits["Llama-3.1-8B-Instruct"])
	same("LongBench v2 by kvpress", []any{v2.KVPress.Context, v2.KVPress.Question, v2.KVPress.MaxNew},
		[]any{shared.LongBenchV2.KVPress.Context, shared.LongBenchV2.KVPress.Question, shared.LongBenchV2.KVPress.MaxNew})
	texts, sc := scbenchTexts(), shared.SCBench
	for _, task := range scbenchNames() {
		own := scbenchOwn(task)
		same(own, []any{texts.MaxNew[own], texts.First[own], texts.Context[own], texts.FollowUp[own], texts.FollowUpChat[own]},
			[]any{sc.MaxNew[own], sc.First[own], sc.Context[own], sc.FollowUp[own], sc.FollowUpChat[own]})
	}
	t.Logf("prompts.json: the texts of %d tasks of BABILong, two protocols of LongBench v2, %d tasks of SCBench", len(shared.BABILong.Prompts), len(scbenchNames()))
}

// Sequences of prompts by the original, in both of its modes, and what its middle cut leaves.
func TestSharedSCBenchPrompts(t *testing.T) {
	var shared struct {
		Cases []struct {
			Task, Template, Mode string
			Row                  json.RawMessage
			Prompts              []string
		}
		Cut []struct {
			IDs, Limit    int
			LongBenchV2   []int32 `json:"longbench_v2"`
			InfiniteBench []int32
			SCBench       []int32
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "tasks", "scbench_prompts.json"), &shared)
	if len(shared.Cases) == 0 || len(shared.Cut) == 0 {
		t.Fatal("no cases")
	}
	rows := map[string]scbenchRow{}
	for _, c := range shared.Cases { // one case of a task has the row of all
		if c.Row == nil {
			continue
		}
		fields, err := object(c.Row)
		if err != nil {
			t.Fatal(err)
		}
		if rows[c.Task], err = parseSCBench(fields, 1); err != nil {
			t.Fatal(err)
		}
	}
	compared, left := map[string]int{}, 0
	for i, c := range shared.Cases {
		if !slices.Contains(scbenchModes, c.Mode) {
			left++
			continue
		}
		m := Model{Tokenizer: bytewise(), Chat: map[string]func([]Message, map[string]any) (string, error){"chatml": chatml, "llama3": llama3Chat}[c.Template]}
		row := rows[c.Task]
		first, later, err := row.texts(c.Task, c.Mode, m)
		if err != nil {
			t.Fatal(err)
		}
		got := append([]string{first}, later...)
		if c.Mode == "multi-turn" { // the first question stands in the first text
			got = slices.Delete(got, 1, 2)
		}
		if !slices.Equal(got, c.Prompts) {
			t.Errorf("case %d, %s, template %s, %s:\n%q, the original\n%q", i, c.Task, c.Template, c.Mode, got, c.Prompts)
		}
		compared[c.Mode] += len(got)

		// The samples have these texts' tokens, each turn what leads up to it.
		task := &scbenchTask{name: strings.ReplaceAll(c.Task, "_", "-"), o: SCBenchOptions{Template: "own"}, rows: []scbenchRow{row}, metric: "contains", maxNew: 1}
		for k := range row.turns {
			task.samples = append(task.samples, scbenchSample{0, k, c.Mode})
			s := task.Sample(k, m)
			want := later[k]
			if c.Mode == "multi-turn" {
				want = strings.Join(later[:k+1], "")
			}
			if s.Err != nil || s.Prompt != first+want || m.Tokenizer.Decode(s.IDs, false) != first || m.Tokenizer.Decode(s.Question, false) != want {
				t.Errorf("case %d, turn %d: %q, %v", i, k+1, s.Prompt, s.Err)
			}
		}
	}
	cuts := 0
	for _, c := range shared.Cut {
		ids := make([]int32, c.IDs)
		for i := range ids {
			ids[i] = int32(i)
		}
		for _, by := range []struct {
			name      string
			got, want []int32
		}{
			{"longbench_v2", withoutMiddle(ids, c.Limit), c.LongBenchV2}, {"infinitebench", withoutMiddle(ids, c.Limit), c.InfiniteBench},
			{"scbench", withoutHalves(ids, c.Limit), c.SCBench},
		} {
			if cuts++; !slices.Equal(by.got, by.want) {
				t.Errorf("%d ids to %d by %s: %v, the original %v", c.IDs, c.Limit, by.name, by.got, by.want)
			}
		}
	}
	t.Logf("scbench_prompts.json: prompts %v, %d sequences with the model's own answers left out, %d cuts", compared, left, cuts)
}

// A long context loses its middle, the same for all turns; questions and room for the answers fit behind it.
func TestSCBenchCut(t *testing.T) {
	file := writeFile(t, filepath.Join(t.TempDir(), "x.jsonl"), scRow("", strings.Repeat("0123456789", 60), scTurn("first?", "a"), scTurn("second?", "b")))
	for _, mode := range scbenchModes {
		k, err := Open("scbench-vt", Options{Own: &SCBenchOptions{Data: file, Modes: []string{mode}, Template: "base"}})
		if err != nil {
			t.Fatal(err)
		}
		one, two := k.Sample(0, Model{Tokenizer: bytewise(), ContextLength: 200}), k.Sample(1, Model{Tokenizer: bytewise(), ContextLength: 200})
		if one.Err != nil || two.Err != nil || !slices.Equal(one.IDs, two.IDs) || !one.Truncated {
			t.Errorf("%s: %v, %v, %d and %d tokens", mode, one.Err, two.Err, len(one.IDs), len(two.IDs))
		}
		if n := len(two.IDs) + len(two.Question) + 30; n > 200 || n < 198 || !strings.HasPrefix(two.Prompt, "0123456789") {
			t.Errorf("%s: %d tokens of 200: %q", mode, n, two.Prompt)
		}
	}
	k, err := Open("scbench-vt", Options{Own: &SCBenchOptions{Data: file, Modes: []string{"multi-turn"}, Template: "base", MaxLength: 101}})
	if err != nil {
		t.Fatal(err)
	}
	if s := k.Sample(0, Model{Tokenizer: bytewise()}); len(s.IDs) != 40 || s.Err != nil { // 101 - 2×30 is 41, whose halves are 20
		t.Errorf("%d tokens, %v", len(s.IDs), s.Err)
	}
}
