package cuda

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
)

// open opens the first card, or skips the test where there is none, which
// SNAPBENCH_DEVICES=cuda turns into a failure.
func open(t testing.TB, kind engine.Type) *Device {
	t.Helper()
	r := Probe()
	if len(r.Missing) > 0 {
		say := t.Skipf
		if strings.Contains(os.Getenv("SNAPBENCH_DEVICES"), "cuda") {
			say = t.Fatalf
		}
		say("no GPU to test on: %s", strings.Join(r.Missing, "; "))
	}
	d, err := Open(0, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if os.Getenv("SNAPBENCH_APART") != "" { // bench/sanitize.sh asks for what a memory checker can tell apart
		d.(*Device).card.TakeApart()
	}
	return d.(*Device)
}

// InTiles opens the first card and has the kernels for many rows take any number of them.
func InTiles(t testing.TB, kind engine.Type) *Device {
	d := open(t, kind)
	d.anyTiles = true
	return d
}

func TestConformance(t *testing.T) {
	t.Logf("\n%s", Probe())
	for _, kind := range []engine.Type{engine.Float32, engine.BFloat16, engine.Float16} {
		t.Run(kind.String(), func(t *testing.T) { conform(t, open(t, kind)) })
	}
	// The card at hand runs what a card of compute capability 8.0 would.
	t.Run("for 8.0", func(t *testing.T) {
		d := open(t, engine.BFloat16)
		d.card.Major, d.card.Minor = 8, 0
		conform(t, d)
	})
}

func conform(t *testing.T, d *Device) {
	t.Log(d.Describe())
	enginetest.Run(t, d, enginetest.Options{})
	conformInTiles(t, d, 0)
	if err := d.Sync(); err != nil {
		t.Error(err)
	}
}

// conformInTiles runs the cases of the kernels for many rows with few rows, on devices that
// have such kernels, and company in float32.
func conformInTiles(t *testing.T, d *Device, work int) {
	if d.kind == engine.Float32 || !d.hopperCard() {
		return
	}
	t.Run("in tiles", func(t *testing.T) {
		d.anyTiles = true
		defer func() { d.anyTiles = false }()
		enginetest.Run(t, d, enginetest.Options{Work: work, Cases: []string{"matmul gate", "matmul rotate", "mixture"}})
		t.Run("company", func(t *testing.T) { companyInTiles(t, d) })
	})
	t.Run("company in float32", func(t *testing.T) { companyInFloat32(t, d) })
}

// companyInTiles: a row's bits are the same whatever the number of other rows, as long as
// they are multiplied in tiles.
func companyInTiles(t *testing.T, d *Device) {
	const m, width, ff = 300, 200, 136
	w := must[engine.Weight](t)(d.LoadWeight([]engine.Stored{random{"w", 2 * ff, width, 1}}, nil))
	defer d.FreeWeight(w)
	room := must[engine.Array](t)(d.New(d.kind, m*2*ff))
	defer d.Free(room)
	alone(t, d, m, width, ff, d.kind, [][2]int{{0, 65}, {64, 300}, {99, 228}}, func(dst, x engine.Array) {
		d.MatMulGate(dst, room.Slice(0, 2*dst.Len), x, w, engine.Activation{})
	})
}

// companyInFloat32: the same of products of a step's rows that are kept in float32, by
// weights of few rows and of many, in small tiles and in large ones.
func companyInFloat32(t *testing.T, d *Device) {
	for _, rows := range []int{40, 150, 300} {
		const width = 200
		w := must[engine.Weight](t)(d.LoadWeight([]engine.Stored{random{"w", rows, width, 1}}, nil))
		defer d.FreeWeight(w)
		step := func(dst, x engine.Array) { engine.Step(d, func() { d.MatMul(dst, x, w) }) }
		d.anyParts = wideTiles{rows: 64 + rows/150%2*64, parts: 1}
		alone(t, d, wideGroup, width, rows, engine.Float32, [][2]int{{3, 4}, {1, 9}, {0, 9}, {20, 50}, {16, 64}, {0, 49}, {7, 97}}, step)
		d.anyParts = wideTiles{}
		alone(t, d, wideRows, width, rows, engine.Float32, [][2]int{{128, 129}, {0, 64}, {99, 227}}, step)
	}
}

// alone computes m rows of out numbers of a type from rows of in numbers, then some of them
// without the others.
func alone(t *testing.T, d *Device, m, in, out int, kind engine.Type, parts [][2]int, op func(dst, x engine.Array)) {
	t.Helper()
	x, dst := must[engine.Array](t)(d.New(d.kind, m*in)), must[engine.Array](t)(d.New(kind, m*out))
	defer d.Free(x, dst)
	v := make([]float32, m*in)
	for i := range v {
		v[i] = float32(i*7919%1000)/500 - 1
	}
	d.Put(x, v)
	rows := func(lo, hi int) []float32 {
		to := make([]float32, (hi-lo)*out)
		op(dst.Slice(lo*out, hi*out), x.Slice(lo*in, hi*in))
		d.Get(to, dst.Slice(lo*out, hi*out))
		return to
	}
	whole := rows(0, m)
	for _, part := range parts {
		if !slices.Equal(rows(part[0], part[1]), whole[part[0]*out:part[1]*out]) {
			t.Errorf("%d numbers a row: rows %d to %d of %d have other bits alone", out, part[0], part[1], m)
		}
	}
	if slices.Max(whole) == slices.Min(whole) {
		t.Error("the products are all alike")
	}
}

func TestRandomWeight(t *testing.T) {
	for _, kind := range []engine.Type{engine.Float32, engine.BFloat16, engine.Float16} {
		randomWeight(t, open(t, kind))
	}
}

// randomWeight holds the numbers that a card makes to those of the host.
func randomWeight(t *testing.T, d *Device) {
	kind := d.kind
	w, err := d.LoadWeight([]engine.Stored{random{"a", 3, 40, 7}, random{"b", 5, 40, 8}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.FreeWeight(w)
	ids, _ := d.New(engine.Int32, 8)
	d.PutInts(ids, []int32{0, 1, 2, 3, 4, 5, 6, 7})
	rows, _ := d.New(kind, 8*40)
	defer d.Free(ids, rows)
	d.Embed(rows, w, ids, 1)
	got := make([]float32, 8*40)
	d.Get(got, rows)
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	want := make([]float32, 0, 8*40)
	for i := range uint64(3 * 40) {
		want = append(want, engine.RandomValue(7, i, 0.02))
	}
	for i := range uint64(5 * 40) {
		want = append(want, engine.RandomValue(8, i, 0.02))
	}
	b := make([]byte, len(want)*kind.Size())
	encode(b, want, kind)
	decode(want, b, kind)
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v: number %d is %v on the card, %v on the host", kind, i, got[i], want[i])
		}
	}
}

// random is a weight that LoadWeight makes on the card.
type random struct {
	name       string
	rows, cols int
	seed       uint64
}

func (r random) Name() string            { return r.name }
func (r random) Rows() int               { return r.rows }
func (r random) Cols() int               { return r.cols }
func (r random) Storage() engine.Storage { return engine.F32 }
func (r random) RawRow(int) []byte       { panic("a random weight has no bytes") }
func (r random) Seed() uint64            { return r.seed }
func (r random) Scale() float32          { return 0.02 }
func (r random) ReadRow(i int, dst []float32) {
	for j := range dst {
		dst[j] = engine.RandomValue(r.seed, uint64(i*r.cols+j), r.Scale())
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(0, engine.Int32); err == nil || !strings.Contains(err.Error(), "int32") {
		t.Errorf("a device of int32: %v", err)
	}
	if r := Probe(); len(r.Missing) == 0 {
		if _, err := Open(1000, engine.Float32); err == nil || !strings.Contains(err.Error(), "1000") {
			t.Errorf("device 1000: %v", err)
		}
	} else if _, err := Open(0, engine.Float32); err == nil {
		t.Errorf("opened a device where this is missing: %v", r.Missing)
	}
}

func TestMemoryIsReturned(t *testing.T) { memoryIsReturned(t, open(t, engine.BFloat16)) }

func memoryIsReturned(t *testing.T, d *Device) {
	before := d.Memory()
	a, err := d.New(engine.Float32, 100<<20)
	if err != nil {
		t.Fatal(err)
	}
	d.Free(a)
	if m := d.Memory(); m.InUse != before.InUse || m.Free < before.Free {
		t.Errorf("after New and Free: %+v, before %+v", m, before)
	}
	_, err = d.New(engine.Float32, int(before.Total))
	oom, ok := err.(*engine.OutOfMemory)
	if !ok || oom.Need != 4*before.Total || oom.Free <= 0 || oom.Free > before.Total {
		t.Errorf("asking for four times the card's memory: %v", err)
	}
	if err := d.Sync(); err != nil {
		t.Errorf("running out of memory left an error behind: %v", err)
	}
}

// TestTwoDevices is two devices on one card, which share its primary context.
func TestTwoDevices(t *testing.T) {
	twoDevices(t, open(t, engine.Float32), open(t, engine.BFloat16))
}

func twoDevices(t *testing.T, a, b *Device) {
	done := make(chan error)
	for _, d := range []*Device{a, b} {
		go func() {
			for range 50 {
				x, err := d.New(d.kind, 1000)
				if err != nil {
					done <- err
					return
				}
				v := make([]float32, 1000)
				d.Put(x, v)
				d.Get(v, x)
				d.Free(x)
			}
			done <- d.Sync()
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
