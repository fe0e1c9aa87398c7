package datasets

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// needleModels are the toy tokenizers with and without a chat template.
func needleModels() map[string]Model {
	return map[string]Model{
		"bytes":       {Tokenizer: bytewise()},
		"bytes,chat":  {Tokenizer: bytewise(), Chat: chatml},
		"words":       {Tokenizer: wordwise()},
		"words,chat":  {Tokenizer: wordwise(), Chat: bracketed},
		"pairs,chat":  {Tokenizer: pairwise(), Chat: chatml},
		"pairs,chat2": {Tokenizer: pairwise(), Chat: bracketed},
	}
}

// checkNeedle checks everything that the needle tasks promise of a sample.
func checkNeedle(t testing.TB, m Model, s Sample, longestSentence int) {
	t.Helper()
	if s.Err != nil {
		t.Fatal(s.Err)
	}
	n := s.Needle
	ids, err := m.encode(s.Prompt)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ids, s.IDs) {
		t.Fatalf("%s: IDs are not those of Prompt", s.ID)
	}
	if len(ids) != n.Length {
		t.Fatalf("%s: %d tokens, want %d", s.ID, len(ids), n.Length)
	}
	if bos, ok := m.Tokenizer.BOS(); ok && (ids[0] != bos || ids[1] == bos) {
		t.Fatalf("%s: BOS must come once, got ids %v", s.ID, ids[:2])
	}
	for _, needle := range n.Needles {
		if c := strings.Count(s.Prompt, needle); c != 1 {
			t.Fatalf("%s: needle %q is there %d times", s.ID, needle, c)
		}
	}
	// The first needle, with the space before it, begins in Token: no earlier token holds
	// a part of it. Token may also hold the end of the text before, and end within a
	// character.
	at := strings.Index(s.Prompt, n.Needles[0])
	if s.Prompt[at-1] == ' ' {
		at--
	}
	spelled := func(ids []int32) string {
		var b strings.Builder
		for i, id := range ids {
			text, ok := m.Tokenizer.Token(id)
			if !ok {
				t.Fatalf("%s: no token %d", s.ID, id)
			}
			if bos, ok := m.Tokenizer.BOS(); i == 0 && ok && id == bos && !strings.HasPrefix(s.Prompt, text) {
				continue // put in front of the prompt, not part of it
			}
			b.WriteString(text)
		}
		return b.String()
	}
	before, through := spelled(ids[:n.Token]), spelled(ids[:n.Token+1])
	if !strings.HasPrefix(s.Prompt, through) || len(before) > at {
		t.Fatalf("%s: token %d lies within or behind the needle at byte %d", s.ID, n.Token, at)
	}
	if len(through) <= at {
		t.Fatalf("%s: token %d, %q, lies before the needle, %q is between", s.ID, n.Token, through[len(before):], s.Prompt[len(through):at])
	}
	// Depth, in tokens of the haystack, up to one sentence.
	head, _, _ := strings.Cut(s.Prompt, "afterwards.\n")
	if i := strings.Index(s.Prompt, "following text.\n\n"); i >= 0 {
		head = s.Prompt[:i]
	}
	if i := strings.Index(s.Prompt, "<book> "); i >= 0 {
		head = s.Prompt[:i]
	}
	tail := max(strings.LastIndex(s.Prompt, "\nWhat "), strings.LastIndex(s.Prompt, "\nQuestion: Find"), strings.LastIndex(s.Prompt, " </book>"))
	if tail < 0 {
		t.Fatalf("%s: no question at the end of the prompt", s.ID)
	}
	first, _ := m.encode(head)
	rest, _ := m.Tokenizer.Encode(s.Prompt[tail:], false)
	hidden := 0
	for _, needle := range n.Needles {
		c, _ := m.Tokenizer.Encode(" "+needle, false)
		hidden += len(c)
	}
	room := float64(len(ids) - len(first) - len(rest) - hidden)
	want := float64(len(first)) + n.Depth/100*room
	if got := float64(n.Token); !(math.Abs(got-want) <= float64(longestSentence)+float64(hidden)) {
		t.Fatalf("%s: needle at token %d, want about %.0f, a sentence being at most %d", s.ID, n.Token, want, longestSentence)
	}
}

func longestSentence(t testing.TB, m Model, h *haystack) int {
	most := 0
	for i := range h.ends {
		if s := h.sentence(i); len(s) > most {
			most = len(s)
		}
	}
	if m.Tokenizer.(*pieces).bos != "" {
		return most/2 + 8
	}
	return most + 8
}

func TestNeedleGrid(t *testing.T) {
	for name, m := range needleModels() {
		for _, task := range []string{"niah", "multikey", "multivalue", "variable"} {
			t.Run(name+"/"+task, func(t *testing.T) {
				lengths := []int{700, 3000}
				if strings.HasPrefix(name, "bytes") {
					lengths = []int{3000, 6000}
				}
				k, err := Open(task, Options{Own: &NeedleOptions{Lengths: lengths, Depths: []float64{0, 33, 50, 100}, Trials: 2, Seed: 7}})
				if err != nil {
					t.Fatal(err)
				}
				if k.Len() != 2*4*2 {
					t.Fatalf("%d samples", k.Len())
				}
				longest := longestSentence(t, m, k.(*needleTask).hay)
				seen := map[string]bool{}
				for i := range k.Len() {
					s := k.Sample(i, m)
					checkNeedle(t, m, s, longest)
					if seen[s.PromptSHA256] || seen[s.ID] {
						t.Fatalf("%s: the same prompt twice", s.ID)
					}
					seen[s.PromptSHA256], seen[s.ID] = true, true
					if s.Needle.Depth == 100 && !strings.Contains(s.Prompt, s.Needle.Needles[0]+"\n") {
						t.Errorf("%s: a needle at 100 percent must be the last of the text", s.ID)
					}
				}
			})
		}
	}
}

// A cell's prompt depends on the seed and the cell, not on the grid around it.
func TestNeedleCellsAreIndependent(t *testing.T) {
	m := Model{Tokenizer: wordwise()}
	open := func(o NeedleOptions) Task {
		k, err := Open("multikey", Options{Own: &o})
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	grid := open(NeedleOptions{Lengths: []int{400, 900}, Depths: []float64{10, 90}, Trials: 2, Seed: 1})
	alone := open(NeedleOptions{Lengths: []int{900}, Depths: []float64{90}, Trials: 5, Seed: 1})
	other := open(NeedleOptions{Lengths: []int{900}, Depths: []float64{90}, Trials: 5, Seed: 2})
	a, b, c := grid.Sample(7, m), alone.Sample(1, m), other.Sample(1, m)
	if a.ID != b.ID || a.PromptSHA256 != b.PromptSHA256 {
		t.Errorf("cell %s differs from itself in another grid", a.ID)
	}
	if b.PromptSHA256 == c.PromptSHA256 || b.Answers[0] == c.Answers[0] {
		t.Errorf("another seed gave the same prompt")
	}
}

func TestNeedleRulerWording(t *testing.T) {
	m := Model{Tokenizer: wordwise(), Chat: chatml}
	sample := func(task string, o NeedleOptions) Sample {
		o.Lengths, o.Depths = []int{600}, []float64{50}
		k, err := Open(task, Options{Own: &o})
		if err != nil {
			t.Fatal(err)
		}
		s := k.Sample(0, m)
		if s.Err != nil {
			t.Fatal(s.Err)
		}
		return s
	}
	one := sample("niah", NeedleOptions{})
	key := strings.TrimSuffix(strings.TrimPrefix(one.Needle.Needles[0], "One of the special magic numbers for "), " is: "+one.Answers[0]+".")
	if len(one.Answers) != 1 || len(one.Answers[0]) != 7 || strings.Count(key, "-") != 1 {
		t.Errorf("needle %q, answers %q", one.Needle.Needles, one.Answers)
	}
	head := "<|im_start|>user\nA special magic number is hidden within the following text. Make sure to memorize it. I will quiz you about the number afterwards.\n"
	tail := "\nWhat is the special magic number for " + key + " mentioned in the provided text?<|im_end|>\n<|im_start|>assistant\nThe special magic number for " + key + " mentioned in the provided text is"
	if !strings.HasPrefix(one.Prompt, head) || !strings.HasSuffix(one.Prompt, tail) {
		t.Errorf("prompt %.200q … %q", one.Prompt, one.Prompt[len(one.Prompt)-300:])
	}

	two := sample("niah", NeedleOptions{Needles: 2, Value: "uuids"})
	if !strings.Contains(two.Prompt, "Some special magic uuids are hidden") || !strings.Contains(two.Prompt, "What are all the special magic uuids for ") ||
		!strings.Contains(two.Prompt, ", and ") || !strings.HasSuffix(two.Prompt, " mentioned in the provided text are") || len(two.Answers) != 2 {
		t.Errorf("two keys: %q", two.Prompt[len(two.Prompt)-400:])
	}
	many := sample("multivalue", NeedleOptions{Value: "words", ValueLength: 3})
	if len(many.Answers) != 4 || strings.Count(many.Answers[0], "-") != 2 || !strings.Contains(many.Prompt, "What are all the special magic words for ") {
		t.Errorf("several values: %q %q", many.Answers, many.Prompt[len(many.Prompt)-400:])
	}
	chain := sample("variable", NeedleOptions{ValueLength: 5})
	if len(chain.Answers) != 5 || !strings.Contains(chain.Prompt, "text above, 5 variables are assigned the value ") {
		t.Errorf("chain: %q %q", chain.Answers, chain.Prompt[len(chain.Prompt)-400:])
	}
	at := 0
	for i, needle := range chain.Needle.Needles {
		j := strings.Index(chain.Prompt, "\n"+needle+"\n")
		if j < at {
			t.Errorf("assignment %d, %q, at %d, the one before at %d", i, needle, j, at)
		}
		at = j
	}
}

func TestNeedleKamradt(t *testing.T) {
	k, err := Open("niah", Options{Own: &NeedleOptions{Wording: "kamradt", Lengths: []int{500}, Depths: []float64{50}}})
	if err != nil {
		t.Fatal(err)
	}
	m := Model{Tokenizer: wordwise()}
	s := k.Sample(0, m)
	checkNeedle(t, m, s, 300)
	if s.Metric != "rouge1_r" || !strings.HasSuffix(s.Prompt, " </book>.\n Based on the content of the book, Question: What is the best thing to do in San Francisco?\nAnswer:") {
		t.Errorf("metric %s, prompt %q", s.Metric, s.Prompt[len(s.Prompt)-200:])
	}
}

// A haystack shorter than the prompt starts over, and the sample says how often.
func TestNeedleRepeats(t *testing.T) {
	m := Model{Tokenizer: wordwise()}
	k, err := Open("niah", Options{Own: &NeedleOptions{Haystack: "testdata/haystack", Lengths: []int{120, 3000}, Depths: []float64{0, 50, 100}}})
	if err != nil {
		t.Fatal(err)
	}
	words := 0
	for i := range k.(*needleTask).hay.ends {
		ids, _ := m.Tokenizer.Encode(k.(*needleTask).hay.sentence(i), false)
		words += len(ids)
	}
	for i := range k.Len() {
		s := k.Sample(i, m)
		checkNeedle(t, m, s, 60)
		want := s.Needle.Length / words
		if d := s.Needle.Repeats - want; d < -1 || d > 1 {
			t.Errorf("%s: %d repeats of a text of %d words", s.ID, s.Needle.Repeats, words)
		}
		if (s.Needle.Repeats > 0) != strings.Contains(s.Note, "starts over") {
			t.Errorf("%s: %d repeats, note %q", s.ID, s.Needle.Repeats, s.Note)
		}
	}
}

// The longest prompts in use have their exact length and the needle at its depth, and the
// sample says how often the text starts over.
func TestNeedleLong(t *testing.T) {
	if testing.Short() {
		t.Skip("counts millions of tokens")
	}
	m := Model{Tokenizer: wordwise()}
	task, err := Open("niah", Options{Own: &NeedleOptions{Lengths: []int{380_000, 1_000_000}, Depths: []float64{0, 50, 100}}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range task.Len() {
		s := task.Sample(i, m)
		checkNeedle(t, m, s, 400)
		over := s.Needle.Length > 800_000 // the text that ships has some 700,000 words
		if (s.Needle.Repeats > 0) != over || strings.Contains(s.Note, "starts over") != over {
			t.Errorf("%s: the text starts over %d times, note %q", s.ID, s.Needle.Repeats, s.Note)
		}
	}
}

func TestNeedleErrors(t *testing.T) {
	for want, o := range map[string]Options{
		"length -5 is not":                   {Own: &NeedleOptions{Lengths: []int{-5}}},
		"length 9 is asked for twice":        {Own: &NeedleOptions{Lengths: []int{9, 9}}},
		"depth 101 is not within":            {Own: &NeedleOptions{Depths: []float64{101}}},
		"depth NaN is not within":            {Own: &NeedleOptions{Depths: []float64{math.NaN()}}},
		"unknown wording \"poem\": have kam": {Own: &NeedleOptions{Wording: "poem"}},
		"one fixed needle":                   {Own: &NeedleOptions{Wording: "kamradt", Needles: 2}},
		"unknown kind of value \"colours\"":  {Own: &NeedleOptions{Value: "colours"}},
		"a value of 65 numbers":              {Own: &NeedleOptions{ValueLength: 65}},
		"9 different values of 1 digits":     {Own: &NeedleOptions{ValueLength: 1, Needles: 9}},
		"haystack: stat testdata/nowhere":    {Own: &NeedleOptions{Haystack: "testdata/nowhere"}},
		"is not a folder":                    {Own: &NeedleOptions{Haystack: "needle.go"}},
		"has no text in *.txt files":         {Own: &NeedleOptions{Haystack: "haystack"}},
		"unknown metric \"bleu\"":            {Metric: "bleu"},
	} {
		if _, err := Open("niah", o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	if _, err := Open("nia", Options{}); err == nil || !strings.Contains(err.Error(), `unknown task "nia": did you mean niah? `) {
		t.Errorf("got %v", err)
	}

	m := Model{Tokenizer: wordwise(), Chat: chatml, ContextLength: 100}
	k, err := Open("niah", Options{Own: &NeedleOptions{Lengths: []int{30, 95, 101}, Depths: []float64{50}}})
	if err != nil {
		t.Fatal(err)
	}
	if s := k.Sample(0, m); s.Err == nil || !strings.Contains(s.Err.Error(), "a prompt of 30 tokens has no room: template, needle and question alone take") || s.IDs != nil {
		t.Errorf("needle longer than the prompt: %v", s.Err)
	}
	if s := k.Sample(1, m); s.Err != nil || !strings.Contains(s.Note, "pass the model's context of 100") {
		t.Errorf("new tokens behind the context: %v, note %q", s.Err, s.Note)
	}
	if s := k.Sample(2, m); s.Err == nil || !strings.Contains(s.Err.Error(), "the prompt has 101 tokens, the model's context 100") {
		t.Errorf("longer than the context: %v", s.Err)
	}
	broken := Model{Tokenizer: wordwise(), Chat: func([]Message, map[string]any) (string, error) { return "no user here", nil }}
	if s := k.Sample(1, broken); s.Err == nil || !strings.Contains(s.Err.Error(), "came out 0 times") {
		t.Errorf("a template that drops the message: %v", s.Err)
	}
}

func FuzzNeedle(f *testing.F) {
	f.Add(uint16(600), uint16(500), uint64(1), uint8(0), uint8(0), "A first sentence. And a second! No end")
	f.Add(uint16(3000), uint16(1000), uint64(2), uint8(1), uint8(1), "x")
	f.Add(uint16(900), uint16(0), uint64(3), uint8(2), uint8(3), "Die Straße。 Ça va? 日本語のテキスト。")
	f.Add(uint16(2999), uint16(500), uint64(0), uint8(2), uint8(1), " 00 ") // a token of the text's last character and the needle's space
	models := []Model{{Tokenizer: bytewise()}, {Tokenizer: wordwise(), Chat: bracketed}, {Tokenizer: pairwise(), Chat: chatml}}
	tasks := []string{"niah", "multikey", "multivalue", "variable"}
	f.Fuzz(func(t *testing.T, length, permille uint16, seed uint64, model, task uint8, text string) {
		h, err := newHaystack("fuzz", strings.ToValidUTF8(text, ""))
		if err != nil {
			t.Skip()
		}
		m := models[int(model)%len(models)]
		k, err := Open(tasks[int(task)%len(tasks)], Options{Own: &NeedleOptions{
			Lengths: []int{int(length)%4000 + 1}, Depths: []float64{float64(permille%1001) / 10}, Seed: seed,
		}})
		if err != nil {
			t.Fatal(err)
		}
		k.(*needleTask).hay = h
		s := k.Sample(0, m)
		if s.Err != nil { // too short, or a text whose tokens come in lumps: an error, not a wrong length
			return
		}
		checkNeedle(t, m, s, longestSentence(t, m, h)+maxSentence)
	})
}

func TestHaystackSentences(t *testing.T) {
	h, err := newHaystack("test", `"Mr. Bennet came. He said: 'No. Go!' she cried." Then J. Smith left? Yes

A new paragraph
goes on. Ende。次の文。`)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range h.ends {
		got = append(got, h.sentence(i))
	}
	want := []string{"\n\"Mr. Bennet came.", " He said: 'No. Go!' she cried.\"", " Then J. Smith left?", " Yes", "\n\nA new paragraph\ngoes on.", " Ende。", "次の文。"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if got := h.sentences(5, 9); got != " Ende。次の文。\n\"Mr. Bennet came. He said: 'No. Go!' she cried.\"" {
		t.Errorf("in a circle: %q", got)
	}
	if got, want := h.sentences(6, 21), "次の文。"+h.text+h.text; got != want {
		t.Errorf("twice around: %q, want %q", got, want)
	}
}

func TestAusten(t *testing.T) {
	h, err := austen()
	if err != nil {
		t.Fatal(err)
	}
	if len(h.text) < 3_900_000 || len(h.ends) < 25_000 {
		t.Errorf("%d bytes, %d sentences", len(h.text), len(h.ends))
	}
	joined := 0
	for i := range h.ends {
		s := h.sentence(i)
		if strings.TrimSpace(s) == "" || len(s) > maxSentence+200 {
			t.Errorf("sentence %d: %d bytes: %.60q", i, len(s), s)
		}
		joined += len(s)
	}
	if joined != len(h.text) {
		t.Errorf("sentences of %d bytes, text of %d", joined, len(h.text))
	}
}

func TestSweeps(t *testing.T) {
	if got := fmt.Sprint(LengthSweep(380*1024), LengthSweep(4096), LengthSweep(500), DepthGrid(5), DepthGrid(1), DepthGrid(2)); got !=
		"[1024 2048 4096 8192 16384 32768 65536 131072 262144 389120] [1024 2048 4096] [500] [0 25 50 75 100] [50] [0 100]" {
		t.Error(got)
	}
}
