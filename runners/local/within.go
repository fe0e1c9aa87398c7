package local

import (
	"context"

	"github.com/snapbench/snapbench/datasets"
)

// Within parts lengths of prompts, as they are written, into those that leave an answer room
// in a model's context and those that do not, and returns the context. Where the model
// cannot be opened or has no known context, or a length cannot be read, all of them fit: what
// runs the model says what is wrong. Say is told how far a model's download is.
func Within(ctx context.Context, model string, lengths []string, say func(string, ...any)) (fit, left []string, tokens int) {
	at, err := Locate(ctx, model, say)
	if err != nil {
		return lengths, nil, 0
	}
	files, err := at.Open()
	if err != nil {
		return lengths, nil, 0
	}
	defer files.Close()
	if tokens = files.Config.Context; tokens == 0 {
		return lengths, nil, 0
	}
	for _, text := range lengths {
		if n, err := datasets.ParseTokens(text); err == nil && n >= tokens {
			left = append(left, text)
		} else {
			fit = append(fit, text)
		}
	}
	return fit, left, tokens
}
