package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/tokenizer"
	_ "github.com/snapbench/snapbench/runners/tokenizer/sugarme" // --tokenizer sugarme
)

// model is a model that is ready to run.
type model struct {
	located
	device engine.Device
	files  *models.Files
	loaded *models.Model
	text   tokenizer.Tokenizer
	chat   *tokenizer.ChatTemplate // nil: the model has none
	runner *runners.Local
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

// open finds the model's files, reads its tokenizer where text is wanted, and
// brings its weights to the device.
func open(ctx context.Context, f modelFlags, say func(string, ...any), text bool) (_ *model, err error) {
	if names := tokenizer.Names(); text && !slices.Contains(names, f.tokenizer) {
		return nil, usage(fmt.Errorf("unknown tokenizer %q: have %s", f.tokenizer, strings.Join(names, ", ")))
	}
	at, err := locate(ctx, f.model, say)
	if err != nil {
		return nil, err
	}
	m := &model{located: at}
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if m.files, err = at.open(); err != nil {
		return nil, err
	}
	if text {
		if err := m.openText(f); err != nil {
			return nil, err
		}
	}
	if m.device, err = openDevice(f.device, f.dtype); err != nil {
		return nil, err
	}
	start := time.Now()
	if m.loaded, err = models.Load(m.device, m.files, nil); err != nil {
		return nil, err
	}
	bytes, took := float64(m.device.Memory().Weights), time.Since(start).Seconds()
	say("%s on %s (%s): %.2f GB of weights in %.2f s", m.name, m.device.Name(), m.device.Describe(), bytes/1e9, took)
	m.runner = runners.NewLocal(m.loaded, func(ids []int32) string { return m.text.Decode(ids, true) })
	return m, nil
}

func (m *model) openText(f modelFlags) (err error) {
	if m.path == "" {
		return fmt.Errorf("model %q has random weights and no tokenizer: it serves snapbench speed", f.model)
	}
	if m.files.GGUF != nil {
		if f.tokenizer != "native" {
			return usage(fmt.Errorf("--tokenizer %s reads tokenizer.json; %s has its tokenizer inside", f.tokenizer, f.model))
		}
		text, chat, err := tokenizer.OpenGGUF(m.files.GGUF.Metadata())
		if err != nil {
			return fmt.Errorf("%s: %w", f.model, err)
		}
		m.text, m.chat = text, chat
		return nil
	}
	if m.text, err = tokenizer.OpenWith(f.tokenizer, m.path); err != nil {
		return err
	}
	m.chat, err = tokenizer.OpenChatTemplate(m.path)
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
