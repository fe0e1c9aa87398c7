package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int64
		var began time.Time
		var looks []time.Duration // one after the other, so no two are written together
		f := newFake(t, inMemory, func(f *fake) {
			f.fault = func(_ int, _ http.ResponseWriter, _ *http.Request) bool {
				running.Add(1)
				defer running.Add(-1)
				time.Sleep(lookAfter + 2*lookEvery + lookEvery/2)
				return false
			}
			f.page = func() string {
				looks = append(looks, time.Since(began))
				return fmt.Sprintf("llamacpp:requests_processing %d\n", running.Load())
			}
		})
		r := f.open(t, func(o *Options) { o.Concurrency = 3 })
		looks, began = nil, time.Now()
		var wait sync.WaitGroup
		for range 3 {
			wait.Go(func() { ask(t, r, prompt("hello", 3)) })
		}
		wait.Wait()
		if p := r.Figures().Peak; p.Running == nil || *p.Running != 3 {
			t.Errorf("the peak is %+v, want 3 running", p)
		}
		time.Sleep(4 * lookEvery)
		if want := []time.Duration{lookAfter, lookAfter + lookEvery, lookAfter + 2*lookEvery}; !slices.Equal(looks, want) {
			t.Errorf("looked after %v, want %v", looks, want)
		}
	})
}

// An answer that comes while the first look is underway breaks that off; then there is another behind the answer.
func TestLoadOfAnAnswerAmidALook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, inMemory, func(f *fake) {
			f.fault = func(_ int, _ http.ResponseWriter, _ *http.Request) bool {
				time.Sleep(lookAfter + lookAfter/2)
				return false
			}
			f.page = func() string {
				time.Sleep(lookAfter)
				return "vllm:kv_cache_usage_perc 0.75\n"
			}
		})
		r := f.open(t)
		ask(t, r, prompt("hello", 3))
		if p := r.Figures().Peak; p.CacheUse == nil || *p.CacheUse != 0.75 {
			t.Errorf("the peak is %+v", p)
		}
	})
}

// A look whose time comes together with the answer is none; then there is another behind the answer.
func TestLoadOfALookThatComesTooLate(t *testing.T) {
	f := newFake(t)
	f.metrics = "vllm:kv_cache_usage_perc 0.75\n"
	r := f.open(t)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	r.load.look(over, r)
	ask(t, r, prompt("hello", 3))
	if p := r.Figures().Peak; p.CacheUse == nil || *p.CacheUse != 0.75 {
		t.Errorf("the peak is %+v", p)
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
