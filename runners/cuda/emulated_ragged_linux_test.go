package cuda_test

import (
	"context"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/cuda"
	"github.com/snapbench/snapbench/runners/cuda/emulator"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/modeltest"
	"github.com/snapbench/snapbench/runners/ref"
)

// TestEmulatedRagged: caches whose heads and layers differ in length, whole chunks and
// changed keys are chosen, pass the audit and decode together on an emulated card as on
// the reference.
func TestEmulatedRagged(t *testing.T) {
	const steps = 3
	variants, err := compress.ParseAll(`full; ada(cap=20,snapkv(w=4,k=3)); ada(cap=20,alpha=1,snapkv(w=4)); ada(cap=20,form=factory,normalize=on,snapkv(w=4,gqa=query_head));
		ada(cap=20,form=ffy0,pyramid(form=ffy0,snapkv(w=4,k=3))); pyramid(cap=20,snapkv(w=4)); pyramid(cap=9,form=factory,beta=8,snapkv(w=8));
		critical(cap=20,snapkv(w=4)); critical(cap=20,ada(snapkv(w=4,k=3))); chunk(cap=20,chunk=7,snapkv(w=4)); think(w=4);
		simlayer(recent=12,threshold=0|1); tova(cap=20); knorm(cap=20); keydiff(cap=20); observed(cap=20);
		h2o(cap=20,w=4); cur(cap=20); cur(cap=20,block=0,leverage=kv_avg); recent(cap=20); streaming(cap=20); quest(cap=20,page=8,recent=4); random(cap=20,w=4); ada(cap=20,cur)`)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int32, 45)
	for i := range ids {
		ids[i] = int32(i*i*7+11*i+3) % 200
	}
	type seen struct {
		logits    [][]float32
		positions [][][][]int32
	}
	run := func(d engine.Device) (s seen) {
		m := modeltest.Load(t, d, "shape:tiny")
		defer m.Close()
		out, err := runners.Answer(context.Background(), local.New(m, func([]int32) string { return "" }),
			runners.Request{Prompt: ids, Variants: runners.VariantsOf(variants), MaxNew: 1, Positions: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range out[0] {
			if c.Err != nil {
				t.Fatal(c.Err)
			}
			s.positions = append(s.positions, c.Positions)
		}
		p, err := m.Prefill(context.Background(), models.Prompt{IDs: ids, Variants: variants, Room: steps})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Free()
		s.logits = decode(t, m, p.Sequences, steps)
		return s
	}
	card, _ := cuda.Emulated(t, emulator.H100, engine.Float32)
	got, want := run(card), run(ref.New())
	ragged := 0
	for i, v := range variants {
		if !reflect.DeepEqual(got.positions[i], want.positions[i]) {
			t.Errorf("%s keeps %v, want %v", v, got.positions[i], want.positions[i])
		}
		if heads := want.positions[i][0]; slices.ContainsFunc(heads, func(p []int32) bool { return len(p) != len(heads[0]) }) {
			ragged++
		}
	}
	if ragged < 3 {
		t.Errorf("%d variants' heads differ in length, want some more: the test says little", ragged)
	}
	for i, row := range want.logits {
		v, apart := variants[i%len(variants)], 0.0
		for j, x := range row {
			apart = max(apart, math.Abs(float64(x-got.logits[i][j])))
		}
		if !(apart <= 1e-4) {
			t.Errorf("%s, step %d: logits are %g apart", v, i/len(variants), apart)
		}
		if full := want.logits[i/len(variants)*len(variants)]; i%len(variants) > 0 && slices.Equal(row, full) {
			t.Errorf("%s, step %d: the full cache's logits", v, i/len(variants))
		}
	}
}
