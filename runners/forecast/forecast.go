// Package forecast says what a job will take before a card is rented: time, memory and cost, from a few measured rates and
// the arithmetic of the model's sizes. It needs no card, no weights and no data.
//
// A prefill's time is its operations at the roofs measured on the card, over the share of that roof that was reached at the
// length. A step's time is the bytes that it reads, weights once and every row's cache, at the measured bandwidth, over the
// share that was reached with so many rows. Shares were measured of a few models; of another one operations and bytes are its
// own and the shares are taken over. The stream of requests is gone through as our engine goes through it: the most work
// first, as many together as memory and the card's rows allow, a prefill between two steps.
package forecast

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
)

// Asked is a job that is to be forecast.
type Asked struct {
	Name     string        // of the model
	Files    *models.Files // sizes, and how weights are stored; without a source as a device's own numbers
	DType    string
	Rates    Rates
	Find     func(model string) (*models.Files, error) // those of the models that rates were measured of
	Tasks    []datasets.Task
	Variants []compress.Variant
	Price    float64 // of an hour; 0: no cost is said
}

// Forecast is what a job will take. Times are in seconds, memory in bytes.
type Forecast struct {
	Model    string   `json:"model"`
	DType    string   `json:"dtype"`
	Card     string   `json:"card"`
	Rates    []string `json:"rates"` // what was measured
	Date     string   `json:"rates_date"`
	Source   string   `json:"rates_source"`
	Tasks    []Task   `json:"tasks"`
	Prompts  int      `json:"prompts"`
	Tokens   int      `json:"prompt_tokens"`
	RowSteps int      `json:"row_steps"`

	Prefill  float64 `json:"prefill_seconds"`
	Choice   float64 `json:"choice_seconds"` // what caches keep is chosen, gathered and checked
	Decode   float64 `json:"decode_seconds"`
	Total    float64 `json:"total_seconds"`
	Together float64 `json:"rows_together"` // of a step, on average
	Price    float64 `json:"price_per_hour,omitempty"`
	Cost     float64 `json:"cost,omitempty"`

	Weights  int64     `json:"weight_bytes"`
	Memory   int64     `json:"memory_bytes"`
	Peak     int64     `json:"planned_bytes"` // the most that is planned to be held, weights included
	Median   int       `json:"median_tokens"`
	Longest  int       `json:"longest_tokens"`
	Variants []Variant `json:"variants"`
	Notes    []string  `json:"notes,omitempty"`
}

// Task is a task's part.
type Task struct {
	Task     string `json:"task"`
	Prompts  int    `json:"prompts"`
	Tokens   int    `json:"prompt_tokens"`
	Longest  int    `json:"longest_tokens"`
	MaxNew   int    `json:"max_new"`
	RowSteps int    `json:"row_steps"`
}

// Variant is what a variant's cache takes, behind a prompt of the median and of the longest length, and how many
// such prompts' caches fit by themselves.
type Variant struct {
	Variant     string `json:"variant"`
	Median      int64  `json:"median_cache_bytes"`
	Longest     int64  `json:"longest_cache_bytes"`
	FitsMedian  int    `json:"median_fit"`
	FitsLongest int    `json:"longest_fit"`
}

// sample is a prompt ahead, of so many tokens, and those variants that can serve it. Of an answer's most tokens the first comes of
// the prompt, each other one takes a step.
type sample struct {
	tokens, behind, most int
	variants             []compress.Variant
}

// steps are those of each row: where something is read behind the prompt, the first token of the answer comes of its last.
func (s sample) steps() int { return s.behind + s.most - 1 }

// room is how many tokens a cache must hold beyond its prompt.
func (s sample) room() int { return s.behind + s.most }

// Make forecasts a job.
func Make(a Asked) (*Forecast, error) {
	switch {
	case len(a.Variants) == 0:
		return nil, errors.New("no variants: want one or more")
	case !(a.Price >= 0) || math.IsInf(a.Price, 0): // NaN is neither
		return nil, runners.Mistake(fmt.Errorf("--price: a price of %v an hour: want 0 or more", a.Price))
	}
	pace, err := a.Rates.open(func(model string) (*models.Files, error) {
		if model == a.Name { // which may be a folder's name, without its path
			return a.Files, nil
		}
		return a.Find(model)
	})
	if err != nil {
		return nil, err
	}
	m, err := onPaper(a.Files, a.Name, a.DType, a.Rates.Device, a.Rates.Memory)
	if err != nil {
		return nil, err
	}
	for _, v := range a.Variants {
		if err := m.CheckVariant(v); err != nil {
			return nil, err
		}
	}
	a.Variants = compress.On(m.Shape(), a.Variants)
	f := &Forecast{Model: a.Name, DType: m.Device().Type().String(), Card: a.Rates.About, Rates: pace.used, Date: a.Rates.Date, Source: a.Rates.Source,
		Weights: m.Device().Memory().Weights, Memory: a.Rates.Memory, Price: a.Price}
	samples, err := f.volume(a, m)
	if err != nil {
		return nil, err
	}
	s := &stream{m: m, pace: pace, shares: map[string]models.Plan{}}
	if err := s.run(samples); err != nil {
		return nil, err
	}
	f.Prefill, f.Choice, f.Decode, f.Peak = s.prefill, s.choice, s.decode, s.peak+f.Weights
	f.Total = f.Prefill + f.Choice + f.Decode
	f.Together, f.Cost = s.rowSteps/max(1, s.steps), f.Price*f.Total/3600
	f.memory(m, a.Variants, samples)
	shortest := slices.MinFunc(samples, func(x, y sample) int { return cmp.Compare(x.tokens, y.tokens) }).tokens
	f.Notes = append(f.Notes, "answers are taken to have all their tokens: those that end by themselves take less")
	f.Notes = append(f.Notes, pace.beyond(m.Experts > 0, shortest, f.Longest, s.most)...)
	if slices.ContainsFunc(a.Variants, func(v compress.Variant) bool { return v.Format() != nil }) {
		f.Notes = append(f.Notes, "what making and reading codes of caches takes was not measured: a step is counted by its bytes, as of a cache in the device's own type")
	}
	if n := m.Linear.Count(); n > 0 && !pace.recurrence {
		f.Notes = append(f.Notes, fmt.Sprintf("the recurrence of %d layers with linear attention was not measured, and is counted at the rate of attention, which has faster products: prompts take longer than said", n))
	}
	if w := m.Device().Memory().Weights; w < m.Parameters()*int64(m.Device().Type().Size()) {
		f.Notes = append(f.Notes, "weights stay packed as their file has them: a step is counted by those bytes, at the share of its roof that was measured of other weights")
	}
	if a.Rates.Choice == 0 {
		f.Notes = append(f.Notes, "what choosing and gathering take was not measured and is left out")
	}
	return f, nil
}

// volume counts the job's prompts, tokens and steps.
func (f *Forecast) volume(a Asked, m *models.Model) (samples []sample, err error) {
	about := datasets.Model{Name: a.Name, ContextLength: a.Files.Config.Context}
	per := map[string]*Task{}
	var lost []error // of rows
	for _, t := range a.Tasks {
		per[t.Name()] = &Task{Task: t.Name()}
	}
	for _, p := range (&runners.Job{Tasks: a.Tasks}).Places() {
		s := sample{tokens: p.Tokens(about), behind: p.Behind(), most: p.MaxNew()}
		if s.tokens+s.room() > a.Files.Config.Context {
			return nil, fmt.Errorf("task %s: a prompt of %d tokens and %d new ones pass the context of %s, %d tokens", p.Task.Name(), s.tokens+s.behind, s.most, a.Name, a.Files.Config.Context)
		}
		t := per[p.Task.Name()]
		for _, v := range a.Variants {
			if cannot := m.CheckPrompt(v, s.tokens, 0); cannot == nil {
				s.variants = append(s.variants, v)
			} else {
				lost = append(lost, cannot)
			}
		}
		steps := s.steps() * len(s.variants)
		t.Prompts, t.Tokens, t.Longest, t.MaxNew, t.RowSteps = t.Prompts+1, t.Tokens+s.tokens+s.behind, max(t.Longest, s.tokens), max(t.MaxNew, s.most), t.RowSteps+steps
		f.Prompts, f.Tokens, f.RowSteps = f.Prompts+1, f.Tokens+s.tokens+s.behind, f.RowSteps+steps
		samples = append(samples, s)
	}
	for _, t := range a.Tasks {
		f.Tasks = append(f.Tasks, *per[t.Name()])
	}
	switch rows := len(samples) * len(a.Variants); {
	case len(samples) == 0:
		return nil, fmt.Errorf("no prompts to forecast")
	case len(lost) == rows:
		return nil, fmt.Errorf("every row would be an error: %w", lost[0])
	case len(lost) > 0:
		f.Notes = append(f.Notes, fmt.Sprintf("%d of %d rows would be errors, and are left out: %v", len(lost), rows, lost[0]))
	}
	return samples, nil
}

// memory says what each variant takes behind a prompt of the median length and behind the longest.
func (f *Forecast) memory(m *models.Model, variants []compress.Variant, samples []sample) {
	sorted := slices.Clone(samples)
	slices.SortFunc(sorted, func(x, y sample) int { return cmp.Compare(x.tokens, y.tokens) })
	median, longest := sorted[len(sorted)/2], sorted[len(sorted)-1]
	f.Median, f.Longest = median.tokens, longest.tokens
	free := m.Device().Memory().Free
	fit := func(p models.Plan) int {
		one := p.Caches[0]
		return max(0, int(min((free-p.Prefill)/one, free/(one+p.Decode))))
	}
	for _, v := range variants {
		one := []compress.Variant{v}
		x, y := m.Plan(one, median.tokens, median.room(), false), m.Plan(one, longest.tokens, longest.room(), false)
		f.Variants = append(f.Variants, Variant{v.String(), x.Caches[0], y.Caches[0], fit(x), fit(y)})
	}
}

// stream goes through a job as the engine's batch does.
type stream struct {
	m      *models.Model
	pace   *pace
	shares map[string]models.Plan

	prefill, choice, decode float64 // seconds
	rowSteps, steps         float64
	most                    int   // rows of a step
	peak                    int64 // bytes that were planned to be held
}

// inHand is a sample that is decoded.
type inHand struct {
	sample
	left   int // steps
	caches int64
	decode int64
}

// plan is at least the memory of a sample. Lengths that are within a 64th of each other share that of the longest.
func (s *stream) plan(x sample) models.Plan {
	grain := 1 << max(0, bits.Len(uint(x.tokens))-7)
	tokens := (x.tokens + grain - 1) / grain * grain
	key := fmt.Sprint(tokens, x.room(), x.variants)
	p, ok := s.shares[key]
	if !ok {
		p = s.m.Plan(x.variants, tokens, x.room(), false)
		s.shares[key] = p
	}
	return p
}

// run answers samples in their order.
func (s *stream) run(samples []sample) error {
	d := s.m.Device()
	limits := local.LimitsOf(d)
	free := d.Memory().Free
	if free <= 0 {
		return fmt.Errorf("the weights take %d bytes, the card has %d", d.Memory().Weights, d.Memory().Total)
	}
	limits.Memory = local.Usable(d.Name(), free, 1)
	layers := float64(len(s.m.PolicyLayers()))
	var hand []*inHand
	held, next := local.Held{}, 0
	for next < len(samples) || len(hand) > 0 {
		if next < len(samples) {
			x := samples[next]
			p := s.plan(x)
			h := &inHand{sample: x, left: x.steps(), decode: p.Decode}
			for _, c := range p.Caches {
				h.caches += c
			}
			with := local.Held{Rows: held.Rows + len(x.variants), Tokens: held.Tokens + x.tokens, Caches: held.Caches + h.caches, Decode: held.Decode + h.decode, Prefill: p.Prefill}
			if len(hand) == 0 && with.Caches+max(with.Decode, with.Prefill) > free {
				if takes := s.m.Plan(x.variants, x.tokens, x.room(), false).Total(); takes > free {
					return fmt.Errorf("a prompt of %d tokens under all variants takes %d bytes, of which %d are free: some of its rows would be errors", x.tokens, takes, free)
				}
			}
			if len(hand) == 0 || limits.Allow(with) {
				next++
				held, hand = with, append(hand, h)
				s.prefill += s.pace.prefillSeconds(s.m, x.tokens)
				for _, v := range x.variants {
					if !v.IsFull() {
						s.choice += s.pace.Choice * layers
					}
				}
				s.peak, s.most = max(s.peak, with.Caches+max(with.Decode, with.Prefill)), max(s.most, with.Rows)
				continue
			}
		}
		// As many steps as it takes until one of them is over.
		steps := slices.MinFunc(hand, func(x, y *inHand) int { return cmp.Compare(x.left, y.left) }).left
		took := float64(steps) * s.pace.stepSeconds(s.m, held.Rows, held.Caches)
		s.decode += took
		s.rowSteps, s.steps = s.rowSteps+float64(steps*held.Rows), s.steps+float64(steps)
		hand = slices.DeleteFunc(hand, func(h *inHand) bool {
			if h.left -= steps; h.left > 0 {
				return false
			}
			held = local.Held{Rows: held.Rows - len(h.variants), Tokens: held.Tokens - h.tokens, Caches: held.Caches - h.caches, Decode: held.Decode - h.decode}
			return true
		})
	}
	return nil
}
