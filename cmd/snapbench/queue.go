package main

import (
	"context"
	"errors"
	"sync"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results"
)

// queue hands a job's samples out, batch after batch, to whichever worker is free,
// and writes down what comes back. The batches are those that one device would
// form, as long as the devices are alike: which of them runs one decides nothing.
type queue struct {
	job      *job
	model    *model
	data     datasets.Model
	progress *progress

	mu      sync.Mutex // over what follows
	journal *results.Journal
	tasks   []datasets.Task // the first is in hand
	order   []int           // what is left of it; nil before it is begun
	next    *datasets.Sample
	err     error // the first: no further batch is handed out
}

// work runs batches until none is left or something failed, on this device or
// another.
func (q *queue) work(ctx context.Context, w *worker) {
	for {
		list, err := q.take(ctx, w)
		if err == nil && len(list) == 0 {
			return
		}
		if err == nil {
			err = q.job.complete(ctx, w, list)
		}
		if err == nil {
			err = q.put(list)
		}
		if err != nil {
			q.fail(ctx, err)
			return
		}
	}
}

// take returns the samples that a worker is to complete next, none where all are
// handed out. Those that need no model are written down on the way.
func (q *queue) take(ctx context.Context, w *worker) (list []asked, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return nil, nil
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		task, number, ok := q.peek()
		if !ok || len(list) > 0 && list[0].task != task {
			return list, nil
		}
		if q.next == nil {
			s := task.Sample(number, q.data)
			q.next = &s
		}
		a := q.job.ask(q.model, w, q.journal, q.progress, task, number, *q.next)
		if a.open() && !q.job.fits(w, list, a) {
			return list, nil // it stays the next
		}
		q.order, q.next = q.order[1:], nil
		if a.open() {
			list = append(list, a)
		} else if err := q.write([]asked{a}); err != nil {
			return nil, err
		}
	}
}

// peek returns the next sample's place.
func (q *queue) peek() (task datasets.Task, number int, ok bool) {
	for len(q.tasks) > 0 {
		if q.order == nil {
			q.order = datasets.Order(q.tasks[0])
		}
		if len(q.order) > 0 {
			return q.tasks[0], q.order[0], true
		}
		q.tasks, q.order = q.tasks[1:], nil
	}
	return nil, 0, false
}

// put writes down what a worker has completed, also where another has failed
// meanwhile.
func (q *queue) put(list []asked) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.write(list)
}

func (q *queue) write(list []asked) error {
	var rows []results.Row
	for _, a := range list {
		rows = append(rows, a.rows...)
	}
	if len(rows) > 0 {
		if err := q.journal.Append(rows...); err != nil {
			return err
		}
	}
	for _, a := range list {
		q.progress.finished(a.task, a.number)
	}
	// A cache that is not what its budget says makes every figure of the run
	// doubtful: the row is kept, and the run ends here.
	for _, r := range rows {
		if r.Audit != "" {
			return errors.New(r.Audit)
		}
	}
	return nil
}

// fail keeps the first error and ends the handing out. Samples that other devices
// have in hand are completed.
func (q *queue) fail(ctx context.Context, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return
	}
	q.err = err
	if len(q.model.workers) > 1 && ctx.Err() == nil {
		q.progress.say("%v: the other devices finish what they have in hand", err)
	}
}
