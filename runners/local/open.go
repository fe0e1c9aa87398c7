package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/tokenizer"
	_ "github.com/snapbench/snapbench/runners/tokenizer/sugarme" // --tokenizer sugarme
)

// Options say which model to open on which devices.
type Options struct {
	Model     string // as [Locate] finds it
	Device    string // "auto", or devices separated by commas
	DType     string // "auto", float32, float16, bfloat16
	Tokenizer string // backend; empty where no text is read, as when speed is measured
	Rope      string // scaling of the rotation in place of the model's own, as [models.ParseRope] reads it; empty: its own
	Stage     string // a folder to copy the model's files to first; empty: they are read where they are
}

// Opened is a model that is ready to run, on one device or several.
type Opened struct {
	Located
	Engines []*Engine
	Rope    string // the scaling that was set, with what it left out; empty: the model's own
	Kinds   string // of the engines' devices, each once; rows depend on these
	// Today is the date that the chat template sees: the day on which it was opened, or as it was set.
	Today time.Time

	files   *models.Files
	text    tokenizer.Tokenizer
	chat    *tokenizer.ChatTemplate // nil: the model has none
	devices []engine.Device
}

// Close frees the weights and closes files and devices.
func (m *Opened) Close() {
	for _, e := range m.Engines {
		if e.model != nil {
			e.model.Close()
		}
	}
	if m.files != nil {
		m.files.Close()
	}
	for _, d := range m.devices {
		d.Close()
	}
}

// Runners returns the engines as runners.
func (m *Opened) Runners() []runners.Runner {
	list := make([]runners.Runner, len(m.Engines))
	for i, e := range m.Engines {
		list[i] = e
	}
	return list
}

// On returns variants for the model: budgets in bytes have their capacities.
func (m *Opened) On(variants []compress.Variant) []compress.Variant {
	return compress.On(m.Engines[0].model.Shape(), variants)
}

// Random says that the weights are random: no answer has a meaning, nor a score.
func (l Located) Random() bool { return l.path == "" }

// UsesDate says whether the model's chat template asks for the date.
func (m *Opened) UsesDate() bool { return m.chat != nil && m.chat.UsesDate() }

// SetToday sets the date that the chat template sees.
func (m *Opened) SetToday(day time.Time) { m.Today = day }

// Subject says in rows what was measured.
func (m *Opened) Subject() results.Subject {
	return results.Subject{Model: m.Name, Revision: m.Revision, Rope: m.Rope, Device: m.Kinds, DType: m.devices[0].Type().String()}
}

// Open finds the model's files, reads its tokenizer if one is asked for, and loads the
// weights on every device.
func Open(ctx context.Context, o Options, say func(string, ...any)) (_ *Opened, err error) {
	if names := tokenizer.Names(); o.Tokenizer != "" && !slices.Contains(names, o.Tokenizer) {
		return nil, runners.Mistake(lookup.Unknown("tokenizer", o.Tokenizer, names...))
	}
	if _, err := parseRope(o.Rope); err != nil {
		return nil, err
	}
	names, err := deviceList(o.Device)
	if err != nil {
		return nil, err
	}
	if len(names) > 1 && o.Tokenizer == "" {
		return nil, runners.Mistake(fmt.Errorf("--device %s: speed measures one device: copies that work side by side share the host, and their times are no device's own", o.Device))
	}
	at, err := locate(ctx, o.Model, o.Stage, say)
	if err != nil {
		return nil, err
	}
	m := &Opened{Located: at}
	year, month, day := time.Now().Date()
	m.Today = time.Date(year, month, day, 0, 0, 0, 0, time.UTC) // one for all prompts, however late the last is made
	defer func() {
		if err != nil {
			m.Close()
		}
	}()
	if m.files, m.Rope, err = at.OpenAs(o.Rope, say); err != nil {
		return nil, err
	}
	if o.Tokenizer != "" {
		if err := m.openText(o); err != nil {
			return nil, err
		}
	}
	if m.devices, err = openDevices(names, o.DType); err != nil {
		return nil, err
	}
	m.Engines, m.Kinds = newEngines(m.devices), kindsOf(m.devices)
	if err := m.load(say); err != nil {
		return nil, err
	}
	return m, nil
}

// newEngines gives each device an engine that has no model yet.
func newEngines(devices []engine.Device) []*Engine {
	memories, same, number := map[string]*memory{}, map[string]int{}, map[string]int{}
	for _, d := range devices {
		same[d.Name()]++
	}
	var list []*Engine
	for _, d := range devices {
		name := d.Name()
		place := name
		if engine.OnHost(name) {
			place = "host"
		}
		if memories[place] == nil {
			memories[place] = &memory{}
		}
		e := &Engine{memory: memories[place]}
		e.about.Name = name
		if number[name]++; same[name] > 1 {
			e.about.Name = fmt.Sprintf("%s (%d of %d)", name, number[name], same[name])
		}
		e.memory.engines = append(e.memory.engines, e)
		list = append(list, e)
	}
	return list
}

// load loads the weights for every engine. Engines with separate memories load at the same
// time, those that share one in turn, since each checks first what is still free.
func (m *Opened) load(say func(string, ...any)) error {
	failed := make([]error, len(m.Engines))
	var wait sync.WaitGroup
	for _, first := range m.Engines {
		if first != first.memory.engines[0] {
			continue
		}
		wait.Go(func() {
			for _, e := range first.memory.engines {
				i := slices.Index(m.Engines, e)
				start, d := time.Now(), m.devices[i]
				loaded, err := models.Load(d, m.files, nil)
				if err != nil {
					failed[i] = err
					if len(m.Engines) > 1 {
						failed[i] = fmt.Errorf("%s: %w", e.about.Name, err)
					}
					return
				}
				e.model, e.decode = loaded, func(ids []int32) string { return m.text.Decode(ids, true) }
				e.describe(m.Name, m.Revision, m.Rope, e.about.Name)
				e.random = m.Random()
				bytes, took := float64(d.Memory().Weights), time.Since(start).Seconds()
				say("%s on %s (%s): %.2f GB of weights in %.2f s", m.Name, e.about.Name, d.Describe(), bytes/1e9, took)
			}
		})
	}
	wait.Wait()
	return errors.Join(failed...)
}

// openText opens the tokenizer and the chat template.
func (m *Opened) openText(o Options) (err error) {
	if m.Random() {
		m.text, err = standIn(m.Name, m.files.Config.Vocab)
		return err
	}
	if m.files.GGUF != nil && o.Tokenizer != "native" {
		return runners.Mistake(fmt.Errorf("--tokenizer %s reads tokenizer.json; %s has its tokenizer inside", o.Tokenizer, o.Model))
	}
	m.text, m.chat, err = openText(o.Model, o.Tokenizer, m.path, m.files.GGUF)
	return err
}

// Reader is what the tasks need of the model to build prompts.
func (m *Opened) Reader() datasets.Model {
	d := datasets.Model{Name: m.Name, ContextLength: m.Engines[0].model.Context, Tokenizer: m.text, Pieces: m.Pieces}
	if m.chat != nil {
		d.Chat = func(messages []datasets.Message, variables map[string]any) (string, error) {
			list := make([]tokenizer.Message, len(messages))
			for i, x := range messages {
				list[i] = tokenizer.Message{Role: x.Role, Content: x.Content}
			}
			return m.chat.Render(list, tokenizer.RenderOptions{AddGenerationPrompt: true, Now: m.Today, Variables: variables})
		}
	}
	return d
}

// Pieces returns the text of each token of a prompt.
func (m *Opened) Pieces(ids []int32) []string { return tokenizer.Pieces(m.text, ids) }

// Stop returns the tokens and strings that end a sample's answer. Random weights have none: what they say is chance, and
// an answer is to cost what its most tokens do.
func (m *Opened) Stop(s datasets.Sample) runners.Stop {
	if m.Random() {
		return runners.Stop{}
	}
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
		if len(m.Engines[0].model.EOS) > 0 {
			add(m.Engines[0].model.EOS...)
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
