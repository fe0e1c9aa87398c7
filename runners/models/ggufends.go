package models

import (
	"slices"

	"github.com/snapbench/snapbench/runners/weights"
)

// ends are spellings of tokens that end a turn, a message to a tool, or a text. A GGUF file names one or two ids where the hub's
// generation_config.json has a list; the others are known by these, as in llama.cpp.
var ends = []string{"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|im_end|>", "<|endoftext|>", "<end_of_turn>", "<|end|>", "<|return|>", "<|call|>"}

// ggufEnds are the ids of the tokens that end a generation.
func ggufEnds(meta weights.Metadata) (ids []int32) {
	add := func(id int32) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, key := range []string{"eos", "eot", "eom"} {
		if id, err := meta.Uint("tokenizer.ggml." + key + "_token_id"); err == nil {
			add(int32(id))
		}
	}
	tokens, err := meta.Strings("tokenizer.ggml.tokens")
	if err != nil {
		return ids
	}
	types, _ := meta.Ints("tokenizer.ggml.token_type")
	const control, own = 3, 4 // what text alone does not spell
	// In harmony, gpt-oss's format, an answer has several messages, each ending with this.
	messages := slices.Contains(tokens, "<|return|>") && slices.Contains(tokens, "<|call|>")
	for i, token := range tokens {
		if len(types) == len(tokens) && types[i] != control && types[i] != own {
			continue
		}
		if slices.Contains(ends, token) && !(messages && token == "<|end|>") {
			add(int32(i))
		}
	}
	return ids
}
