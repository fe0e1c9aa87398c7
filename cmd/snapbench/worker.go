package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// worker is a device with its own copy of the weights, which runs a batch at a
// time. Several work at once.
type worker struct {
	device engine.Device
	loaded *models.Model
	runner runners.Runner
	memory *memory
	// label is the device's, and which of several on it; errors begin with it where
	// there are several workers.
	label   string
	several bool
}

// memory is what the devices of some workers take from: a card's, or the host's.
// A batch holds it for reading, and for writing where it needs all of it.
type memory struct {
	sync.RWMutex
	workers []*worker
}

// newWorkers gives each device a worker that has no weights yet.
func newWorkers(devices []engine.Device) []*worker {
	memories := map[string]*memory{}
	same := map[string]int{}
	for _, d := range devices {
		same[d.Name()]++
	}
	var list []*worker
	number := map[string]int{}
	for _, d := range devices {
		name := d.Name()
		place := name
		if engine.OnHost(name) {
			place = "host"
		}
		if memories[place] == nil {
			memories[place] = &memory{}
		}
		w := &worker{device: d, memory: memories[place], label: name, several: len(devices) > 1}
		if number[name]++; same[name] > 1 {
			w.label = fmt.Sprintf("%s (%d of %d)", name, number[name], same[name])
		}
		w.memory.workers = append(w.memory.workers, w)
		list = append(list, w)
	}
	return list
}

// load brings the weights to every worker: to several memories at the same time,
// in one memory one copy after the other, since what is free decides whether the
// next is begun.
func (m *model) load(say func(string, ...any)) error {
	failed := make([]error, len(m.workers))
	var wait sync.WaitGroup
	for _, w := range m.workers {
		if w != w.memory.workers[0] {
			continue
		}
		wait.Go(func() {
			for _, w := range w.memory.workers {
				start := time.Now()
				loaded, err := models.Load(w.device, m.files, nil)
				if err != nil {
					failed[slices.Index(m.workers, w)] = w.blame(err)
					return
				}
				w.loaded = loaded
				w.runner = runners.NewLocal(loaded, func(ids []int32) string { return m.text.Decode(ids, true) })
				bytes, took := float64(w.device.Memory().Weights), time.Since(start).Seconds()
				say("%s on %s (%s): %.2f GB of weights in %.2f s", m.name, w.label, w.device.Describe(), bytes/1e9, took)
			}
		})
	}
	wait.Wait()
	return errors.Join(failed...)
}

// blame names the worker in its error where it is one of several.
func (w *worker) blame(err error) error {
	if err == nil || !w.several || strings.HasPrefix(err.Error(), w.label+": ") {
		return err
	}
	return fmt.Errorf("%s: %w", w.label, err)
}

// run completes requests. One that lacks memory while others' batches take of the
// same is run once more without them: what it answers must not depend on them.
func (w *worker) run(ctx context.Context, requests []runners.Request) ([][]runners.Completion, error) {
	w.memory.RLock()
	out, err := w.runner.Run(ctx, requests)
	w.memory.RUnlock()
	if len(w.memory.workers) > 1 && len(requests) == 1 && lacksMemory(out, err) {
		w.memory.Lock()
		defer w.memory.Unlock()
		for _, other := range w.memory.workers {
			if t, ok := other.device.(engine.Trimmer); ok {
				t.Trim()
			}
		}
		out, err = w.runner.Run(ctx, requests)
	}
	return out, w.blame(err)
}
