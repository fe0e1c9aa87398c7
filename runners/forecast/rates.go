package forecast

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/speed"
)

// Rates are what was measured of a card: times of prefills and of steps, of models whose sizes are known.
type Rates struct {
	About  string      `json:"about"`
	Date   string      `json:"date"`
	Source string      `json:"source"`
	Device string      `json:"-"`            // as rows name it: "cuda:0", "cpu"
	Memory int64       `json:"memory_bytes"` // that programs can have
	Roofs  speed.Roofs `json:"roofs"`
	// Choice is what choosing, gathering and checking take for each compressed variant and layer, in seconds.
	Choice float64     `json:"choice_seconds"`
	Rows   []speed.Row `json:"rows"`
}

//go:embed cards.json
var cardsJSON []byte

// cards returns the rates that are recorded, by the card's short name.
func cards() map[string]Rates {
	var list map[string]Rates
	if err := json.Unmarshal(cardsJSON, &list); err != nil {
		panic("forecast: the embedded rates: " + err.Error())
	}
	for name, r := range list {
		r.Device = "cuda:0"
		list[name] = r
	}
	return list
}

// Cards lists the cards whose rates are recorded, sorted.
func Cards() []string { return slices.Sorted(maps.Keys(cards())) }

// Recorded returns a card's rates.
func Recorded(card string) (Rates, error) {
	r, ok := cards()[card]
	if !ok {
		return r, fmt.Errorf("no rates of device %q are recorded: %shave %s; snapbench speed --json on it measures some, for --rates FILE", card, lookup.Offer(card, Cards()), strings.Join(Cards(), ", "))
	}
	return r, nil
}

// Measured reads rates from the output of snapbench speed --json, or from the speed.json of its folder.
func Measured(path string) (Rates, error) {
	data, err := inputs.ReadFile(path)
	if err != nil {
		return Rates{}, err
	}
	r, err := parseMeasured(data)
	if err != nil {
		return r, fmt.Errorf("%s: %w", path, err)
	}
	r.Source = path
	return r, nil
}

func parseMeasured(data []byte) (r Rates, err error) {
	var s speed.Report
	if err := json.Unmarshal(data, &s); err != nil {
		return r, fmt.Errorf("no report of snapbench speed --json: %w", err)
	}
	r = Rates{About: s.About, Date: s.Started.Format("2006-01-02"), Roofs: s.Roofs, Rows: s.Rows}
	for _, row := range s.Rows {
		if r.Device = cmp.Or(r.Device, row.Device); r.Device != row.Device {
			return r, fmt.Errorf("it is of two devices, %s and %s: want one", r.Device, row.Device)
		}
		r.Memory = max(r.Memory, row.Plan.Free+row.Plan.Weights)
	}
	for _, f := range []float64{s.Roofs.Bandwidth, s.Roofs.Products, s.Roofs.Attention} {
		if !(f > 0) || math.IsInf(f, 0) {
			return r, fmt.Errorf("its roofs are %+v: want rates above 0", s.Roofs)
		}
	}
	if r.Memory <= 0 {
		return r, errors.New("none of its rows says how much memory there is")
	}
	return r, nil
}

// point is a share of a roof that was reached, at a length in tokens or a number of rows.
type point struct {
	at, share float64
	caches    float64 // of a step: bytes of caches to one of weights
	mixture   bool
}

// pace is how near a card comes to its roofs.
type pace struct {
	Rates
	prefill, steps []point
	used           []string // what was measured, for people
	recurrence     bool     // prompts were read by a model with linear attention
}

// open works out the shares of the roofs that measured times are.
func (r Rates) open(find func(model string) (*models.Files, error)) (*pace, error) {
	p := &pace{Rates: r}
	opened := map[string]*models.Model{}
	for i, row := range r.Rows {
		if !row.Fits || row.Layers > 0 && row.StepSeconds <= 0 {
			continue
		}
		key := row.Model + " " + row.DType
		m := opened[key]
		if m == nil {
			files, err := find(row.Model)
			if err == nil {
				m, err = onPaper(files, row.Model, row.DType, r.Device, math.MaxInt64/4)
			}
			if err != nil {
				return nil, fmt.Errorf("rates: row %d: %w", i+1, err)
			}
			opened[key] = m
		}
		mixture := m.Experts > 0
		if row.Length < 1 || row.Batch < 1 || row.Length > 1<<30 || row.Batch > 1<<20 || row.NewTokens < 0 || row.NewTokens > 1<<30 {
			return nil, fmt.Errorf("rates: row %d: %d × %d tokens, %d new: none such can be measured", i+1, row.Batch, row.Length, row.NewTokens)
		}
		if row.PrefillSeconds > 0 && row.Layers == 0 && row.Attending == 0 {
			p.prefill = append(p.prefill, point{at: float64(row.Length), share: r.reading(m, row.Length) / row.PrefillSeconds, mixture: mixture})
			p.recurrence = p.recurrence || m.Linear.Count() > 0
			p.used = append(p.used, fmt.Sprintf("%s: %d tokens read in %.3g s", row.Model, row.Length, row.PrefillSeconds))
		}
		if row.StepSeconds > 0 {
			v, err := compress.Parse(row.Variant)
			if err != nil {
				return nil, fmt.Errorf("rates: row %d: %w", i+1, err)
			}
			caches := int64(row.Batch) * m.Plan([]compress.Variant{v.On(m.Shape())}, row.Length, row.NewTokens/2, false).Caches[0]
			p.steps = append(p.steps, point{
				at: float64(row.Batch), share: float64(stepBytes(m, row.Batch, caches)) / r.Roofs.Bandwidth / row.StepSeconds,
				caches: float64(caches) / float64(weightsRead(m, row.Batch)), mixture: mixture,
			})
			p.used = append(p.used, fmt.Sprintf("%s: a step of %d rows after %d tokens in %.3g ms", row.Model, row.Batch, row.Length, 1000*row.StepSeconds))
		}
	}
	for _, x := range slices.Concat(p.prefill, p.steps) {
		if !(x.share > 0) || math.IsInf(x.share, 0) || math.IsInf(1/x.share, 0) {
			return nil, fmt.Errorf("rates: a share of %v of the roofs %+v at %v tokens or rows: no card reaches that", x.share, r.Roofs, x.at)
		}
	}
	if len(p.prefill) == 0 || len(p.steps) == 0 {
		return nil, fmt.Errorf("rates: %d prefills and %d steps were measured: want one of each", len(p.prefill), len(p.steps))
	}
	return p, nil
}

// reading is how long a prompt's prefill takes at the roofs.
func (r Rates) reading(m *models.Model, tokens int) float64 {
	products, attention := m.PrefillOperations(tokens, models.Part{})
	return products/r.Roofs.Products + attention/r.Roofs.Attention
}

// weightsRead are the bytes of weights that a step of so many rows reads: of the input table only the rows' own, of a
// mixture the experts that are chosen.
func weightsRead(m *models.Model, rows int) int64 {
	return m.Device().Memory().Weights - m.IdleTableBytes() - m.IdleExpertBytes(rows)
}

// stepBytes are those that a step of so many rows moves, whose caches have so many.
func stepBytes(m *models.Model, rows int, caches int64) int64 {
	return weightsRead(m, rows) + caches + m.WrittenBytes(rows)
}

// between interpolates points of models of the same kind, where there are such, over the logarithm of the place; beyond the
// first and the last they stay.
func between(points []point, mixture bool, at float64) point {
	same := alike(points, mixture)
	slices.SortFunc(same, func(a, b point) int { return cmp.Compare(a.at, b.at) })
	var knots []point // one for each place: the mean of those there
	for i := 0; i < len(same); {
		sum, n := point{at: same[i].at}, 0.0
		for ; i < len(same) && same[i].at == sum.at; i++ {
			sum.share, sum.caches, n = sum.share+same[i].share, sum.caches+same[i].caches, n+1
		}
		knots = append(knots, point{at: sum.at, share: sum.share / n, caches: sum.caches / n})
	}
	if at <= knots[0].at {
		return knots[0]
	}
	for i, k := range knots[1:] {
		if before := knots[i]; at <= k.at {
			part := math.Log(at/before.at) / math.Log(k.at/before.at)
			return point{at: at, share: before.share + part*(k.share-before.share), caches: before.caches + part*(k.caches-before.caches)}
		}
	}
	return knots[len(knots)-1]
}

// prefillSeconds is how long a prompt takes.
func (p *pace) prefillSeconds(m *models.Model, tokens int) float64 {
	return p.reading(m, tokens) / between(p.prefill, m.Experts > 0, float64(tokens)).share
}

// stepSeconds is how long a step of rows takes whose caches have so many bytes. Steps of many rows were measured over caches
// of some size to the weights: more or fewer bytes than those come at the best share of the roof that any step reached, since
// what is lost is lost in products.
func (p *pace) stepSeconds(m *models.Model, rows int, caches int64) float64 {
	mixture := m.Experts > 0
	x := between(p.steps, mixture, float64(rows))
	best := slices.MaxFunc(alike(p.steps, mixture), func(a, b point) int { return cmp.Compare(a.share, b.share) }).share
	measured := x.caches * float64(weightsRead(m, rows))
	return ((float64(stepBytes(m, rows, 0))+measured)/x.share + (float64(caches)-measured)/best) / p.Roofs.Bandwidth
}

// alike are those points that are of models of a kind, mixtures of experts or dense ones; all where there are none.
func alike(points []point, mixture bool) []point {
	same := slices.DeleteFunc(slices.Clone(points), func(p point) bool { return p.mixture != mixture })
	if len(same) == 0 {
		return slices.Clone(points)
	}
	return same
}

// beyond says which of a job's lengths and rows nothing was measured at.
func (p *pace) beyond(mixture bool, shortest, longest, rows int) (notes []string) {
	low, high, most := math.Inf(1), 0.0, 0.0
	for _, x := range alike(p.prefill, mixture) {
		low, high = min(low, x.at), max(high, x.at)
	}
	for _, x := range alike(p.steps, mixture) {
		most = max(most, x.at)
	}
	if alike(p.steps, mixture)[0].mixture != mixture || alike(p.prefill, mixture)[0].mixture != mixture {
		notes = append(notes, "of models of this kind, dense or a mixture of experts, not everything was measured: the other kind's shares of the roofs are taken")
	}
	if float64(shortest) < low {
		notes = append(notes, fmt.Sprintf("prompts of less than %.0f tokens, the shortest that was measured, are taken to be read at its share of the roof: they are slower", low))
	}
	if float64(longest) > high {
		notes = append(notes, fmt.Sprintf("prompts of more than %.0f tokens, the longest that was measured, are taken to be read at its share of the roof", high))
	}
	if float64(rows) > most {
		notes = append(notes, fmt.Sprintf("steps of more than %.0f rows, the most that were measured, are taken to be at their share of the roof", most))
	}
	return notes
}
