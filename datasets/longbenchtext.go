package datasets

import (
	_ "embed"
	"encoding/json"
	"sync"
)

//go:embed longbench/prompts.json
var longbenchJSON []byte

// longbenchTexts are LongBench's prompts and numbers, by set.
type longbenchTexts struct {
	Templates      map[string]string `json:"templates"`
	MaxNewTokens   map[string]int    `json:"max_new_tokens"`
	NoChatTemplate []string          `json:"no_chat_template"`
	E              []string          `json:"longbench_e"`
	MaxLength      map[string]int    `json:"max_length"` // by the benchmark's names for models
	KVPress        struct {
		Context        map[string]string `json:"context"`
		Question       map[string]string `json:"question"`
		AnswerPrefix   map[string]string `json:"answer_prefix"`
		StripFromInput map[string]string `json:"strip_from_input"`
		ExtraNewTokens int               `json:"extra_new_tokens"`
	} `json:"kvpress"`
}

// texts returns the embedded prompts.
var texts = sync.OnceValue(func() *longbenchTexts {
	var t longbenchTexts
	if err := json.Unmarshal(longbenchJSON, &t); err != nil {
		panic("datasets: the embedded prompts of LongBench: " + err.Error())
	}
	return &t
})
