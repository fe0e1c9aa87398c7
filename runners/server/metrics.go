package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Load is what a server's /metrics tell of one moment; nil where it tells nothing.
type Load struct {
	CacheUse         *float64 // share of the cache in use, 0 to 1
	Running, Waiting *float64 // requests
}

// gauges are the names of vLLM and llama.cpp, the newer first.
var gauges = []struct {
	name string
	of   func(*Load) **float64
}{
	{"vllm:kv_cache_usage_perc", func(l *Load) **float64 { return &l.CacheUse }},
	{"vllm:gpu_cache_usage_perc", func(l *Load) **float64 { return &l.CacheUse }},
	{"vllm:num_requests_running", func(l *Load) **float64 { return &l.Running }},
	{"vllm:num_requests_waiting", func(l *Load) **float64 { return &l.Waiting }},
	{"sglang:token_usage", func(l *Load) **float64 { return &l.CacheUse }},
	{"sglang:num_running_reqs", func(l *Load) **float64 { return &l.Running }},
	{"sglang:num_queue_reqs", func(l *Load) **float64 { return &l.Waiting }},
	{"llamacpp:kv_cache_usage_ratio", func(l *Load) **float64 { return &l.CacheUse }},
	{"llamacpp:requests_processing", func(l *Load) **float64 { return &l.Running }},
	{"llamacpp:requests_deferred", func(l *Load) **float64 { return &l.Waiting }},
}

// mostMetrics is how much of /metrics is read.
const mostMetrics = 8 << 20

// Load asks for the server's metrics; ok is false where it has none.
func (r *Runner) Load(ctx context.Context) (l Load, ok bool, err error) {
	response, _, err := r.client.post(ctx, "/metrics", nil)
	var said *StatusError
	if errors.As(err, &said) && !isGone(err) {
		return l, false, nil
	}
	if err != nil {
		return l, false, err
	}
	defer response.Body.Close()
	l, err = readLoad(io.LimitReader(response.Body, mostMetrics))
	return l, l != Load{}, err
}

// readLoad reads Prometheus's text format. Of the same gauge under several labels, as
// engines of one server, requests add up, and the fullest cache counts.
//
// The format: https://prometheus.io/docs/instrumenting/exposition_formats
func readLoad(text io.Reader) (l Load, err error) {
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		for _, g := range gauges {
			rest, found := strings.CutPrefix(line, g.name)
			if !found || rest == "" || rest[0] != '{' && rest[0] != ' ' {
				continue
			}
			if rest[0] == '{' {
				rest = rest[strings.LastIndexByte(rest, '}')+1:]
			}
			fields := strings.Fields(rest)
			if len(fields) == 0 {
				return l, fmt.Errorf("/metrics, line %d: no value: %q", n, line)
			}
			v, err := strconv.ParseFloat(fields[0], 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
				return l, fmt.Errorf("/metrics, line %d: %q is no amount", n, fields[0])
			}
			into := g.of(&l)
			switch {
			case *into == nil:
				*into = &v
			case into == &l.CacheUse:
				**into = max(**into, v)
			default:
				**into += v
			}
		}
	}
	return l, lines.Err()
}
