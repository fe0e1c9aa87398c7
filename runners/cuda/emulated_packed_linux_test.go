package cuda

import (
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/enginetest"
)

// TestEmulatedPacked holds caches in formats to the reference: what the kernels encode, what they
// attend to beside rows of the device's own type, and what they refuse.
func TestEmulatedPacked(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	for _, c := range []struct {
		name         string
		major, minor int
		kind         engine.Type
		work         int
	}{{"float32", 9, 0, engine.Float32, 2_000_000}, {"bfloat16", 9, 0, engine.BFloat16, 20_000_000}, {"float16 on 8.0", 8, 0, engine.Float16, 20_000_000}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d, _ := Emulated(t, emulatedCard(c.major, c.minor), c.kind)
			enginetest.Run(t, d, enginetest.Options{Work: 400_000, Cases: []string{"packed caches"}, RowsDepend: true})
			enginetest.Run(t, d, enginetest.Options{Work: c.work, Cases: []string{"packed caches ways"}})
		})
	}
}
