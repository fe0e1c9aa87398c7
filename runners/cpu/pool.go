package cpu

import (
	"sync/atomic"
	"time"
)

// pool runs the tasks of one operation on all threads. Between operations its
// workers spin for a moment before they sleep: a decoding step is some three
// hundred operations of 20 to 200 µs, and waking a sleeper costs 5 to 50 µs.
type pool struct {
	workers int // the caller included
	pause   func()
	job     atomic.Pointer[job]
	sleeper []sleeper
	ended   chan struct{} // wakes the caller, should it sleep
}

type sleeper struct {
	asleep atomic.Bool
	wake   chan struct{}
	_      [48]byte // one cache line each
}

type job struct {
	f     func(task, worker int)
	n     int64
	ended chan struct{}
	stop  bool
	_     [32]byte
	next  atomic.Int64
	_     [56]byte
	done  atomic.Int64
	// asleep: the caller sleeps, and the worker that does the last task wakes it.
	asleep atomic.Bool
}

const spin = 50 * time.Microsecond

func newPool(workers int, pause func()) *pool {
	p := &pool{workers: workers, pause: pause, sleeper: make([]sleeper, workers), ended: make(chan struct{}, 1)}
	for w := 1; w < workers; w++ {
		p.sleeper[w].wake = make(chan struct{}, 1)
		go p.work(w)
	}
	return p
}

// run calls f for every task below n, in any order, on any worker. f must write
// nothing that another task writes; each worker number runs one task at a time.
func (p *pool) run(n int, f func(task, worker int)) {
	if n < 2 || p.workers == 1 {
		for t := range n {
			f(t, 0)
		}
		return
	}
	j := &job{f: f, n: int64(n), ended: p.ended}
	p.start(j)
	j.take(0)
	began := time.Now()
	for i := 1; j.done.Load() < j.n; i++ {
		p.pause()
		if i%16 == 0 && time.Since(began) > spin {
			// A worker is late: it may need the processor that this loop occupies.
			j.asleep.Store(true)
			if j.done.Load() < j.n || !j.asleep.CompareAndSwap(true, false) {
				<-p.ended
			}
			return
		}
	}
}

// each splits 0…n into ranges, multiples of step that differ by one step at most: the threads' shares of a small product
// would be as uneven as the ranges are.
func (p *pool) each(n, step int, f func(lo, hi, worker int)) {
	const perWorker = 3 // so that one late worker does not delay all
	steps := (n + step - 1) / step
	tasks := min(steps, perWorker*p.workers)
	p.run(tasks, func(t, worker int) { f(t*steps/tasks*step, min(n, (t+1)*steps/tasks*step), worker) })
}

func (p *pool) start(j *job) {
	p.job.Store(j)
	for w := 1; w < p.workers; w++ {
		if s := &p.sleeper[w]; s.asleep.CompareAndSwap(true, false) {
			s.wake <- struct{}{}
		}
	}
}

func (j *job) take(worker int) {
	for {
		t := j.next.Add(1) - 1
		if t >= j.n {
			return
		}
		j.f(int(t), worker)
		if j.done.Add(1) == j.n && j.asleep.CompareAndSwap(true, false) {
			j.ended <- struct{}{}
		}
	}
}

func (p *pool) work(w int) {
	var last *job
	s := &p.sleeper[w]
	for {
		began := time.Now()
		for i := 1; p.job.Load() == last; i++ {
			p.pause()
			if i%16 == 0 && time.Since(began) > spin {
				s.asleep.Store(true)
				if p.job.Load() == last || !s.asleep.CompareAndSwap(true, false) {
					<-s.wake // start has seen that we sleep
				}
			}
		}
		last = p.job.Load()
		if last.stop {
			return
		}
		last.take(w)
	}
}

func (p *pool) close() { p.start(&job{stop: true}) }
