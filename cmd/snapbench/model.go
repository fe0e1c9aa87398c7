package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/tokenizer"
	_ "github.com/snapbench/snapbench/runners/tokenizer/sugarme" // --tokenizer sugarme
)

const defaultModel = ""

const modelForms = "org/name[@revision] of the Hugging Face hub, a directory, a .gguf file, or shape:NAME (random weights)"

// model is a model that is ready to run.
type model struct {
	name     string
	revision string
	device   engine.Device
	files    *models.Files
	loaded   *models.Model
	text     tokenizer.Tokenizer
	chat     *tokenizer.ChatTemplate // nil: the model has none
	runner   *runners.Local
}

func (m *model) Close() {
	if m.loaded != nil {
		m.loaded.Close()
	}
	if m.files != nil {
		m.files.Close()
	}
	if m.device != nil {
		m.device.Close()
	}
}

// openModel finds the model's files, reads its tokenizer and brings its weights
// to the device.
func openModel(ctx context.Context, f modelFlags, say func(string, ...any)) (_ *model, err error) {
	m := &model{name: f.model}
	if _, err := os.Stat(f.model); err == nil {
		m.name = filepath.Base(filepath.Clean(f.model)) // where it lies plays no part; the revision says what it is
	}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if isRepo(f.model) {
		snapshot, err := findModel(ctx, f.model, say)
		if err != nil {
			return nil, err
		}
		m.revision = snapshot.Commit
		f.model = snapshot.Dir
	}
	if m.files, err = openFiles(f.model); err != nil {
		return nil, err
	}
	if m.revision == "" {
		if m.revision, err = revision(f.model, m.files); err != nil {
			return nil, err
		}
	}
	if err := m.openText(f); err != nil {
		return nil, err
	}
	if m.device, err = openDevice(f.device, f.dtype); err != nil {
		return nil, err
	}
	say("loading %s (%.2f GB) on %s: %s", f.model, float64(m.files.Bytes)/1e9, m.device.Name(), m.device.Describe())
	if m.loaded, err = models.Load(m.device, m.files, nil); err != nil {
		return nil, err
	}
	m.runner = runners.NewLocal(m.loaded, func(ids []int32) string { return m.text.Decode(ids, true) })
	return m, nil
}

func openFiles(name string) (*models.Files, error) {
	if shape, ok := strings.CutPrefix(name, "shape:"); ok {
		files, err := models.OpenShape(shape)
		return files, usage(err)
	}
	if _, err := os.Stat(name); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("model %q: there is no such file or directory: want %s", name, modelForms)
		}
		return nil, err
	}
	return models.Open(name)
}

func (m *model) openText(f modelFlags) (err error) {
	if strings.HasPrefix(f.model, "shape:") {
		return fmt.Errorf("model %q has random weights and no tokenizer: it serves snapbench speed", f.model)
	}
	if m.files.GGUF != nil {
		if f.tokenizer != "native" {
			return usage(fmt.Errorf("--tokenizer %s reads tokenizer.json; %s has its tokenizer inside", f.tokenizer, f.model))
		}
		vocabulary, err := tokenizer.ReadGGUF(m.files.GGUF.Metadata())
		if err != nil {
			return fmt.Errorf("%s: %w", f.model, err)
		}
		native, err := tokenizer.FromGGUF(vocabulary)
		if err != nil {
			return fmt.Errorf("%s: %w", f.model, err)
		}
		m.text = native
		m.chat, err = vocabulary.Template()
		if err != nil && !errors.Is(err, tokenizer.ErrNoChatTemplate) {
			return fmt.Errorf("%s: %w", f.model, err)
		}
		return nil
	}
	if m.text, err = tokenizer.OpenWith(f.tokenizer, f.model); err != nil {
		return err
	}
	m.chat, err = tokenizer.OpenChatTemplate(f.model)
	if errors.Is(err, tokenizer.ErrNoChatTemplate) {
		return nil
	}
	return err
}

// dataset is the model as prompts see it.
func (m *model) dataset() datasets.Model {
	d := datasets.Model{Name: m.name, ContextLength: m.loaded.Context, Tokenizer: m.text}
	if m.chat != nil {
		d.Chat = func(messages []datasets.Message, variables map[string]any) (string, error) {
			list := make([]tokenizer.Message, len(messages))
			for i, x := range messages {
				list[i] = tokenizer.Message{Role: x.Role, Content: x.Content}
			}
			return m.chat.Render(list, tokenizer.RenderOptions{AddGenerationPrompt: true, Variables: variables})
		}
	}
	return d
}

// stop returns where a sample's answer ends.
func (m *model) stop(s datasets.Sample) runners.Stop {
	stop := runners.Stop{Strings: s.StopStrings, Tokens: slices.Clone(s.StopIDs)}
	add := func(ids ...int32) {
		for _, id := range ids {
			if !slices.Contains(stop.Tokens, id) {
				stop.Tokens = append(stop.Tokens, id)
			}
		}
	}
	text := m.text.EOS()
	switch s.End {
	case datasets.EndGeneration:
		if len(m.loaded.EOS) > 0 {
			add(m.loaded.EOS...)
		} else {
			add(text...)
		}
	case datasets.EndOfText:
		add(text[:min(1, len(text))]...)
	case datasets.EndOfTextOrTurn:
		add(text...)
		for _, turn := range []string{"<|im_end|>", "<|eot_id|>", "<|end_of_turn|>", "<end_of_turn>"} {
			if id, ok := m.text.TokenID(turn); ok {
				add(id)
			}
		}
	}
	return stop
}

// revision names the weights: the digest of the file or of the directory's
// files, so that a row says exactly what answered.
func revision(name string, files *models.Files) (string, error) {
	if strings.HasPrefix(name, "shape:") {
		return name, nil
	}
	info, err := os.Stat(files.Path)
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return digest(files.Path)
	}
	var names []string
	for _, pattern := range []string{"*.safetensors", "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"} {
		found, err := filepath.Glob(filepath.Join(files.Path, pattern))
		if err != nil {
			return "", err
		}
		names = append(names, found...)
	}
	return digest(names...)
}
