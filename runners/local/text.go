package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/hub"
	"github.com/snapbench/snapbench/runners/models/embedded"
	"github.com/snapbench/snapbench/runners/tokenizer"
	"github.com/snapbench/snapbench/runners/weights"
)

// Text is how a model that runs elsewhere reads and writes.
type Text struct {
	Name      string // with its commit or a digest: "org/name@1a2b", "model.gguf@sha256:1a2b"
	Tokenizer tokenizer.Tokenizer
	Chat      *tokenizer.ChatTemplate // nil: the model has none
}

// TextForms says what a tokenizer may be named as.
const TextForms = "a directory with tokenizer.json, org/name[@revision] of the Hugging Face hub, or a .gguf file (also by its name, where models list shows it)"

// OpenText finds a model's tokenizer and chat template. Of a model of the hub no weights
// are brought.
func OpenText(ctx context.Context, name string, say func(string, ...any)) (Text, error) {
	path, known := name, filepath.Base(filepath.Clean(name))
	switch {
	case name == embedded.Name:
		var err error
		if path, err = extract(); err != nil {
			return Text{}, err
		}
	case isRepo(name):
		client, err := Hub()
		if err != nil {
			return Text{}, err
		}
		client.Progress = ReportBytes(say)
		repo, err := hub.ParseRepo(hub.Model, name)
		if err != nil {
			return Text{}, runners.Mistake(err)
		}
		snapshot, err := client.Ensure(ctx, repo, hub.TextFiles...)
		if err != nil {
			return Text{}, err
		}
		path, known = snapshot.Dir, repo.ID
	}
	if file, ok := kept(path); ok {
		path = file
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Text{}, fmt.Errorf("tokenizer %q: there is no such file or directory: %swant %s", name, lookup.Offer(name, shownNames()), TextForms)
	}
	if err != nil {
		return Text{}, err
	}
	var gguf *weights.File
	files := []string{path}
	if info.IsDir() {
		if files, err = decisiveIn(path); err != nil {
			return Text{}, err
		}
	} else {
		if gguf, err = weights.OpenGGUF(path); err != nil {
			return Text{}, fmt.Errorf("tokenizer %q: %w: want %s", name, err, TextForms)
		}
		defer gguf.Close()
	}
	t := Text{}
	if t.Tokenizer, t.Chat, err = openText(name, "native", path, gguf); err != nil {
		return Text{}, err
	}
	sum, err := Digest(files...)
	t.Name = known + "@" + strings.TrimPrefix(sum, "sha256:")
	return t, err
}

// standIn is a tokenizer for random weights, which have none: that of the embedded model, whose ids a vocabulary of so
// many tokens must have. Text becomes other tokens, and some more of them, than those of the model whose sizes these are.
func standIn(model string, vocabulary int) (tokenizer.Tokenizer, error) {
	dir, err := extract()
	if err != nil {
		return nil, err
	}
	text, err := tokenizer.Open(dir)
	if err != nil {
		return nil, err
	}
	if n := text.VocabSize(); vocabulary < n {
		return nil, runners.Mistake(fmt.Errorf("model %q has random weights and a vocabulary of %d tokens: text is read by a tokenizer of %d: %s,vocab=%d has as many",
			model, vocabulary, n, model, n))
	}
	return text, nil
}

// openText opens the tokenizer that lies in a directory or inside a GGUF file, and the
// chat template beside it.
func openText(model, backend, dir string, gguf *weights.File) (tokenizer.Tokenizer, *tokenizer.ChatTemplate, error) {
	if gguf != nil {
		text, chat, err := tokenizer.OpenGGUF(gguf.Metadata())
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", model, err)
		}
		return text, chat, nil
	}
	text, err := tokenizer.OpenWith(backend, dir)
	if err != nil {
		return nil, nil, err
	}
	chat, err := tokenizer.OpenChatTemplate(dir)
	if errors.Is(err, tokenizer.ErrNoChatTemplate) {
		return text, nil, nil
	}
	return text, chat, err
}
