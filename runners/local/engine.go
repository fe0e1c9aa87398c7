// Package local is the project's own engine as a [runners.Runner]. It prefills a prompt once
// for all variants, each of which chooses and gathers what it keeps; audits what the device
// really kept; and decodes all variants in one ragged batch. It finds and opens models and
// devices, and plans their memory.
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
	random bool // the weights are
}

// New returns an engine that shares its device's memory with no other. decode turns an
// answer's tokens into text. The caller closes the model.
func New(m *models.Model, decode func(ids []int32) string) *Engine {
	e := &Engine{model: m, decode: decode, memory: &memory{}}
	e.memory.engines = []*Engine{e}
	e.describe("", "", "", m.Device().Name())
	return e
}

func (e *Engine) describe(model, revision, rope, name string) {
	d := e.model.Device()
	e.about = runners.Description{
		Model: model, Revision: revision, Rope: rope, Device: d.Name(), DType: d.Type().String(), Name: name, About: d.Describe(),
		Context: e.model.Context, Fidelity: true, Positions: true,
	}
}

// Describe says which model runs on which device.
func (e *Engine) Describe() runners.Description { return e.about }

// Model returns the model.
func (e *Engine) Model() *models.Model { return e.model }

// Close does nothing: the caller closes the model.
func (e *Engine) Close() error { return nil }

// Check reports a variant that is no cache policy, one in a format that the device does not
// have, and one with a list of values by layer
// that does not have as many as the model has layers.
func (e *Engine) Check(list []runners.Variant) error {
	policies, err := policiesOf(list)
	if err != nil {
		return err
	}
	for _, v := range policies {
		if err := e.model.CheckVariant(v); err != nil {
			return err
		}
		if err := e.model.CheckFormat(v); err != nil {
			return err
		}
	}
	return nil
}

// policiesOf returns the variants as cache policies, which they must be.
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

// Run completes requests, all their variants in one batch, which the next request joins as
// soon as there is room for it. If memory runs out, each is completed alone, and if it runs out
// again, once more while no other engine takes of the same memory: an answer must not depend
// on what runs beside it.
func (e *Engine) Run(ctx context.Context, work runners.Work) error {
	for {
		lacking, done, err := e.beside(ctx, work)
		if err != nil {
			return err
		}
		for _, h := range lacking {
			if err := e.alone(ctx, h); err != nil {
				return err
			}
		}
		if done {
			return nil
		}
	}
}

// alone completes a request by itself.
func (e *Engine) alone(ctx context.Context, h *runners.Handed) error {
	lacking, _, err := e.beside(ctx, &single{h})
	if err != nil || len(lacking) == 0 {
		return err
	}
	return e.apart(ctx, &single{h})
}

// single is the work of one request.
type single struct{ handed *runners.Handed }

// Next hands it out once.
func (s *single) Next(context.Context, bool, func(runners.Request) bool) (*runners.Handed, bool, error) {
	h := s.handed
	s.handed = nil
	return h, h == nil, nil
}

// outOfMemory says whether an allocation failed.
func outOfMemory(err error) bool {
	var memory *engine.OutOfMemory
	return errors.As(err, &memory)
}
