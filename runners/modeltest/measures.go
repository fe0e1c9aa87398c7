package modeltest

import (
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

// Measures applies a device's operations to the recorded queries, keys and values, and
// compares the results with the scores of the originals of other policies: column sums
// (H2O, observed attention), lengths and directions of keys (key norm, KeyDiff), the last
// query over all heads (TOVA), lengths of keys and values in blocks (CUR), means of chunks
// (ChunkKV). tolerance is relative to the largest score of a quantity in a layer.
func Measures(t *testing.T, d engine.Device, tolerance float64) {
	checkpoints, recorded := goldens(t), sharedtest.Path(t, "policies")
	compared := map[string]int{} // measure → number of layers
	defer func() {
		t.Logf("layers compared: %v", compared)
		if len(compared) == 0 {
			t.Error("no scores of other policies were recorded")
		}
	}()
	for _, dir := range checkpoints {
		family := filepath.Base(dir)
		file := filepath.Join(recorded, family, "policies.safetensors")
		vectors, err := weights.Open(file)
		if err != nil {
			t.Logf("%s: no policies were recorded: %v", family, err)
			continue
		}
		t.Run(family, func(t *testing.T) {
			defer vectors.Close()
			c := openGolden(t, d, dir)
			for layer := range c.m.Layers {
				m := c.measure(layer)
				for name, scores := range m.all() {
					key := fmt.Sprintf("%s.%d", name, layer)
					if !vectors.Has(key) {
						continue
					}
					v, err := vectors.Tensor(key)
					if err != nil {
						t.Fatal(err)
					}
					want, err := v.Floats()
					if err != nil {
						t.Fatal(err)
					}
					m.compare(key, scores(), want, tolerance)
					compared[name]++
				}
				m.free()
				if err := d.Sync(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// measures are one layer's operations on the recorded queries, keys and values.
type measures struct {
	*checker
	h      engine.Heads
	n      int
	q      engine.Array
	kv     engine.KV
	arrays []engine.Array
}

func (c *checker) measure(layer int) *measures {
	h, n := c.m.Heads, len(c.ids)
	m := &measures{checker: c, h: h, n: n}
	recorded := c.floats(fmt.Sprintf("q.%d", layer)) // (heads, n, d)
	rows := make([]float32, 0, len(recorded))
	for i := range n {
		for a := range h.Query {
			rows = append(rows, recorded[(a*n+i)*h.Size:][:h.Size]...)
		}
	}
	m.q = m.put(c.d.Type(), rows)
	m.kv = engine.KV{K: m.put(c.d.Type(), c.floats(fmt.Sprintf("k.%d", layer))), V: m.put(c.d.Type(), c.floats(fmt.Sprintf("v.%d", layer))), Tokens: n, Heads: h.KV, Size: h.Size}
	return m
}

func (m *measures) free() {
	m.d.Free(m.arrays...)
	m.arrays = nil
}

func (m *measures) array(t engine.Type, n int) engine.Array {
	a, err := m.d.New(t, n)
	if err != nil {
		m.t.Fatal(err)
	}
	m.arrays = append(m.arrays, a)
	return a
}

func (m *measures) put(t engine.Type, v []float32) engine.Array {
	a := m.array(t, len(v))
	m.d.Put(a, v)
	return a
}

// row makes one row of scores.
func (m *measures) row(f func(j int) float32) engine.Array {
	v := make([]float32, m.n)
	for j := range v {
		v[j] = f(j)
	}
	return m.put(engine.Float32, v)
}

func (m *measures) combine(a, b engine.Array, rows, width int, how engine.Combination, factor float32) engine.Array {
	dst := m.array(engine.Float32, rows*width)
	m.d.CombineScores(dst, a, b, rows, how, factor)
	return dst
}

func (m *measures) group(a engine.Array, how engine.Grouping) engine.Array {
	dst := m.array(engine.Float32, a.Len/m.h.Query*m.h.KV)
	m.d.GroupScores(dst, a, m.h, how)
	return dst
}

func (m *measures) chunks(a engine.Array, rows, size int) engine.Array {
	dst := m.array(engine.Float32, a.Len)
	m.d.ChunkMeans(dst, a, rows, size)
	return dst
}

func (m *measures) norms(x engine.Array) engine.Array {
	dst := m.array(engine.Float32, m.h.KV*m.n)
	m.d.RowNorms(dst, x, m.h.Size)
	return dst
}

// columns are the sums of all queries' attention, computed in two blocks.
func (m *measures) columns() engine.Array {
	dst := m.array(engine.Float32, m.h.Query*m.n)
	row, first := m.h.Query*m.h.Size, m.n*2/3
	m.d.ColumnSums(dst, m.q.Slice(0, first*row), m.kv, 0, m.by())
	m.d.ColumnSums(dst, m.q.Slice(first*row, m.n*row), m.kv, first, m.by())
	return dst
}

func (m *measures) by() engine.Attention {
	return engine.Attention{Heads: m.h, Scale: float32(1 / math.Sqrt(float64(m.h.Size)))}
}

var none engine.Array

// all returns the measures by the names of the recorded scores. Protected positions, for
// which the policies set scores of their own, are NaN.
func (m *measures) all() map[string]func() []float32 {
	g, n := m.h.KV, m.n
	squares := func(x engine.Array) engine.Array {
		s := m.norms(x)
		return m.combine(s, s, g, n, engine.ScoresTimes, 1)
	}
	// shares divides by the sum of each block; one block of n is the whole row.
	shares := func(s engine.Array, block int) engine.Array {
		lengths := m.row(func(j int) float32 { return float32(min(n, (j/block+1)*block) - j/block*block) })
		return m.combine(m.combine(s, m.chunks(s, g, block), g, n, engine.ScoresOver, 1), lengths, g, n, engine.ScoresOver, 1)
	}
	h2o := func(w int, how engine.Grouping) func() []float32 {
		return func() []float32 {
			return m.read(m.combine(m.group(m.columns(), how), none, g, n-w, engine.ScoresTimes, 1))
		}
	}
	return map[string]func() []float32{
		"h2o_factory_c64_w16_mean.scores":  h2o(16, engine.GroupMean),
		"h2o_factory_c100_w32_max.scores":  h2o(32, engine.GroupMax),
		"h2o_factory_c64_w16_qhead.scores": func() []float32 { return m.read(m.combine(m.columns(), none, m.h.Query, n-16, engine.ScoresTimes, 1)) },
		"observed_kvpress_r50.scores": func() []float32 {
			seen := m.row(func(j int) float32 { return float32(n - j) })
			return m.read(m.group(m.combine(m.columns(), seen, m.h.Query, n, engine.ScoresOver, 1), engine.GroupMean))
		},
		"knorm_kvpress_r50.scores": func() []float32 { return m.read(m.combine(m.norms(m.kv.K), none, g, n, engine.ScoresTimes, -1)) },
		"keydiff_kvpress_r50.scores": func() []float32 {
			weights := m.combine(none, m.norms(m.kv.K), g, n, engine.ScoresOver, 1/float32(n))
			anchors, cosines := m.array(engine.Float32, g*m.h.Size), m.array(engine.Float32, g*n)
			m.d.WeightedRows(anchors, m.kv.K, weights, m.h.Size)
			m.d.RowDots(cosines, m.kv.K, anchors, m.h.Size, true)
			return m.read(m.combine(cosines, none, g, n, engine.ScoresTimes, -1))
		},
		"tova_kvpress_r50.scores": func() []float32 {
			last := m.array(engine.Float32, m.h.Query*(n-1))
			m.d.WindowScores([]engine.Array{last}, []int{1}, m.q.Slice((n-1)*m.h.Query*m.h.Size, m.q.Len), m.kv, m.by())
			return m.protect(m.read(m.group(last, engine.GroupAll)), 0, n-1)
		},
		"cur_kvpress_r50_default.scores": func() []float32 {
			s := m.combine(shares(squares(m.kv.K), 16), shares(squares(m.kv.V), 16), g, n, engine.ScoresTimes, 1)
			return m.protect(m.read(shares(s, n)), 4, n)
		},
		"cur_kvpress_r68_avg_global_s2.scores": func() []float32 {
			s := m.combine(squares(m.kv.K), squares(m.kv.V), g, n, engine.ScoresPlus, 0.5)
			return m.protect(m.read(shares(s, n)), 2, n)
		},
		"chunkkv_kvpress_r50_w16_c20.chunk_scores": func() []float32 { return m.chunkScores(16, 5, 20) },
		"chunkkv_kvpress_r68_w8_c16.chunk_scores":  func() []float32 { return m.chunkScores(8, 5, 16) },
	}
}

// protect extends rows of tail scores to n. The scores of the first head positions and of
// those from tail on are NaN.
func (m *measures) protect(s []float32, head, tail int) []float32 {
	var out []float32
	for r := range len(s) / tail {
		for j := range m.n {
			v := float32(math.NaN())
			if j >= head && j < tail {
				v = s[r*tail+j]
			}
			out = append(out, v)
		}
	}
	return out
}

// chunkScores are SnapKV's scores, averaged over each chunk and summed over the KV heads.
// Chunks that overlap the window are NaN.
func (m *measures) chunkScores(w, kernel, size int) []float32 {
	h, width := m.h, m.n-w
	scores, pooled := m.array(engine.Float32, h.Query*width), m.array(engine.Float32, h.Query*width)
	m.d.WindowScores([]engine.Array{scores}, []int{w}, m.q.Slice(width*h.Query*h.Size, m.q.Len), m.kv, m.by())
	m.d.PoolScores(pooled, scores, h.Query, kernel, engine.AveragePooling)
	// The mean over the window's queries and the sum over the KV heads.
	all := m.combine(m.group(pooled, engine.GroupAll), none, h.KV, width, engine.ScoresTimes, float32(h.KV)/float32(w))
	means := m.read(m.chunks(all, h.KV, size))
	var out []float32
	for j := 0; j < m.n; j += size {
		v := float32(math.NaN())
		if j+size <= width {
			v = means[j]
		}
		out = append(out, v)
	}
	return out
}

// compare compares scores with the recorded ones, except where got is NaN.
func (m *measures) compare(what string, got, want []float32, tolerance float64) {
	m.t.Helper()
	if len(got) != len(want) {
		m.t.Errorf("%s: %d scores, want %d", what, len(got), len(want))
		return
	}
	largest, compared := 0.0, 0
	for i, g := range got {
		if g == g {
			largest = max(largest, math.Abs(float64(want[i])))
			compared++
		}
	}
	if compared < len(got)/2 {
		m.t.Errorf("%s: of %d scores only %d are compared", what, len(got), compared)
	}
	for i, g := range got {
		if g == g && !(math.Abs(float64(g)-float64(want[i])) <= tolerance*largest) {
			m.t.Errorf("%s: score %d is %v, want %v", what, i, g, want[i])
			return
		}
	}
}
