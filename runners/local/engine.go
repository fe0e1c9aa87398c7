// Package local is the project's own engine as a [runners.Runner]: one prefill for
// all variants of a prompt, in which each chooses and gathers what it keeps, the
// audit of what the device really kept, and one ragged batch that decodes all of
// them. It finds and opens models and devices, and alone knows what fits their
// memory.
package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// Engine runs a model on one device of this machine.
type Engine struct {
	model  *models.Model
	decode func(ids []int32) string
	about  runners.Description
	memory *memory
	answer func(ctx context.Context, requests []runners.Request) ([][]runners.Completion, error)
}

// New returns an engine that has its device's memory to itself; decode turns an
// answer's tokens into text. The model stays the caller's.
func New(m *models.Model, decode func(ids []int32) string) *Engine {
	e := &Engine{model: m, decode: decode, memory: &memory{}}
	e.memory.engines, e.answer = []*Engine{e}, e.complete
	e.describe("", "", m.Device().Name())
	return e
}

func (e *Engine) describe(model, revision, name string) {
	d := e.model.Device()
	e.about = runners.Description{
		Model: model, Revision: revision, Device: d.Name(), DType: d.Type().String(), Name: name, About: d.Describe(),
		Context: e.model.Context, Fidelity: true, Positions: true,
	}
}

// Describe says what runs where.
func (e *Engine) Describe() runners.Description { return e.about }

// Model returns the model.
func (e *Engine) Model() *models.Model { return e.model }

// Close does nothing: the model is the caller's.
func (e *Engine) Close() error { return nil }

// Check reports what is no cache policy, and lists whose length is not the number of
// the model's layers.
func (e *Engine) Check(list []runners.Variant) error {
	policies, err := policiesOf(list)
	if err != nil {
		return err
	}
	for _, v := range policies {
		if err := v.CheckLayers(e.model.Layers); err != nil {
			return err
		}
	}
	return nil
}

// policiesOf returns the variants as what they must be here.
func policiesOf(list []runners.Variant) ([]compress.Variant, error) {
	out := make([]compress.Variant, len(list))
	for i, v := range list {
		p, ok := v.(compress.Variant)
		if !ok {
			return nil, fmt.Errorf("variant %s is no cache policy: this engine serves those alone", v)
		}
		out[i] = p
	}
	return out, nil
}

// Run completes the requests, all their variants in one batch. Where that lacks
// memory each request is run alone, and one alone that lacks it once more without
// others' batches in the same memory: what is answered must not depend on company.
func (e *Engine) Run(ctx context.Context, requests []runners.Request) ([][]runners.Completion, error) {
	out, err := e.beside(ctx, requests)
	if !lacksMemory(out, err) {
		return out, err
	}
	if len(requests) == 1 {
		if len(e.memory.engines) > 1 {
			out, err = e.apart(ctx, requests)
		}
		return out, err
	}
	out = nil
	for _, q := range requests {
		alone, err := e.Run(ctx, []runners.Request{q})
		if err != nil {
			return nil, err
		}
		out = append(out, alone...)
	}
	return out, nil
}

func lacksMemory(out [][]runners.Completion, err error) bool {
	var memory *engine.OutOfMemory
	if errors.As(err, &memory) {
		return true
	}
	for _, completions := range out {
		for _, c := range completions {
			if errors.As(c.Err, &memory) {
				return true
			}
		}
	}
	return false
}
