package modeltest

import (
	"context"
	"slices"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// ownScores returns the device's scores, in float32, from which a variant chooses, by
// layer in which policies choose and cache head.
func (c *checker) ownScores(v compress.Variant) [][][]float32 {
	scores := make([][][]float32, len(c.m.PolicyLayers()))
	spy := &spy{Device: c.d}
	spy.seen = func(s []engine.Selection) {
		scores[spy.layer] = nil
		for _, selection := range s {
			scores[spy.layer] = append(scores[spy.layer], rowsOf(c.d, selection)...)
		}
	}
	n, width := len(c.ids), c.m.QueryWidth()
	l := c.m.PolicyPlace(n, 0)
	needs := v.Needs(l)
	array := func(t engine.Type, n int) engine.Array {
		a, err := c.d.New(t, n)
		if err != nil {
			c.t.Fatal(err)
		}
		return a
	}
	queries, columns := array(c.d.Type(), n*width), array(engine.Float32, c.m.Heads.Query*n)
	defer c.d.Free(queries, columns)
	p := models.Prompt{IDs: c.ids}
	p.Trace.Queries = func(_, start int, q engine.Array) { c.d.Copy(queries.Slice(start*width, start*width+q.Len), q) }
	p.Trace.KV = func(layer int, kv engine.KV) {
		l.Index = slices.Index(c.m.PolicyLayers(), layer)
		if l.Index < 0 {
			return
		}
		spy.layer, l.Attention = l.Index, c.m.Attention(layer)
		l.Angles = c.m.RopeOf(layer).For(n).Frequencies(c.m.Heads.Size)
		if needs.Columns {
			c.d.ColumnSums(columns, queries, kv, 0, l.Attention)
		}
		held := queries.Slice((n-needs.Held(n))*width, n*width)
		choice, err := compress.Choose(spy, compress.Source{KV: kv, Queries: held, Columns: columns}, l, []compress.Variant{v})
		if err != nil {
			c.t.Fatal(err)
		}
		choice.Free()
	}
	done, err := c.m.Prefill(context.Background(), p)
	if err != nil {
		c.t.Fatal(err)
	}
	done.Free()
	return scores
}

// spy is a device that passes the selections of a choice to seen.
type spy struct {
	engine.Device
	layer int
	seen  func([]engine.Selection)
}

func (s *spy) Select(selections []engine.Selection) {
	s.Device.Select(selections)
	if len(selections) > 0 {
		s.seen(selections)
	}
}

// rowsOf reads a selection's scores by row.
func rowsOf(d engine.Device, s engine.Selection) [][]float32 {
	m := s.Scores.Len / s.Rows
	all := make([]float32, s.Scores.Len)
	d.Get(all, s.Scores)
	var rows [][]float32
	for r := range s.Rows {
		rows = append(rows, all[r*m:(r+1)*m:(r+1)*m])
	}
	return rows
}
