package modeltest

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// This file compares what is recorded for some policies besides positions: ThinK's
// channels, SimLayerKV's sums, and the positions that Quest reads.

// policyChannels compares the channels that are 0 in all of a head's keys with the
// recorded ones.
func (c *checker) policyChannels(name string, v compress.Variant) {
	if !c.vectors.Has(name + ".pruned_channels.0") {
		return
	}
	done, err := c.m.Prefill(c.t.Context(), models.Prompt{IDs: c.ids, Variants: []compress.Variant{v}, Room: 1})
	if err != nil {
		c.t.Fatal(err)
	}
	defer done.Free()
	for l, cache := range done.Sequences[0].Caches {
		want := c.ints(fmt.Sprintf("%s.pruned_channels.%d", name, l))
		per := len(want) / len(cache.Len)
		for h, length := range cache.Len {
			keys := c.read(cache.K.Slice(cache.Start[h]*cache.Size, (cache.Start[h]+length)*cache.Size))
			var got []int32
			for channel := range cache.Size {
				zero := true
				for at := channel; at < len(keys) && zero; at += cache.Size {
					zero = keys[at] == 0
				}
				if zero {
					got = append(got, int32(channel))
				}
			}
			recorded := slices.Sorted(slices.Values(want[h*per : (h+1)*per]))
			if !slices.Equal(got, recorded) {
				c.t.Errorf("layer %d, head %d: channels %v are 0, want %v", l, h, got, recorded)
			}
		}
	}
}

// policySums checks the sums by which SimLayerKV finds lazy layers: with thresholds just
// below the recorded sums all layers must be lazy, with thresholds just above none.
func (c *checker) policySums(name string, v compress.Variant) {
	if !c.vectors.Has(name + ".lazy_sum.0") {
		return
	}
	for _, side := range []float64{-1, 1} {
		var thresholds []string
		for l := range c.m.Layers {
			sum := float64(c.floats(fmt.Sprintf("%s.lazy_sum.%d", name, l))[0])
			thresholds = append(thresholds, strconv.FormatFloat(sum+side*c.tolerance, 'f', -1, 64))
		}
		call, err := compress.ParseCall(v.String())
		if err != nil {
			c.t.Fatal(err)
		}
		for i, a := range call.Arguments {
			if a.Name == "threshold" {
				call.Arguments[i].Text = strings.Join(thresholds, "|")
			}
		}
		moved, err := compress.NewVariant(call, "")
		if err != nil {
			c.t.Fatal(err)
		}
		for l, heads := range c.own(moved) {
			if lazy := len(heads[0]) < len(c.ids); lazy != (side < 0) {
				c.t.Errorf("layer %d: the threshold %s, %+g from the recorded sum: lazy is %v", l, thresholds[l], side*c.tolerance, lazy)
			}
		}
	}
}

// policyReads compares, for the last position's queries, the pages' scores and the
// positions that a variant reads with the recorded ones. It returns the number of heads
// compared.
func (c *checker) policyReads(name string, q compress.Quest, v compress.Variant) int {
	want := c.policyRows(name)
	h, n := c.m.Heads, len(c.ids)
	var last []float32
	compared := 0
	p := models.Prompt{IDs: c.ids}
	p.Trace.Queries = func(_, start int, q engine.Array) {
		if width := c.m.QueryWidth(); start+q.Len/width == n {
			last = c.read(q.Slice(q.Len-width, q.Len))
		}
	}
	p.Trace.KV = func(layer int, kv engine.KV) {
		all := c.read(kv.K)
		var queries, keys [][]float32
		for g := range h.KV {
			keys = append(keys, all[g*n*h.Size:(g+1)*n*h.Size])
		}
		for a := range h.Query {
			queries = append(queries, last[a*h.Size:(a+1)*h.Size])
		}
		l := compress.Layer{Index: layer, Layers: c.m.Layers, Tokens: n, Attention: c.m.Attention(layer)}
		read := v.Read(l, queries, keys)
		recorded := c.floats(fmt.Sprintf("%s.page_scores.%d", name, layer))
		pages := len(recorded) / h.Query
		for a := range h.Query {
			scores := q.Scores(queries[a], keys[a/h.Group()])
			row := recorded[a*pages : (a+1)*pages]
			if len(scores) != pages {
				c.t.Fatalf("layer %d, head %d: %d pages, want %d", layer, a, len(scores), pages)
			}
			for i, s := range scores {
				if !(math.Abs(float64(s-row[i])) <= c.tolerance*max(1, math.Abs(float64(row[i])))) {
					c.t.Errorf("layer %d, head %d: page %d scores %g, want %g", layer, a, i, s, row[i])
				}
			}
			if !slices.Equal(read[a], want[layer][a]) {
				c.t.Errorf("layer %d, head %d reads %v, want %v", layer, a, read[a], want[layer][a])
			}
			compared++
		}
	}
	done, err := c.m.Prefill(c.t.Context(), p)
	if err != nil {
		c.t.Fatal(err)
	}
	done.Free()
	return compared
}
