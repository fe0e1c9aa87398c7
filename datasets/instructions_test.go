package datasets

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/metrics"
)

func init() {
	contractData["instructions"] = func(_ *testing.T, _ string, own any) {
		o := own.(*InstructionsOptions)
		o.Lengths, o.Trials, o.Seed = []int{900, 600}, 2, 5
	}
	contractData["leakage"] = func(_ *testing.T, _ string, own any) { own.(*LeakageOptions).Trials = 3 }
	contractData["sys-ifeval"] = func(t *testing.T, _ string, own any) {
		own.(*SysIFEvalOptions).File = writeFile(t, filepath.Join(t.TempDir(), "sys_ifeval.jsonl"),
			sysIFEvalLine(1, `["punctuation:no_comma", "keywords:existence"]`, `[{}, {"keywords": ["ab"], "relation": null}]`)+
				sysIFEvalLine(2, `["change_case:english_capital", "detectable_format:title"]`, `[{}, {}]`)+
				sysIFEvalLine(3, `["language:response_language"]`, `[{"language": "kn"}]`)+
				sysIFEvalLine(4, `["startend:quotation"]`, `[{}]`))
	}
}

func sysIFEvalLine(key int, ids, kwargs string) string {
	return fmt.Sprintf(`{"key": %d, "prompt": "Write.", "instruction_id_list": %s, "kwargs": %s, "messages": `+
		`[{"role": "system", "content": "Do as you are told %d."}, {"role": "user", "content": "Write."}]}`+"\n", key, ids, kwargs, key)
}

// compose writes an answer that follows instructions, which may be any that are given together.
func compose(list []instruction, request string) string {
	given := map[string]map[string]any{}
	for _, in := range list {
		given[in.name()] = in.kwargs
	}
	number := func(id, name string) int { n, _ := given[id][name].(int); return n }
	text := func(id, name string) string { s, _ := given[id][name].(string); return s }
	has := func(id string) bool { return given[id] != nil }

	words := []string{"so"}
	if has("existence") {
		words = append(words, given["existence"]["keywords"].([]string)...)
	}
	for range number("frequency", "frequency") {
		words = append(words, text("frequency", "keyword"))
	}
	if text("letter_frequency", "let_relation") == "at least" {
		for range number("letter_frequency", "let_frequency") {
			words = append(words, text("letter_frequency", "letter"))
		}
	}
	for range number("number_placeholders", "num_placeholders") {
		words = append(words, "[a]")
	}
	for range number("number_highlighted_sections", "num_highlights") {
		words = append(words, "*a*")
	}
	if text("number_words", "relation") == "at least" {
		for range number("number_words", "num_words") {
			words = append(words, "a")
		}
	}
	if has("constrained_response") {
		words = append(words, "My answer is yes.")
	}
	answer := strings.Join(words, " ")
	if has("json_format") {
		return `{"a": "` + answer + `"}`
	}
	for k := range number("number_bullet_lists", "num_bullets") {
		answer += fmt.Sprintf("\n* a %d", k)
	}
	if n := number("multiple_sections", "num_sections"); n > 0 {
		splitter := text("multiple_sections", "section_spliter")
		answer = splitter + " 1\n" + answer
		for k := 2; k <= n; k++ {
			answer += fmt.Sprintf("\n%s %d\na", splitter, k)
		}
	}
	if has("two_responses") {
		answer += "\n******\na"
	}
	if has("title") {
		answer = "<<A>>\n" + answer
	}
	if has("repeat_prompt") {
		answer = request + "\n" + answer
	}
	for range max(0, number("number_paragraphs", "num_paragraphs")-1) {
		answer += "\n***\na"
	}
	if n := number("nth_paragraph_first_word", "num_paragraphs"); n > 0 {
		var parts []string
		for k := 1; k <= n; k++ {
			part := "a"
			if k == 1 {
				part = answer
			}
			if k == number("nth_paragraph_first_word", "nth_paragraph") {
				part = text("nth_paragraph_first_word", "first_word") + " " + part
			}
			parts = append(parts, part)
		}
		answer = strings.Join(parts, "\n\n")
	}
	if has("postscript") {
		answer += "\n" + text("postscript", "postscript_marker") + " a"
	}
	if has("end_checker") {
		answer += " " + text("end_checker", "end_phrase")
	}
	if has("quotation") {
		answer = `"` + answer + `"`
	}
	return answer
}

// Instructions that are given together can be followed together, all of them, whatever is drawn; and
// each is given, alone and with others.
func TestInstructionsGoTogether(t *testing.T) {
	scorer, err := metrics.Open("instructions")
	if err != nil {
		t.Fatal(err)
	}
	alone, together := map[string]int{}, map[string]int{}
	for trial := range 6000 {
		n := 1 + trial%3
		list, request := drawInstructions(newRandom(fmt.Sprint("go together ", trial)), n, trial/3, true)
		if len(list) != n {
			t.Fatalf("%d instructions, want %d", len(list), n)
		}
		var ref metrics.Reference
		for i, in := range list {
			ref.Answers = append(ref.Answers, in.answer())
			if strings.Contains(in.text, "{") || in.text == "" {
				t.Fatalf("%s reads %q", in.id, in.text)
			}
			if n == 1 {
				alone[in.id]++
			}
			for _, other := range list[i+1:] {
				together[in.id+" "+other.id]++
				if conflict(in.id, other.id) || !conflict(in.id, in.id) {
					t.Fatalf("%s and %s are given together", in.id, other.id)
				}
			}
		}
		if got, err := scorer.Score(compose(list, request), ref); err != nil || got != 1 {
			t.Errorf("%q after %q: %q follows %v of %q, %v", blockOf(list), request, compose(list, request), got, ref.Answers, err)
		}
		if t.Failed() {
			break
		}
	}
	t.Logf("%d instructions alone, %d pairs", len(alone), len(together))
	if len(alone) != len(instructionKinds) || len(instructionKinds) != 20 || len(together) < 150 {
		t.Errorf("%d instructions alone, %d pairs: want each of %d, and most pairs", len(alone), len(together), len(instructionKinds))
	}
}

// Every name in the table of conflicts is an instruction's, and no pair stands there twice.
func TestInstructionConflicts(t *testing.T) {
	names := map[string]bool{}
	for _, kind := range instructionKinds {
		names[instructionName(kind.id)] = true
		if instructionWords().Descriptions[kind.id] == "" {
			t.Errorf("%s has no words", kind.id)
		}
	}
	for a, list := range instructionConflicts {
		for _, b := range strings.Fields(list) {
			if !names[a] || !names[b] || a == b {
				t.Errorf("%s and %s: no pair of instructions", a, b)
			}
			if slices.Contains(strings.Fields(instructionConflicts[b]), a) {
				t.Errorf("%s and %s stand twice", a, b)
			}
		}
	}
}

// Requests neither use nor prevent what instructions ask for.
func TestRequestsAreNeutral(t *testing.T) {
	words := slices.Concat(wantedWords, countedWords, forbiddenWords, firstParagraph)
	for i, w := range words {
		for j, other := range words {
			if i != j && strings.Contains(w, other) {
				t.Errorf("%q has %q in it", w, other)
			}
		}
	}
	for _, request := range slices.Concat(plainRequests, askingRequests, endPhrases) {
		for _, w := range append(words, ",", "*", "[") {
			if strings.Contains(strings.ToLower(request), w) {
				t.Errorf("%q has %q in it", request, w)
			}
		}
	}
}

// The three places have the same instructions, request and text, at any length the same
// instructions, and marks where they stand.
func TestInstructionPlaces(t *testing.T) {
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	open := func(name string) Task {
		task, err := Open(name, Options{Own: &InstructionsOptions{Lengths: []int{700, 1200}, Trials: 6, Seed: 3}})
		if err != nil {
			t.Fatal(err)
		}
		return task
	}
	var tasks []Task
	for _, name := range instructionPlaces {
		tasks = append(tasks, open(name))
	}
	for i := range tasks[0].Len() {
		var samples []Sample
		for _, task := range tasks {
			s := task.Sample(i, m)
			if s.Err != nil {
				t.Fatal(s.Err)
			}
			samples = append(samples, s)
		}
		system, before, after := samples[0], samples[1], samples[2]
		if !slices.Equal(system.Answers, before.Answers) || !slices.Equal(system.Answers, after.Answers) || system.ID != after.ID || len(system.Answers) != 1+i%6%3 {
			t.Errorf("%s: %q, %q and %q", system.ID, system.Answers, before.Answers, after.Answers)
		}
		if same := tasks[0].Sample(i%6, m); !slices.Equal(same.Answers, system.Answers) {
			t.Errorf("%s: %q, at another length %q", system.ID, system.Answers, same.Answers)
		}
		at := func(s Sample, part string) int {
			t.Helper()
			n := strings.Index(s.Prompt, part)
			if n < 0 {
				t.Fatalf("%s, %s: %q is not in the prompt", s.Task, s.ID, part)
			}
			return n
		}
		user := "<|im_start|>user\n"
		if !(at(system, instructionsLead) < at(system, user) && at(system, user) < at(system, contextLead)) ||
			!(at(before, user) < at(before, instructionsLead) && at(before, instructionsLead) < at(before, contextLead)) ||
			!(at(after, user) < at(after, contextLead) && at(after, contextLead) < at(after, instructionsLead)) {
			t.Errorf("%s: instructions stand in another place", system.ID)
		}
		for _, s := range samples {
			last := s.Marks[len(s.Marks)-1]
			if len(s.Marks) != 2*len(s.Answers)+1 || last.Name != "question" || !strings.HasPrefix(s.Prompt[last.To:], "<|im_end|>") {
				t.Errorf("%s, %s: marks %+v", s.Task, s.ID, s.Marks)
			}
			for _, k := range s.Marks[:len(s.Marks)-1] {
				name, ok := strings.CutPrefix(k.Name, "instruction ")
				if ok && !slices.ContainsFunc(s.Answers, func(a string) bool { return strings.Contains(a, ":"+name+`"`) }) || !ok && k.Name != "instruction" {
					t.Errorf("%s, %s: mark %q, instructions %q", s.Task, s.ID, k.Name, s.Answers)
				}
				if k.From < at(s, instructionsLead) || strings.Contains(s.Prompt[k.From:k.To], "<|im") || k.From >= k.To {
					t.Errorf("%s, %s: %q is marked as %s", s.Task, s.ID, s.Prompt[k.From:k.To], k.Name)
				}
			}
		}
	}
}

func TestInstructionsRefused(t *testing.T) {
	for want, o := range map[string]InstructionsOptions{
		"4 instructions in a prompt: want 1 to 3":    {Instructions: 4},
		"length 600 is asked for twice":              {Lengths: []int{600, 600}},
		"--max-len and --lengths exclude each other": {Lengths: []int{600}, MaxLength: 700},
		"100001 trials are too many: at most 100000": {Trials: 100_001},
		"-1 trials":                             {Trials: -1},
		"haystack: stat /nowhere: no such file": {Haystack: "/nowhere"},
	} {
		if _, err := Open("instructions-system", Options{Own: &o}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	task, err := Open("instructions-system", Options{Own: &InstructionsOptions{Lengths: []int{600, 30}}})
	if err != nil {
		t.Fatal(err)
	}
	refused := func(i int, m Model, want string) {
		t.Helper()
		if s := task.Sample(i, m); s.Err == nil || !strings.Contains(s.Err.Error(), want) || s.Prompt != "" || s.Marks != nil {
			t.Errorf("%v, want %q", s.Err, want)
		}
	}
	refused(0, Model{Tokenizer: wordwise()}, "no chat template, and so no system text")
	refused(0, Model{Tokenizer: wordwise(), Chat: bracketed}, "came out 0 times")
	refused(defaultTrials, Model{Tokenizer: wordwise(), Chat: chatml}, "a prompt of 30 tokens has no room")
	refused(0, Model{Tokenizer: wordwise(), Chat: chatml, ContextLength: 100}, "the model's context 100")
	// Without a template the other two places still are some.
	for _, name := range instructionPlaces[1:] {
		task, err := Open(name, Options{Own: &InstructionsOptions{Lengths: []int{600}}})
		if err != nil {
			t.Fatal(err)
		}
		if s := task.Sample(2, Model{Tokenizer: wordwise()}); s.Err != nil || !strings.HasSuffix(s.Prompt, "\n\nAnswer:") || len(s.IDs) != 600 {
			t.Errorf("%s without a template: %d tokens, %v", name, len(s.IDs), s.Err)
		}
	}
}

// A file of one's own prompts whose answers are no instructions is refused before anything runs.
func TestPromptsWithInstructions(t *testing.T) {
	line := `{"prompt": "x", "metric": "instructions", "answers": ["{\"instruction_id\": \"punctuation:no_comma\", \"kwargs\": {%s}}"]}`
	path := writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), fmt.Sprintf(line, ""))
	if _, err := Open("prompts", Options{Own: &PromptsOptions{File: path}}); err != nil {
		t.Error(err)
	}
	path = writeFile(t, filepath.Join(t.TempDir(), "p.jsonl"), fmt.Sprintf(line, `\"n\": 1`))
	want := path + `:1: field "answers": metrics: instruction punctuation:no_comma: unknown parameter "n": it has none`
	if _, err := Open("prompts", Options{Own: &PromptsOptions{File: path}}); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
