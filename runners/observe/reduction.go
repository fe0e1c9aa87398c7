package observe

import (
	"math"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
)

// rowBytes is about the most memory that rows of the forced text take at a time.
const rowBytes = 256 << 20

// countsEach is how many counts there are by head and position: rows above θ in each quarter, and rows above θc.
const countsEach = 8

// reduction computes on the device what is counted, one layer at a time: it has the queries of the prompt's windows and of
// the forced text, and the full cache's keys. Attention is held for some rows of the forced text at a time, rows × n; what
// leaves the device is (heads, n), summed over rows.
type reduction struct {
	d      engine.Device
	h      engine.Heads
	s      Settings
	z      Sizes
	answer int // rows that produce the answer, 0 where there are no spans
	// rows of the forced text that go through together: of one quarter, and before or behind the answer's end
	segments [][2]int
	behind   []float64 // by position: W times the windows behind it, the last one apart

	prompt engine.Array // (layers, NW·W, heads, d) queries
	forced engine.Array // (layers, T, heads, d)

	masks    engine.Array    // (NW, n+T): 1 before the window, else 0. The last is that of the prompt's content
	weights  engine.Array    // (n): what makes means of sums over windows
	less     engine.Array    // (n): -1
	windows  engine.Array    // (NW, heads, n+T): attention of a window's rows, summed
	quarters engine.Array    // (4, heads, n): the same of a quarter's
	counts   engine.Array    // (8, heads, n)
	rows     engine.Array    // (heads, some rows, n)
	part     engine.Array    // (heads, n)
	grouped  [3]engine.Array // (heads, n)

	// What leaves the device. Counts are digits, to a base and as many to a number as float32 holds.
	votes        engine.Array // Int32 (NW, heads, up to k)
	results      engine.Array // (parts, heads, n): seen, S, the counts packed, and where there are spans the answer's S
	base, digits int
	summed       engine.Array // (2, 4, heads): of sum_hit |B| and |A∩B|, by quarter
	highest      engine.Array // (sets of capacities, heads·T): each row's highest attentions
	best         engine.Array // (variants, 2, heads): what the best sets get

	held []engine.Array
	err  error
}

// seenPart and generatedPart are the first of the results.
const (
	seenPart      = iota // attention of the windows behind a position, the last one apart, summed
	generatedPart        // S
	countsPart
)

func newReduction(m *models.Model, s Settings, z Sizes) *reduction {
	r := &reduction{d: m.Device(), h: m.Heads, s: s, z: z}
	width := m.QueryWidth()
	r.prompt = r.array(r.d.Type(), m.Layers*z.Windows*s.Window*width)
	r.forced = r.array(r.d.Type(), m.Layers*z.Forced*width)
	return r
}

// array takes memory, unless there was none before.
func (r *reduction) array(t engine.Type, n int) engine.Array {
	if r.err != nil {
		return engine.Array{}
	}
	a, err := r.d.New(t, n)
	if err != nil {
		r.err = err
		return a
	}
	r.held = append(r.held, a)
	return a
}

func (r *reduction) free() {
	_ = r.d.Sync() // after an error queued work still uses them
	r.d.Free(r.held...)
}

// holdPrompt copies a block's queries, positions from start on, that are a window's.
func (r *reduction) holdPrompt(layer, start int, q engine.Array) {
	width, rows := r.h.Query*r.h.Size, r.z.Windows*r.s.Window
	first := r.z.start(0, r.s)
	skip, at := max(0, first-start), max(0, start-first)
	if n := q.Len/width - skip; n > 0 {
		r.d.Copy(r.prompt.Slice((layer*rows+at)*width, (layer*rows+at+n)*width), q.Slice(skip*width, q.Len))
	}
}

// holdForced copies a step's queries, (layers, heads, d), of row t.
func (r *reduction) holdForced(t int, step engine.Array) {
	width := r.h.Query * r.h.Size
	for layer := range step.Len / width {
		at := layer*r.z.Forced + t
		r.d.Copy(r.forced.Slice(at*width, (at+1)*width), step.Slice(layer*width, (layer+1)*width))
	}
}

// open takes the memory for a layer, and prepares what is the same for all.
func (r *reduction) open(answer, variants int) error {
	z, n, heads := r.z, r.z.Tokens, r.h.Query
	r.answer = answer
	for g := range 4 {
		r.base = max(r.base, 1+z.rowsOf(g))
	}
	for r.digits = 1; r.digits < countsEach && math.Pow(float64(r.base), float64(r.digits+1)) <= 1<<24; {
		r.digits++
	}
	float := func(n int) engine.Array { return r.array(engine.Float32, n) }
	r.masks, r.weights, r.less = float(z.Windows*(n+z.Forced)), float(n), float(n)
	r.windows, r.votes = float(z.Windows*heads*(n+z.Forced)), r.array(engine.Int32, heads*r.voted(z.Windows))
	r.quarters, r.counts, r.part = float(4*heads*n), float(countsEach*heads*n), float(heads*n)
	r.rows = float(heads * n * min(z.Forced, max(1, rowBytes/(4*heads*n))))
	for i := range r.grouped {
		r.grouped[i] = float(heads * n)
	}
	r.results = float((r.answeredPart() + min(answer, 1)) * heads * n)
	r.summed, r.highest, r.best = float(2*4*heads), float(variants*heads*z.Forced), float(variants*2*heads)
	if r.err != nil {
		return r.err
	}
	most := r.rows.Len / (heads * n)
	for t := 0; t < z.Forced; {
		end := t + 1
		for end < z.Forced && end-t < most && z.quarter(end) == z.quarter(t) && end != answer {
			end++
		}
		r.segments = append(r.segments, [2]int{t, end})
		t = end
	}
	masks, weights := make([]float32, r.masks.Len), make([]float32, n)
	for i := range z.Windows {
		for j := range z.start(i, r.s) {
			masks[i*(n+z.Forced)+j] = 1
		}
	}
	r.behind = make([]float64, n)
	for j := range weights {
		if r.behind[j] = float64(z.behind(j, r.s) * r.s.Window); r.behind[j] > 0 {
			weights[j] = float32(1 / r.behind[j])
		}
	}
	r.d.Put(r.masks, masks)
	r.d.Put(r.weights, weights)
	r.fill(r.less, -1)
	return r.d.Sync()
}

// packs is how many numbers the counts of a head and position are packed into; answeredPart comes behind them.
func (r *reduction) packs() int        { return (countsEach + r.digits - 1) / r.digits }
func (r *reduction) answeredPart() int { return countsPart + r.packs() }

// voteOf is the number of positions that window i votes for, voted that of all windows before it.
func (r *reduction) voteOf(i int) int { return min(r.z.Vote, r.z.start(i, r.s)) }
func (r *reduction) voted(i int) (sum int) {
	for w := range i {
		sum += r.voteOf(w)
	}
	return sum
}

// fill sets all of a's numbers.
func (r *reduction) fill(a engine.Array, value float32) {
	r.d.CombineScores(a, engine.Array{}, engine.Array{}, 1, engine.ScoresTimes, value)
}

// add adds b to a, both (heads, n).
func (r *reduction) add(a, b engine.Array) {
	r.d.CombineScores(a, a, b, r.h.Query, engine.ScoresPlus, 1)
}

// multiply multiplies a (rows, n) by b, of the same shape or (n), and by a factor.
func (r *reduction) multiply(a, b engine.Array, rows int, factor float32) {
	r.d.CombineScores(a, a, b, rows, engine.ScoresTimes, factor)
}

// of is the i-th (heads, n) of several.
func (r *reduction) of(several engine.Array, i int) engine.Array {
	size := r.h.Query * r.z.Tokens
	return several.Slice(i*size, (i+1)*size)
}

// mask is 1 before window i, (n).
func (r *reduction) mask(i int) engine.Array {
	at := i * (r.z.Tokens + r.z.Forced)
	return r.masks.Slice(at, at+r.z.Tokens)
}
