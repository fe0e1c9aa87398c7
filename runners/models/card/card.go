// Package card describes models for people: shapes, parameters, bytes of weights and of
// the cache.
package card

import (
	"fmt"
	"io"
	"slices"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// Model describes a model.
type Model struct {
	Model           string  `json:"model"`
	Family          string  `json:"family"`
	Layers          int     `json:"layers"`
	Width           int     `json:"width"`
	QueryHeads      int     `json:"query_heads"`
	KVHeads         int     `json:"kv_heads"`
	HeadSize        int     `json:"head_size"`
	FeedForward     int     `json:"feed_forward"`
	Vocabulary      int     `json:"vocabulary"`
	Context         int     `json:"context"` // tokens
	RopeTheta       float64 `json:"rope_theta"`
	RopeScaling     string  `json:"rope_scaling"`
	Rotation        string  `json:"rotation"`       // all of it, in words
	SlidingWindow   int     `json:"sliding_window"` // tokens, the widest of any layer; 0: none
	Experts         int     `json:"experts"`
	ExpertsPerToken int     `json:"experts_per_token"`
	Tied            bool    `json:"tied"` // embedding and output are one
	Parameters      int64   `json:"parameters"`
	WeightBytes     int64   `json:"weight_bytes"`
	LinearLayers    int     `json:"linear_layers"` // with linear attention, which keep a state in place of a cache
	PolicyLayers    int     `json:"policy_layers"` // in which policies choose: those of full attention where there are others
	CacheFloat32    int64   `json:"cache_bytes_per_token_float32"`
	CacheBFloat16   int64   `json:"cache_bytes_per_token_bfloat16"`
	// Of the other layers, what they hold once their windows are full, states of linear attention included; 0 where there are none.
	FixedFloat32  int64 `json:"fixed_cache_bytes_float32"`
	FixedBFloat16 int64 `json:"fixed_cache_bytes_bfloat16"`
}

// Of describes a model by its files.
func Of(name string, files *models.Files) Model {
	c := files.Config
	fixed := func(t engine.Type) int64 { _, bytes := c.CacheBytes(t, c.Context); return bytes }
	return Model{
		Model: name, Family: c.Family, Layers: c.Layers, Width: c.Width, QueryHeads: c.Heads.Query, KVHeads: c.Heads.KV, HeadSize: c.Heads.Size,
		FeedForward: c.FF, Vocabulary: c.Vocab, Context: c.Context, RopeTheta: c.Rope.Theta, RopeScaling: c.Rope.Type, Rotation: c.Rotation(),
		SlidingWindow: slices.Max(c.Windows), Experts: c.Experts, ExpertsPerToken: c.PerToken, Tied: c.Tied,
		Parameters: c.Parameters(), WeightBytes: files.Bytes,
		LinearLayers: c.Linear.Count(), PolicyLayers: len(c.PolicyLayers()), FixedFloat32: fixed(engine.Float32), FixedBFloat16: fixed(engine.BFloat16),
		CacheFloat32: c.CacheBytesPerToken(engine.Float32), CacheBFloat16: c.CacheBytesPerToken(engine.BFloat16),
	}
}

// Print writes the description, a line for each thing.
func (m Model) Print(w io.Writer) error {
	var err error
	line := func(name, format string, arguments ...any) {
		if err == nil {
			_, err = fmt.Fprintf(w, "%-18s %s\n", name, fmt.Sprintf(format, arguments...))
		}
	}
	line("model", "%s", m.Model)
	line("family", "%s", m.Family)
	line("layers", "%d", m.Layers)
	line("width", "%d", m.Width)
	line("heads", "%d query, %d key/value, of %d", m.QueryHeads, m.KVHeads, m.HeadSize)
	experts, tied := "", ""
	if m.Experts > 0 {
		experts = fmt.Sprintf(", %d experts, %d per token", m.Experts, m.ExpertsPerToken)
	}
	line("feed-forward", "%d%s", m.FeedForward, experts)
	if m.Tied {
		tied = ", shared with the output"
	}
	line("vocabulary", "%d%s", m.Vocabulary, tied)
	line("context", "%d tokens", m.Context)
	line("rotation", "%s", m.Rotation)
	if m.SlidingWindow > 0 {
		which := ""
		if m.PolicyLayers < m.Layers {
			which = fmt.Sprintf(", in %d layers; policies choose in the other %d", m.Layers-m.PolicyLayers, m.PolicyLayers)
		}
		line("sliding window", "%d tokens%s", m.SlidingWindow, which)
	}
	if m.LinearLayers > 0 {
		line("linear attention", "in %d layers; policies choose in the other %d", m.LinearLayers, m.PolicyLayers)
	}
	line("parameters", "%d", m.Parameters)
	line("weights", "%d bytes (%.2f GB)", m.WeightBytes, float64(m.WeightBytes)/1e9)
	line("cache per token", "%d bytes in float32, %d in bfloat16", m.CacheFloat32, m.CacheBFloat16)
	if m.FixedFloat32 > 0 {
		line("cache beside that", "%s in float32, %s in bfloat16, whatever the prompt and the policy", engine.Bytes(m.FixedFloat32), engine.Bytes(m.FixedBFloat16))
	}
	return err
}
