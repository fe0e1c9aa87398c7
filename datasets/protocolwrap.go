package datasets

import (
	_ "embed"
	"slices"
	"strings"
)

// wrap is a chat template: the model's own, a fixed form, or none.
type wrap struct {
	form string // with {prompt}; empty: none
	own  bool   // the model's own template, if it has one
}

// vicunaForm is FastChat's vicuna_v1.1.
const vicunaForm = "A chat between a curious user and an artificial intelligence assistant. " +
	"The assistant gives helpful, detailed, and polite answers to the user's questions. USER: {prompt} ASSISTANT:"

const llama3Form = "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n{prompt}<|eot_id|>" +
	"<|start_header_id|>assistant<|end_header_id|>\n\n"

func longbenchTemplate(f family, set string) wrap {
	switch {
	case slices.Contains(texts().NoChatTemplate, set):
		return wrap{}
	case f == llama2Chat:
		return wrap{form: "[INST]{prompt}[/INST]"}
	case f == vicuna || f == longchat:
		return wrap{form: vicunaForm}
	}
	return wrap{own: true}
}

func snapkvTemplate(f family, set string) wrap {
	w := longbenchTemplate(f, set)
	switch {
	case f == mistral || f == mixtral:
		return wrap{}
	case f == lwm && w.own:
		return wrap{form: "[INST]{prompt}[/INST]"}
	}
	return w
}

func factoryBefore(f family, _ string) wrap {
	if f == llama2Chat {
		return wrap{form: "[INST] {prompt} [/INST]"}
	}
	return wrap{}
}

func factoryAfter(f family, set string) wrap {
	if f == llama3Instruct && !slices.Contains(texts().NoChatTemplate, set) {
		return wrap{form: llama3Form}
	}
	return wrap{}
}

// apply puts the template around a text.
func (w wrap) apply(m Model, text string) (string, error) {
	switch {
	case w.form != "":
		return strings.Replace(w.form, "{prompt}", text, 1), nil
	case w.own && m.Chat != nil:
		// The template may trim the text, which it could not do if it were rendered
		// around a mark that the text replaces.
		return m.user(text, nil)
	}
	return text, nil
}
