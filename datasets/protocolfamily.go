package datasets

import (
	_ "embed"
	"path"
	"strings"
)

// longbenchLimit is the benchmark's longest prompt for a model in tokens, 0 if it names none.
func longbenchLimit(m Model) int {
	name := plain(modelName(m.Name))
	found, limit := 0, 0
	for key, n := range texts().MaxLength {
		for _, alias := range append(modelAliases[key], key) {
			if alias = plain(alias); strings.HasPrefix(name, alias) && len(alias) > found {
				found, limit = len(alias), n
			}
		}
	}
	return limit
}

// factoryLimit is the factory's longest prompt for a model in tokens, 0 if it names none.
func factoryLimit(m Model) int {
	switch modelFamily(m.Name) {
	case llama2Chat, llama2:
		return 3950
	case llama3, llama3Instruct:
		return 7500
	case mistral:
		return 31500
	}
	return 0
}

// modelAliases are names on the hub of models that LongBench's table calls otherwise.
var modelAliases = map[string][]string{
	"llama2-7b-chat-4k":    {"Llama-2-7b-chat"},
	"longchat-v1.5-7b-32k": {"longchat-7b-v1.5-32k"},
	"internlm-7b-8k":       {"internlm-chat-7b-8k"},
	"vicuna-v1.5-7b-16k":   {"vicuna-7b-v1.5-16k"},
}

// family is a kind of model that a protocol treats in a way of its own.
type family int

const (
	otherFamily family = iota
	llama2
	llama2Chat
	llama3
	llama3Instruct
	mistral
	mixtral
	vicuna
	longchat
	lwm
)

// modelFamily tells a model's family by its name, as the originals do.
func modelFamily(name string) family {
	name = plain(modelName(name))
	has := func(part string) bool { return strings.Contains(name, part) }
	switch {
	case has("longchat"):
		return longchat
	case has("vicuna"):
		return vicuna
	case has("lwm"):
		return lwm
	case has("mixtral"):
		return mixtral
	case has("mistral"):
		return mistral
	case has("llama2") && has("chat"):
		return llama2Chat
	case has("llama2"):
		return llama2
	case has("llama3") && has("instruct"):
		return llama3Instruct
	case has("llama3"):
		return llama3
	}
	return otherFamily
}

// modelName is the part of a name or path that says which model it is.
func modelName(name string) string {
	name = strings.TrimRight(strings.ReplaceAll(name, "\\", "/"), "/")
	for _, part := range strings.Split(name, "/") { // a folder of the hub's cache
		if rest, ok := strings.CutPrefix(part, "models--"); ok {
			return rest[strings.LastIndex(rest, "--")+len("--"):]
		}
	}
	name, _, _ = strings.Cut(path.Base(name), "@") // @revision
	return name
}

// plain is a name in lower case with only its letters and digits.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}
