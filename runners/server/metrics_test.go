package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/snapbench/snapbench/runners"
)

func TestLoad(t *testing.T) {
	f := newFake(t)
	r := f.open(t)
	if _, ok, err := r.Load(t.Context()); ok || err != nil {
		t.Errorf("a server without metrics: %t, %v", ok, err)
	}
	for _, c := range []struct {
		page                string
		use, running, queue float64
	}{
		{"# HELP vllm:num_requests_running x\nvllm:kv_cache_usage_perc{engine=\"0\",model_name=\"a } b\"} 0.25\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.5\n" +
			"vllm:num_requests_running{engine=\"0\"} 3.0\nvllm:num_requests_running{engine=\"1\"} 4\nvllm:num_requests_running_total 99\nvllm:num_requests_waiting 1e1 1700000000\n", 0.5, 7, 10},
		{"llamacpp:kv_cache_usage_ratio 0.125\nllamacpp:requests_processing 2\nllamacpp:requests_deferred 0\n", 0.125, 2, 0},
	} {
		f.metrics = c.page
		l, ok, err := r.Load(t.Context())
		if err != nil || !ok || l.CacheUse == nil || l.Running == nil || l.Waiting == nil || *l.CacheUse != c.use || *l.Running != c.running || *l.Waiting != c.queue {
			t.Errorf("%q: %+v, %t, %v", c.page, l, ok, err)
		}
	}
	for _, page := range []string{"vllm:num_requests_running x\n", "vllm:num_requests_running{a=\"b\"}\n", "vllm:num_requests_running NaN\n"} {
		f.metrics = page
		if l, ok, err := r.Load(t.Context()); err == nil {
			t.Errorf("%q: %+v, %t", page, l, ok)
		}
	}
	f.metrics = "vllm:kv_cache_usage_perc 0.75\n"
	r = f.open(t)
	ask(t, r, prompt("hello", 3))
	if p := r.Figures().Peak; p.CacheUse == nil || *p.CacheUse != 0.75 {
		t.Errorf("the peak is %+v", p)
	}
}

// The metrics are looked at while requests are out, so that what runs then is seen, and
// only then.
func TestLoadWhileAsked(t *testing.T) {
	var running, looks, idle atomic.Int64
	f := newFake(t, func(f *fake) {
		f.fault = func(_ int, _ http.ResponseWriter, _ *http.Request) bool {
			running.Add(1)
			defer running.Add(-1)
			time.Sleep(lookAfter + 2*lookEvery)
			return false
		}
		f.page = func() string {
			if looks.Add(1); running.Load() == 0 {
				idle.Add(1)
			}
			return fmt.Sprintf("llamacpp:requests_processing %d\n", running.Load())
		}
	})
	r := f.open(t, func(o *Options) { o.Concurrency = 3 })
	before, began := looks.Load(), time.Now()
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() { ask(t, r, prompt("hello", 3)) })
	}
	wait.Wait()
	if p := r.Figures().Peak; p.Running == nil || *p.Running != 3 {
		t.Errorf("the peak is %+v, want 3 running", p)
	}
	seen := looks.Load()
	if n, most := seen-before, 2+int64(time.Since(began)/lookEvery); n < 1 || n > most {
		t.Errorf("%d looks, want 1 to %d", n, most)
	}
	if idle.Load() > 1 { // the answer may be on its way when one begins
		t.Errorf("%d looks where nothing ran", idle.Load())
	}
	time.Sleep(4 * lookEvery)
	if n := looks.Load() - seen; n > 1 { // one may have been on its way when the last answer came
		t.Errorf("%d looks with nothing asked", n)
	}
}

// A request that we end ourselves is none that the server has failed; one that ends with
// the server is.
func TestLoadOfInterrupted(t *testing.T) {
	for want, cause := range map[int]error{0: nil, 1: errors.New("the server ended")} {
		began := make(chan struct{})
		f := newFake(t, func(f *fake) {
			f.fault = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
				close(began)
				<-r.Context().Done()
				return true
			}
		})
		r := f.open(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-began
			cancel(cause)
		}()
		if _, err := runners.Answer(ctx, r, runners.Request{Prompt: prompt("hello", 3).Prompt, MaxNew: 3, Variants: []runners.Variant{r.Variant()}}); err == nil {
			t.Error("no error of a request that was ended")
		}
		if got := r.Figures(); got.Requests != want || got.Failed != want {
			t.Errorf("ended by %v: %+v, want %d failed", cause, got, want)
		}
	}
}
