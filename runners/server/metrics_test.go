package server

import "testing"

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
