package speed

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/modeltest"
	"github.com/snapbench/snapbench/runners/ref"
)

// smallCard is a CPU with so much memory and no more. It says that more is free
// than there is where over is not 0.
type smallCard struct {
	engine.Device
	limit, over int64
}

func (d *smallCard) Memory() engine.Memory {
	m := d.Device.Memory()
	m.Total, m.Free = d.limit, max(0, d.limit+d.over-m.InUse)
	return m
}

func (d *smallCard) room(bytes int64) error {
	if free := d.limit - d.Device.Memory().InUse; bytes > free {
		return &engine.OutOfMemory{Device: "small", Need: bytes, Free: free}
	}
	return nil
}

func (d *smallCard) New(t engine.Type, n int) (engine.Array, error) {
	if err := d.room(int64(n) * int64(t.Size())); err != nil {
		return engine.Array{}, err
	}
	return d.Device.New(t, n)
}

func (d *smallCard) Gather(kv engine.KV, kept []engine.Kept, room int) ([]engine.Cache, error) {
	c, err := d.Device.Gather(kv, kept, room)
	if err == nil {
		if err = d.room(0); err != nil {
			d.FreeCache(c...)
			return nil, err
		}
	}
	return c, err
}

func onSmallCard(t *testing.T, limit, over int64) (*models.Model, *smallCard) {
	t.Helper()
	inner, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { inner.Close() })
	d := &smallCard{inner, limit, over}
	return tinyOn(t, d), d
}

// tinyOn is shape:tiny on a device.
func tinyOn(t *testing.T, d engine.Device) *models.Model {
	t.Helper()
	m := modeltest.Load(t, d, "shape:tiny")
	t.Cleanup(m.Close)
	return m
}

func variants(t *testing.T, s string) []compress.Variant {
	t.Helper()
	v, err := compress.ParseAll(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func oneVariant(t *testing.T, s string) compress.Variant { return variants(t, s)[0] }

// trimmed is a device that counts what it is asked to give up.
type trimmed struct {
	engine.Device
	inUse []int64 // bytes at each time
}

func (d *trimmed) Trim() { d.inUse = append(d.inUse, d.Memory().InUse) }

// Before each cell, when nothing but the weights is held, a device gives up what it kept for later.
func TestCellsAreMeasuredApart(t *testing.T) {
	d := &trimmed{Device: ref.New()}
	m := tinyOn(t, d)
	alone := d.Memory().InUse
	for _, c := range []Cell{{Length: 40, Batch: 2, Variant: compress.Full, MaxNew: 2}, {Length: 40, Batch: 1, Variant: oneVariant(t, "snapkv(cap=16,w=8)"), MaxNew: 2}} {
		if _, err := Measure(t.Context(), m, c, 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	if want := []int64{alone, alone}; !slices.Equal(d.inUse, want) {
		t.Errorf("memory was given up when %v bytes were held, want %v", d.inUse, want)
	}
}

// The largest batch and the longest prompt run, one more does not fit, and what
// they use is within the limit and near it.
func TestLargestThatFits(t *testing.T) {
	const limit = 8 << 20
	for _, c := range []Cell{
		{Length: 1024, Variant: oneVariant(t, "full")},
		{Length: 1024, Variant: oneVariant(t, "snapkv(cap=128,w=16,k=5)"), Prompts: 3},
		{Batch: 2, Variant: oneVariant(t, "full")},
		{Batch: 2, Variant: oneVariant(t, "snapkv(cap=128,w=16,k=5)"), Part: models.Part{Layers: 1, Attending: 700}},
	} {
		m, d := onSmallCard(t, limit, 0)
		c.MaxNew, c.Warmup = 3, 1
		s, err := Measure(context.Background(), m, c, 1, nil)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if len(s.Notes) != 0 || s.Peak > limit || s.Peak < limit*7/10 || s.Plan.Need() < s.Peak-s.Weights || s.Plan.Need() > s.Plan.Free {
			t.Errorf("%d × %d: peak %d of %d, notes %q", s.Batch, s.Length, s.Peak, limit, s.Notes)
		}
		if in := d.Memory(); in.InUse > in.Weights+1<<20 {
			t.Errorf("%d bytes are held afterwards", in.InUse-in.Weights)
		}
		if s.Prompts != len(s.Prefill) || len(s.Steps) != 3 || c.Prompts > 0 && s.Prompts != c.Prompts || c.Prompts == 0 && s.Prompts != s.Batch {
			t.Errorf("%d prompts, %d prefills, %d steps of a batch of %d", s.Prompts, len(s.Prefill), len(s.Steps), s.Batch)
		}
		more := c
		more.Length, more.Batch = s.Length, s.Batch
		if c.Batch == 0 {
			more.Batch++
		} else {
			more.Length += LengthGrain
		}
		var large *DoesNotFit
		if _, err := Measure(context.Background(), m, more, 1, nil); !errors.As(err, &large) || large.Allocating || large.Need <= large.Free {
			t.Errorf("%d × %d fits, and %d × %d: %v", s.Batch, s.Length, more.Batch, more.Length, err)
		}
	}
}

// Where less can be allocated than the device says is free, smaller ones run,
// and the notes say so.
func TestPlanThatCannotBeAllocated(t *testing.T) {
	for _, c := range []Cell{
		{Length: 1024, Variant: oneVariant(t, "full")},
		{Length: 1024, Variant: oneVariant(t, "snapkv(cap=128,w=16,k=5)"), Prompts: 2},
		{Batch: 1, Variant: oneVariant(t, "snapkv(cap=128,w=16,k=5)")},
	} {
		const limit = 8 << 20
		m, d := onSmallCard(t, limit, limit/4)
		c.MaxNew, c.Warmup = 2, 0
		planned, err := c.Largest(m)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Measure(context.Background(), m, c, 1, nil)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		if s.Batch > planned.Batch || s.Length > planned.Length || s.Batch*s.Length >= planned.Batch*planned.Length {
			t.Errorf("%d × %d ran, the plan has %d × %d", s.Batch, s.Length, planned.Batch, planned.Length)
		}
		if len(s.Notes) == 0 || !strings.Contains(s.Notes[0], "an allocation failed") {
			t.Errorf("notes: %q", s.Notes)
		}
		if s.Peak > limit || s.Peak < limit*7/10 {
			t.Errorf("peak %d of %d", s.Peak, limit)
		}
		if in := d.Memory(); in.InUse > in.Weights+1<<20 {
			t.Errorf("%d bytes are held afterwards", in.InUse-in.Weights)
		}
		// Asked for by number, it is what does not fit.
		var large *DoesNotFit
		if _, err := Measure(context.Background(), m, planned, 1, nil); !errors.As(err, &large) || !large.Allocating {
			t.Errorf("%d × %d: %v", planned.Batch, planned.Length, err)
		}
	}
}

func TestLargestWithoutALimit(t *testing.T) {
	m := tinyOn(t, ref.New())
	if _, err := (Cell{Length: 64, Variant: compress.Full, MaxNew: 1}).Largest(m); !errors.Is(err, ErrNoLimit) {
		t.Errorf("on a device without a limit: %v", err)
	}
	if _, err := (Cell{Variant: compress.Full, MaxNew: 1, Limit: 1 << 30}).Largest(m); err == nil {
		t.Error("both the length and the batch are left open")
	}
	var large *DoesNotFit
	if _, err := (Cell{Length: 1 << 20, Variant: compress.Full, MaxNew: 1, Limit: 1 << 20}).Largest(m); !errors.As(err, &large) || large.Need <= large.Free {
		t.Errorf("in a megabyte: %v", err)
	}
}

// Copies hold what their source holds and go their own way.
func TestCopiesDecodeLikeTheirSource(t *testing.T) {
	m := tinyOn(t, ref.New())
	p, err := m.Prefill(context.Background(), models.Prompt{IDs: ids(90, 3), Variants: []compress.Variant{oneVariant(t, "snapkv(cap=24,w=8,k=3)")}, Room: 6})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Free()
	c, err := m.Copy(p.Sequences[0])
	if err != nil {
		t.Fatal(err)
	}
	defer m.Device().FreeCache(c.Caches...)
	b, err := m.NewDecoder([]models.Sequence{p.Sequences[0], c})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	feed := []int32{7, 7}
	for range 5 {
		if feed, err = b.Step(feed); err != nil || feed[0] != feed[1] {
			t.Fatalf("%v, %v", feed, err)
		}
	}
}

// A part of a prefill leaves caches of the whole one's size, counts what it
// computes, and is not the whole.
func TestPartOfAPrefill(t *testing.T) {
	m := tinyOn(t, ref.New())
	v := variants(t, "snapkv(cap=24,w=8,k=3);full")
	products, attention := m.PrefillOperations(2000, models.Part{})
	var whole []float32
	for _, part := range []models.Part{{}, {Layers: 1}, {Attending: 500}, {Layers: 1, Attending: 500}, {Layers: 9, Attending: 9000}} {
		last := 0
		p, err := m.Prefill(context.Background(), models.Prompt{IDs: ids(2000, 3), Variants: v, Room: 2, Part: part, Progress: func(done, total int) { last = total - done }})
		if err != nil {
			t.Fatal(err)
		}
		for i := range v {
			if kept, _, err := local.Audit(m.Device(), m.Config, v[i], p.Sequences[i].Sequence, 2000, true); err != nil {
				t.Errorf("%+v, %s: %+v, %v", part, v[i], kept, err)
			}
		}
		if last != 0 {
			t.Errorf("%+v: the last report has %d blocks to go", part, last)
		}
		a, b := m.PrefillOperations(2000, part)
		same := len(whole) > 0
		for i := range whole {
			same = same && whole[i] == p.Logits[i]
		}
		switch {
		case part == models.Part{}:
			whole = p.Logits
		case part.Layers == 9:
			if a != products || b != attention || !same {
				t.Errorf("%+v is not the whole", part)
			}
		case part.Layers == 1:
			if a >= products*2 || b > attention || same {
				t.Errorf("%+v: %g products, %g attention of %g, %g; logits equal: %v", part, a, b, products, attention, same)
			}
		default: // tokens 1024 … 1999 attend: whole blocks of 512 from the one that has token 1500
			if want := attention * (2000*2001 - 1024*1025) / (2000 * 2001); a != products || !(b/want > 1-1e-9 && b/want < 1+1e-9) || same {
				t.Errorf("%+v: %g products, %g attention, want %g and %g; logits equal: %v", part, a, b, products, want, same)
			}
		}
		p.Free()
	}
}

// The tokens of a block are a matter of speed and scratch alone.
func TestBlocks(t *testing.T) {
	m := tinyOn(t, ref.New())
	var want []float32
	plan := m.Plan(variants(t, "full"), 1100, 1, false).Prefill
	for _, block := range []int{m.Block(), 300, 2000} {
		m.SetBlock(block)
		p, err := m.Prefill(context.Background(), models.Prompt{IDs: ids(1100, 3), Variants: variants(t, "full"), Room: 1})
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = p.Logits
		} else if !slices.Equal(p.Logits, want) {
			t.Errorf("blocks of %d give other logits", block)
		}
		p.Free()
		if now := m.Plan(variants(t, "full"), 1100, 1, false).Prefill; block == 300 && now >= plan || block == 2000 && now <= plan {
			t.Errorf("blocks of %d plan %d bytes of prefill, as against %d", block, now, plan)
		}
	}
}

// newcomer is a CPU that counts, by operation and size, what it had met before the
// measuring began and what it met then.
type newcomer struct {
	engine.Device
	met       map[string]bool
	surprised []string
	measuring bool
}

func (d *newcomer) meet(operation string, rows int) {
	name := fmt.Sprintf("%s of %d", operation, rows)
	if d.measuring && !d.met[name] {
		d.surprised = append(d.surprised, name)
	}
	d.met[name] = true
}

func (d *newcomer) ResetPeak() {
	d.measuring = true
	d.Device.ResetPeak()
}

func (d *newcomer) MatMul(dst, x engine.Array, w engine.Weight) {
	d.meet("MatMul", x.Len)
	d.Device.MatMul(dst, x, w)
}

func (d *newcomer) Attention(out, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	d.meet("Attention", by.Heads.Size)
	d.Device.Attention(out, q, kv, start, by)
}

func (d *newcomer) WindowScores(dst []engine.Array, w []int, q engine.Array, kv engine.KV, by engine.Attention) {
	d.meet("WindowScores", q.Len)
	d.Device.WindowScores(dst, w, q, kv, by)
}

func (d *newcomer) Select(s []engine.Selection) {
	d.meet("Select", len(s))
	d.Device.Select(s)
}

func (d *newcomer) Gather(kv engine.KV, kept []engine.Kept, room int) ([]engine.Cache, error) {
	d.meet("Gather", kv.Tokens)
	return d.Device.Gather(kv, kept, room)
}

// What a device meets for the first time in a prefill, and may compile or load for it, it
// has met before the clock starts.
func TestPrefillIsMeasuredWarm(t *testing.T) {
	_, card := onSmallCard(t, 1<<30, 0)
	d := &newcomer{Device: card, met: map[string]bool{}}
	m := tinyOn(t, d)
	for _, c := range []Cell{{Variant: oneVariant(t, "full")}, {Variant: oneVariant(t, "snapkv(cap=128,w=16,k=5)")}} {
		clear(d.met)
		d.measuring, d.surprised = false, nil
		c.Length, c.Batch, c.MaxNew = 1200, 1, 1
		s, err := Measure(context.Background(), m, c, 1, func(s Step) {
			if s.Prefill == 1 {
				d.measuring = false
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(d.surprised) > 0 || len(d.met) == 0 {
			t.Errorf("%s: new in the prefill: %q", c.Variant, d.surprised)
		}
		if s.Peak > s.Plan.Need()+s.Weights {
			t.Errorf("%s: peak %d with the warm-up, the plan has %d", c.Variant, s.Peak, s.Plan.Need()+s.Weights)
		}
	}
}

// ids are a prompt.
func ids(n, seed int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32((i*i*31 + i*seed + 7) % 256)
	}
	return out
}

// holed is a stored weight with one number that is NaN.
type holed struct{ engine.Stored }

func (h holed) ReadRow(i int, dst []float32) {
	if h.Stored.ReadRow(i, dst); i == 7 {
		dst[0] = float32(math.NaN())
	}
}

// holedSource has a hole in the values' weights of the first layer.
type holedSource struct{ models.Source }

func (s holedSource) Tensor(role models.Role, layer, expert, rows, cols int) (engine.Stored, error) {
	t, err := s.Source.Tensor(role, layer, expert, rows, cols)
	if err == nil && role == models.Value && layer == 0 {
		t = holed{t}
	}
	return t, err
}

// A model whose logits are not finite has no speed.
func TestDamagedSpeed(t *testing.T) {
	files, err := models.OpenShape("tiny")
	if err != nil {
		t.Fatal(err)
	}
	files.Source = holedSource{files.Source}
	m, err := models.Load(ref.New(), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	cell := Cell{Variant: compress.Full, Length: 40, Batch: 2, Warmup: 1, MaxNew: 2}
	if _, err := Measure(context.Background(), m, cell, 1, nil); err == nil || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("a speed without logits: %v", err)
	}
}
