package datasets

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/metrics"
)

func TestModelFamily(t *testing.T) {
	for name, want := range map[string]family{
		"meta-llama/Llama-2-7b-chat-hf":                                 llama2Chat,
		"meta-llama/Llama-2-7b-hf":                                      llama2,
		"models/llama-2-13b-chat.Q4_K_M.gguf":                           llama2Chat,
		"meta-llama/Meta-Llama-3-8B-Instruct@main":                      llama3Instruct,
		"meta-llama/Llama-3.1-8B":                                       llama3,
		"mistralai/Mistral-7B-Instruct-v0.2":                            mistral,
		"mistralai/Mixtral-8x7B-Instruct-v0.1":                          mixtral,
		"lmsys/longchat-7b-v1.5-32k":                                    longchat,
		"lmsys/vicuna-7b-v1.5-16k/":                                     vicuna,
		"LargeWorldModel/LWM-Text-Chat-1M":                              lwm,
		"cache/models--lmsys--vicuna-7b-v1.5-16k/snapshots/ab12mistral": vicuna,
		"mistral/SmolLM2-135M-Instruct":                                 otherFamily,
		"Qwen/Qwen3-8B":                                                 otherFamily,
	} {
		if got := modelFamily(name); got != want {
			t.Errorf("%s: family %d, want %d", name, got, want)
		}
	}
}

func TestProtocolLimits(t *testing.T) {
	for _, c := range []struct {
		model              string
		longbench, factory int
	}{
		{"meta-llama/Llama-2-7b-chat-hf", 3500, 3950},
		{"lmsys/longchat-7b-v1.5-32k", 31500, 0},
		{"lmsys/vicuna-7b-v1.5-16k", 15500, 0},
		{"Salesforce/xgen-7b-8k-inst", 7500, 0},
		{"internlm/internlm-chat-7b-8k", 7500, 0},
		{"THUDM/chatglm2-6b", 31500, 0},
		{"THUDM/chatglm2-6b-32k", 31500, 0},
		{"mistralai/Mistral-7B-Instruct-v0.2", 31500, 31500},
		{"mistralai/Mixtral-8x7B-Instruct-v0.1", 31500, 0},
		{"togethercomputer/Llama-2-7B-32K-Instruct", 31500, 3950},
		{"LargeWorldModel/LWM-Text-Chat-1M", 1048576, 0},
		{"LargeWorldModel/LWM-Text-1M", 1048576, 0},
		{"meta-llama/Meta-Llama-3-8B-Instruct", 0, 7500},
		{"meta-llama/Llama-2-13b-chat-hf", 0, 3950},
		{"HuggingFaceTB/SmolLM2-135M-Instruct", 0, 0},
	} {
		m := Model{Name: c.model}
		if a, b := longbenchLimit(m), factoryLimit(m); a != c.longbench || b != c.factory {
			t.Errorf("%s: limits %d and %d, want %d and %d", c.model, a, b, c.longbench, c.factory)
		}
	}
	for key, n := range texts().MaxLength {
		if got := longbenchLimit(Model{Name: key}); got != n {
			t.Errorf("%s: limit %d, want the table's %d", key, got, n)
		}
	}
	for key := range modelAliases {
		if texts().MaxLength[key] == 0 {
			t.Errorf("alias of %q, which is not in the table", key)
		}
	}
}

// Every set has every text that it needs.
func TestLongBenchTexts(t *testing.T) {
	x := texts()
	if n := len(LongBenchSets()); n != 16+5+13 {
		t.Errorf("%d sets", n)
	}
	var e []string
	for _, set := range metrics.LongBench {
		if !strings.Contains(x.Templates[set.Name], "{context}") || x.MaxNewTokens[set.Name] == 0 {
			t.Errorf("%s: template %q, %d new tokens", set.Name, x.Templates[set.Name], x.MaxNewTokens[set.Name])
		}
		if _, ok := x.KVPress.Question[set.Name]; !ok || !strings.Contains(x.KVPress.Context[set.Name], "{context}") {
			t.Errorf("%s: kvpress's texts are missing", set.Name)
		}
		// The three parts make up the template, except for what the input brings and
		// for white space that their authors moved.
		whole := x.KVPress.Context[set.Name] + x.KVPress.Question[set.Name] + x.KVPress.AnswerPrefix[set.Name]
		if x.KVPress.StripFromInput[set.Name] == "" && strings.Join(strings.Fields(whole), " ") != strings.Join(strings.Fields(x.Templates[set.Name]), " ") &&
			!strings.HasPrefix(x.Templates[set.Name], "Please complete the code") {
			t.Errorf("%s: kvpress's parts are %q", set.Name, whole)
		}
		if set.E {
			e = append(e, set.Name)
		}
	}
	slices.Sort(e)
	if want := slices.Sorted(slices.Values(x.E)); !slices.Equal(e, want) {
		t.Errorf("LongBench-E: %q, want %q", e, want)
	}
	if got := slices.Sorted(maps.Keys(x.Templates)); len(got) != len(metrics.LongBench) {
		t.Errorf("templates of %q", got)
	}
}

// protocolSamples gives the first sample of a set whose one row has this
// context and input, by each protocol.
func protocolSamples(t *testing.T, set, context, input string, m Model, o Options) map[string]Sample {
	t.Helper()
	row := qasperRow("a", map[string]any{"dataset": set, "context": context, "input": input, "all_classes": []string{"Date"}})
	own := LongBenchOptions{}
	if o.Own != nil {
		own = *o.Own.(*LongBenchOptions)
	}
	own.Data = filepath.Dir(writeFile(t, filepath.Join(t.TempDir(), set+".jsonl"), row))
	samples := map[string]Sample{}
	for _, p := range ProtocolNames() {
		own.Protocol = p
		o.Own = &own
		k, err := Open(set, o)
		if err != nil {
			t.Fatal(err)
		}
		samples[p] = k.Sample(0, m)
	}
	return samples
}

func TestProtocolPrompts(t *testing.T) {
	const trec = "Please determine the type of the question below. Here are some examples of questions.\n\nCONTEXT\nINPUT Type:"
	hotpot := func(context string) string {
		return "Answer the question based on the given passages. Only give me the answer and do not output any other words.\n\n" +
			"The following are given passages.\n" + context + "\n\nAnswer the question based on the given passages. " +
			"Only give me the answer and do not output any other words.\n\nQuestion: INPUT\nAnswer:"
	}("CONTEXT")
	const trecApart = "Please determine the type of the question below. Here are some examples of questions.\n\nCONTEXT\n"
	hotpotContext, _, _ := strings.Cut(hotpot, "Question: INPUT")
	chat := func(text string) string {
		return "<|im_start|>user\n" + text + "<|im_end|>\n<|im_start|>assistant\n"
	}
	vicunaText := "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions. USER: " + hotpot + " ASSISTANT:"
	llama3Text := "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n" + hotpot + "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"

	for _, c := range []struct {
		model string
		chat  bool
		set   string
		want  map[string]string
	}{
		{"Llama-2-7b-chat-hf", true, "hotpotqa", map[string]string{
			"longbench": "[INST]" + hotpot + "[/INST]", "snapkv-repo": "[INST]" + hotpot + "[/INST]", "factory": "[INST] " + hotpot + " [/INST]",
			"kvpress": chat(hotpotContext+"Question: INPUT\n") + "Answer:",
		}},
		{"Llama-2-7b-chat-hf", true, "trec", map[string]string{
			"longbench": trec, "snapkv-repo": trec, "factory": "[INST] " + trec + " [/INST]", "kvpress": chat(trecApart+"INPUT ") + "Type:",
		}},
		{"vicuna-7b-v1.5-16k", true, "hotpotqa", map[string]string{"longbench": vicunaText, "snapkv-repo": vicunaText, "factory": hotpot}},
		{"longchat-7b-v1.5-32k", true, "hotpotqa", map[string]string{"longbench": vicunaText, "snapkv-repo": vicunaText, "factory": hotpot}},
		{"LWM-Text-Chat-1M", true, "hotpotqa", map[string]string{"longbench": chat(hotpot), "snapkv-repo": "[INST]" + hotpot + "[/INST]", "factory": hotpot}},
		{"LWM-Text-Chat-1M", true, "trec", map[string]string{"longbench": trec, "snapkv-repo": trec, "factory": trec}},
		{"Mistral-7B-Instruct-v0.2", true, "hotpotqa", map[string]string{"longbench": chat(hotpot), "snapkv-repo": hotpot, "factory": hotpot}},
		{"Mixtral-8x7B-Instruct-v0.1", true, "hotpotqa", map[string]string{"longbench": chat(hotpot), "snapkv-repo": hotpot, "factory": hotpot}},
		{"Meta-Llama-3-8B-Instruct", true, "hotpotqa", map[string]string{"longbench": chat(hotpot), "snapkv-repo": chat(hotpot), "factory": llama3Text}},
		{"Meta-Llama-3-8B-Instruct", true, "trec", map[string]string{"longbench": trec, "factory": trec}},
		{"Qwen3-8B", true, "hotpotqa", map[string]string{"longbench": chat(hotpot), "snapkv-repo": chat(hotpot), "factory": hotpot}},
		{"some-base-model", false, "hotpotqa", map[string]string{
			"longbench": hotpot, "snapkv-repo": hotpot, "factory": hotpot, "kvpress": "<s>" + hotpotContext + "Question: INPUT\n\nAnswer:",
		}},
	} {
		m := Model{Name: c.model, Tokenizer: wordwise()}
		if c.chat {
			m.Chat = chatml
		}
		input := "INPUT"
		if c.set == "trec" {
			input = "INPUT Type:"
		}
		for p, s := range protocolSamples(t, c.set, "CONTEXT", input, m, Options{}) {
			want, ok := c.want[p]
			if s.Err != nil || ok && s.Prompt != want {
				t.Errorf("%s, %s, %s: %v, prompt\n%q, want\n%q", c.model, c.set, p, s.Err, s.Prompt, want)
			}
			own := c.chat && p != "kvpress" && strings.HasPrefix(s.Prompt, "<|im_start|>")
			if own != strings.Contains(s.Note, "the model's own, where the original has none") {
				t.Errorf("%s, %s, %s: note %q", c.model, c.set, p, s.Note)
			}
		}
	}
}

func TestProtocolRules(t *testing.T) {
	m := Model{Name: "any", Tokenizer: wordwise(), Chat: chatml}
	newline, _ := m.Tokenizer.Encode("\n", false)
	for set, maxNew := range map[string]int{"samsum": 128, "hotpotqa": 32} {
		for p, s := range protocolSamples(t, set, "c", "i", m, Options{}) {
			minNew := map[string]int{"snapkv-repo": 1, "factory": 1, "longbench": 0, "kvpress": 0}[p]
			var stop []int32
			if set == "samsum" && p != "kvpress" {
				minNew, stop = 1, newline
			}
			extra := map[string]int{"kvpress": 20}[p]
			end := map[string]End{"longbench": EndOfText, "snapkv-repo": EndOfText, "factory": EndOfTextOrTurn, "kvpress": EndGeneration}[p]
			if s.MinNew != minNew || s.MaxNew != maxNew+extra || !slices.Equal(s.StopIDs, stop) || s.End != end || s.FirstLine != (set == "samsum") {
				t.Errorf("%s, %s: %+v", set, p, s)
			}
			if (p == "kvpress") != (len(s.Question) > 0) {
				t.Errorf("%s, %s: a question of %d tokens apart", set, p, len(s.Question))
			}
		}
	}
	for p, s := range protocolSamples(t, "hotpotqa", "c", "i", m, Options{MaxNew: 40}) {
		if want := map[string]int{"kvpress": 40}[p]; s.MaxNew != max(32, want) {
			t.Errorf("%s: %d new tokens under a cap of 40", p, s.MaxNew)
		}
	}
	if _, err := OpenProtocol("snapkv"); err == nil || err.Error() != `unknown protocol "snapkv": did you mean snapkv-repo? have longbench, snapkv-repo, kvpress, factory` {
		t.Error(err)
	}
}

// numbered is a text of n words.
func numbered(n int) string {
	words := make([]string, n)
	for i := range words {
		words[i] = fmt.Sprintf("w%d", i)
	}
	return strings.Join(words, " ")
}

func TestProtocolTruncation(t *testing.T) {
	// BOS and the 6 words of lcc's template leave 5 of the first 12 tokens to
	// the context, the 5 words behind it and the last newline 7 of the last 12.
	m := Model{Name: "any", Tokenizer: wordwise(), Chat: bracketed}
	for p, s := range protocolSamples(t, "lcc", numbered(100)+" ", "", m, Options{Own: &LongBenchOptions{MaxLength: 25}}) {
		want := "Please complete the code given below. w0 w1 w2 w3 w4 w93 w94 w95 w96 w97 w98 w99 Next line of code:"
		if p == "kvpress" { // BOS and [INST] are two tokens
			want = "<s>[INST] Please complete the code given below. " + numbered(17) + " [/INST]Next line of code:"
		}
		want = strings.Replace(strings.Replace(want, "below. ", "below. \n", 1), "code: ", "code:", 1)
		if s.Err != nil || !s.Truncated || strings.Join(strings.Fields(s.Prompt), " ") != strings.Join(strings.Fields(want), " ") {
			t.Errorf("%s: %v, %q\nwant %q", p, s.Err, s.Prompt, want)
		}
	}
	// The factory applies Llama-2's template before the cut, so that it is cut like the rest.
	m.Name = "Llama-2-7b-chat-hf"
	s := protocolSamples(t, "lcc", numbered(5000), "", m, Options{})["factory"]
	if s.Err != nil || len(s.IDs) != 3950 || !strings.HasPrefix(s.Prompt, "[INST] Please") || !strings.HasSuffix(s.Prompt, " [/INST]") {
		t.Errorf("%v, %d tokens, %.40q", s.Err, len(s.IDs), s.Prompt)
	}
	if n := protocolSamples(t, "hotpotqa", numbered(5000), "q", m, Options{})["longbench"]; len(n.IDs) != 3500 {
		t.Errorf("%d tokens", len(n.IDs)) // [INST] and [/INST] join the words beside them; BOS is dropped with the halves' special tokens and added again
	}

	// A model that is not in the table gets what its context leaves.
	m = Model{Name: "any", ContextLength: 300, Tokenizer: wordwise(), Chat: chatml}
	for p, s := range protocolSamples(t, "hotpotqa", numbered(1000), "q", m, Options{}) {
		if n := len(s.IDs) + len(s.Question) + s.MaxNew; s.Err != nil || !s.Truncated || n > 300 || n < 296 {
			t.Errorf("%s: %v, %d tokens with the new ones of a context of 300", p, s.Err, n)
		}
	}
	m.ContextLength = 33
	for p, s := range protocolSamples(t, "hotpotqa", numbered(1000), "q", m, Options{}) {
		if s.Err == nil || !strings.Contains(s.Err.Error(), "the model's context of 33 tokens has no room") {
			t.Errorf("%s: %v", p, s.Err)
		}
	}
	m.ContextLength = 100
	for p, s := range protocolSamples(t, "hotpotqa", numbered(1000), "q", m, Options{Own: &LongBenchOptions{MaxLength: 500}}) {
		if s.Err == nil || !strings.Contains(s.Err.Error(), "the model's context 100") || s.IDs != nil || s.Prompt != "" {
			t.Errorf("%s: a limit above the context: %v", p, s.Err)
		}
	}
}

// kvpress removes the end of an input only where nothing follows it, and asks models that
// think not to.
func TestKVPressDetails(t *testing.T) {
	var seen map[string]any
	m := Model{Tokenizer: wordwise(), Chat: func(messages []Message, variables map[string]any) (string, error) {
		seen = variables
		return chatml(messages, variables)
	}}
	s := protocolSamples(t, "samsum", "c", "Dialogue: d\nSummary:", m, Options{})["kvpress"]
	if !strings.HasSuffix(s.Prompt, "Dialogue: d\n<|im_end|>\n<|im_start|>assistant\nSummary:") || seen["enable_thinking"] != false {
		t.Errorf("%q, variables %v", s.Prompt, seen)
	}
	s = protocolSamples(t, "samsum", "c", "Dialogue: d\nSummary: ", m, Options{})["kvpress"]
	if !strings.HasSuffix(s.Prompt, "Dialogue: d\nSummary: <|im_end|>\n<|im_start|>assistant\nSummary:") {
		t.Errorf("%q", s.Prompt)
	}
}
