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
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/tokenizer"
	_ "github.com/snapbench/snapbench/runners/tokenizer/sugarme" // --tokenizer sugarme
)

// model is a model that is ready to run, on one device or several.
type model struct {
	located
	files   *models.Files
	text    tokenizer.Tokenizer
	chat    *tokenizer.ChatTemplate // nil: the model has none
	date    time.Time               // what the template sees as today
	workers []*worker
	*worker        // the first
	kinds   string // of their devices: what rows depend on
}

func (m *model) Close() {
	for _, w := range m.workers {
		if w.loaded != nil {
			w.loaded.Close()
		}
	}
	if m.files != nil {
		m.files.Close()
	}
	for _, w := range m.workers {
		w.device.Close()
	}
}

// open finds the model's files, reads its tokenizer where text is wanted, and
// brings its weights to every device asked for. Without text it is for measuring
// speed, on one device.
func open(ctx context.Context, f modelFlags, say func(string, ...any), text bool) (_ *model, err error) {
	if names := tokenizer.Names(); text && !slices.Contains(names, f.tokenizer) {
		return nil, usage(fmt.Errorf("unknown tokenizer %q: have %s", f.tokenizer, strings.Join(names, ", ")))
	}
	names, err := deviceList(f.device)
	if err != nil {
		return nil, err
	}
	if len(names) > 1 && !text {
		return nil, usage(fmt.Errorf("--device %s: speed measures one device: copies that work side by side share the host, and their times are no device's own", f.device))
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
	devices, err := openDevices(names, f.dtype)
	if err != nil {
		return nil, err
	}
	m.workers = newWorkers(devices)
	m.worker, m.kinds = m.workers[0], kindsOf(m.workers)
	if err := m.load(say); err != nil {
		return nil, err
	}
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
			return m.chat.Render(list, tokenizer.RenderOptions{AddGenerationPrompt: true, Now: m.date, Variables: variables})
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
