package cuda

import "github.com/snapbench/snapbench/runners/engine"

// random has the card make numbers from a seed.
func (d *Device) random(to uint64, total int, r engine.Random, t engine.Type) {
	d.card.Args(to).Long(total).Long(int(r.Seed())).Float(r.Scale())
	d.card.Launch(d.card.Kernel("random", "random_"+suffixOf(t)), min(blocks(total, 1024), 8*d.card.Multiprocessors), 1, 1024, 0)
	// Products may read weights before the kernels before them have finished.
	d.card.Wait()
}
