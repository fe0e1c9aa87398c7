package server

import (
	"encoding/json"
	"fmt"
)

// reply is an event of a stream, or a whole answer: OpenAI's fields, and those that
// engines add.
type reply struct {
	Choices []choice        `json:"choices"`
	Usage   *usage          `json:"usage"`
	Error   json.RawMessage `json:"error"`
	// Truncated is llama.cpp's word for a context that was cut.
	Truncated bool `json:"truncated"`
}

type choice struct {
	Index        int    `json:"index"`
	Text         text   `json:"text"`    // of /completions
	Delta        turn   `json:"delta"`   // of /chat/completions, streamed
	Message      turn   `json:"message"` // and whole
	FinishReason string `json:"finish_reason"`
	// TokenIDs are vLLM's, of this piece.
	TokenIDs []int32   `json:"token_ids"`
	Logprobs *logprobs `json:"logprobs"`
	// PromptLogprobs are vLLM's: one for each token of the prompt, by id; the first is
	// null.
	PromptLogprobs []map[string]struct {
		Logprob float64 `json:"logprob"`
	} `json:"prompt_logprobs"`
	Truncated bool `json:"truncated"`
}

type turn struct {
	Content   text `json:"content"`
	Thought   text `json:"reasoning_content"`
	Reasoning text `json:"reasoning"` // the same, by its newer name
}

type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	Details          *struct {
		CachedTokens int `json:"cached_tokens"`
	} `json:"prompt_tokens_details"`
}

// read reads a reply; one that is an error is that.
func (c *client) read(data []byte) (reply, error) {
	var r reply
	if err := json.Unmarshal(data, &r); err != nil {
		return r, pass(fmt.Errorf("the server sends what is no such JSON as was expected: %w: %q", err, c.shown(string(data[:min(len(data), mostShown)]))))
	}
	if len(r.Error) > 0 && string(r.Error) != "null" {
		said := &StatusError{Status: 200, Text: "an error within its answer: " + c.shown(saidIn(data))}
		if tooLong(r.Error) {
			return r, &FitError{said}
		}
		return r, pass(said)
	}
	return r, nil
}

// own returns a piece's text, and whether there is a thought beside it.
func (c *choice) own() (piece text, thought bool) {
	return c.Text + c.Delta.Content + c.Message.Content,
		c.Delta.Thought != "" || c.Delta.Reasoning != "" || c.Message.Thought != "" || c.Message.Reasoning != ""
}
