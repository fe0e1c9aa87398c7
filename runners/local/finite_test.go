package local

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/cpu"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
)

// damaged is a model's weights with one number of one tensor's row overwritten.
type damaged struct {
	models.Source
	role       models.Role
	layer, row int
	value      float32
}

func (s damaged) Tensor(role models.Role, layer, expert, rows, cols int) (engine.Stored, error) {
	t, err := s.Source.Tensor(role, layer, expert, rows, cols)
	if err == nil && role == s.role && layer == s.layer {
		return damagedTensor{t, s.row, s.value}, nil
	}
	return t, err
}

type damagedTensor struct {
	engine.Stored
	row   int
	value float32
}

func (t damagedTensor) ReadRow(i int, dst []float32) {
	t.Stored.ReadRow(i, dst)
	if i == t.row {
		dst[3] = t.value
	}
}

func (t damagedTensor) RawRow(i int) []byte {
	raw := slices.Clone(t.Stored.RawRow(i))
	if i == t.row {
		binary.LittleEndian.PutUint32(raw[4*3:], math.Float32bits(t.value))
	}
	return raw
}

// damagedOn is shape:tiny with a number overwritten. Its output has weights of its own, so
// that the embedding of one token affects no other.
func damagedOn(t *testing.T, d engine.Device, role models.Role, layer, row int, value float32) *Engine {
	t.Helper()
	files, err := models.OpenShape("tiny")
	if err != nil {
		t.Fatal(err)
	}
	files.Config.Tied = false
	files.Source = damaged{files.Source, role, layer, row, value}
	m, err := models.Load(d, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return New(m, func(ids []int32) string { return "" })
}

func newCPU(t *testing.T) engine.Device {
	t.Helper()
	d, err := cpu.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// With a weight that is not finite, every variant gets an error that says where it began,
// also where fidelity is measured.
func TestDamagedWeight(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, d := range []engine.Device{ref.New(), newCPU(t)} {
		for _, c := range []struct {
			role  models.Role
			layer int
			value float32
			want  string
		}{
			{models.Embedding, -1, nan, "the embedding gives the first"},
			{models.Value, 0, nan, "layer 0 gives the first"},
			{models.Down, 1, inf, "layer 1 gives the first"},
			{models.Output, -1, nan, "the output's weights"},
		} {
			r := damagedOn(t, d, c.role, c.layer, 7, c.value)
			before := d.Memory().InUse
			for _, fidelity := range []bool{false, true} {
				requests := []runners.Request{
					{Prompt: ids(60, 3), Question: ids(4, 5), Variants: runners.VariantsOf(variants(t, five)), MaxNew: 5, Fidelity: fidelity},
					{Prompt: ids(61, 5), Variants: runners.VariantsOf(variants(t, five)), MaxNew: 5, MinNew: 2, Stop: runners.Stop{Tokens: []int32{0, 1}}, Fidelity: fidelity},
				}
				out, err := runners.Answer(context.Background(), r, requests...)
				if err != nil {
					t.Fatalf("%s: a request's fault ends the run: %v", c.want, err)
				}
				for i := range out {
					for _, got := range out[i] {
						var failed *NotFiniteError
						if !errors.As(got.Err, &failed) || failed.Token != 0 || !strings.Contains(failed.Error(), c.want) || len(got.Tokens) > 0 {
							t.Errorf("%s, request %d, %s: tokens %v, error %v; want %q", d.Name(), i, got.Variant, got.Tokens, got.Err, c.want)
						}
					}
				}
			}
			if after := d.Memory().InUse; after != before {
				t.Errorf("%s: %d bytes are still held", c.want, after-before)
			}
		}
	}
}

// A damaged embedding of one token fails the answers that are fed that token; the others are
// what they would be alone.
func TestDamagedToken(t *testing.T) {
	const nowhere = -1
	good := damagedOn(t, ref.New(), models.Embedding, -1, nowhere, 0)
	prompt := ids(100, 3)
	request := runners.Request{Prompt: prompt, Variants: runners.VariantsOf(variants(t, five)), MaxNew: 12}
	want, err := runners.Answer(context.Background(), good, request)
	if err != nil {
		t.Fatal(err)
	}
	// A token that only some variants come to choose, and none chooses first.
	token, fails := int32(-1), 0
	for _, candidate := range want[0][0].Tokens[1:11] {
		fails = 0
		for _, c := range want[0] {
			if slices.Contains(c.Tokens[:11], candidate) {
				fails++
			}
		}
		if fails < len(want[0]) && !slices.Contains(prompt, candidate) {
			token = candidate
			break
		}
	}
	if token < 0 {
		t.Fatal("no such token among the answers: choose another prompt")
	}
	r := damagedOn(t, ref.New(), models.Embedding, -1, int(token), float32(math.NaN()))
	out, err := runners.Answer(context.Background(), r, request)
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for j, got := range out[0] {
		at := slices.Index(want[0][j].Tokens[:11], token)
		if at < 0 {
			if got.Err != nil || !slices.Equal(got.Tokens, want[0][j].Tokens) {
				t.Errorf("%s: %v, error %v; want %v", got.Variant, got.Tokens, got.Err, want[0][j].Tokens)
			}
			continue
		}
		var e *NotFiniteError
		if failed++; !errors.As(got.Err, &e) || e.Token != at+1 || e.Where != "those behind the prompt are, under the full cache" {
			t.Errorf("%s: token %d is fed at step %d: error %v", got.Variant, token, at, got.Err)
		}
	}
	if failed != fails {
		t.Errorf("%d variants failed, want %d", failed, fails)
	}

	// With fidelity all follow the full cache's answer, which meets the token: what was
	// asked for cannot be had of any variant.
	request.Fidelity = true
	if out, err = runners.Answer(context.Background(), r, request); err != nil {
		t.Fatalf("a variant's fault ends the run: %v", err)
	}
	for _, got := range out[0] {
		if got.Err == nil || got.Fidelity != nil {
			t.Errorf("%s: fidelity %+v, error %v", got.Variant, got.Fidelity, got.Err)
		}
	}
	// A variant that meets it when the full cache does not fails alone.
	request.Variants = []runners.Variant{compress.Full, request.Variants[1]}
	var own []int32
	for _, candidate := range want[0][1].Tokens[:11] {
		if !slices.Contains(want[0][0].Tokens, candidate) && !slices.Contains(prompt, candidate) {
			own = append(own, candidate)
		}
	}
	if len(own) == 0 {
		t.Fatalf("%s has no token of its own: choose another prompt", request.Variants[1].(compress.Variant))
	}
	r = damagedOn(t, ref.New(), models.Embedding, -1, int(own[0]), float32(math.Inf(1)))
	if out, err = runners.Answer(context.Background(), r, request); err != nil {
		t.Fatal(err)
	}
	if full, other := out[0][0], out[0][1]; full.Err != nil || full.Fidelity == nil || other.Err == nil {
		t.Errorf("full: %v, fidelity %+v; the other: %v", full.Err, full.Fidelity, other.Err)
	}
}
