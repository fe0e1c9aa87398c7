package models

import (
	"errors"
	"testing"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/ref"
)

// confined is a device with a fixed amount of free memory. It counts the loads.
type confined struct {
	engine.Device
	free  int64
	loads int
}

func (c *confined) Memory() engine.Memory { return engine.Memory{Free: c.free} }

func (c *confined) LoadWeight(parts, bias []engine.Stored) (engine.Weight, error) {
	c.loads++
	return c.Device.LoadWeight(parts, bias)
}

// halved keeps weights at half their size.
type halved struct{ *confined }

func (halved) WeightBytes(p engine.Stored) int64 { return 2 * int64(p.Rows()) * int64(p.Cols()) }

func TestWeightsThatDoNotFitAreNotRead(t *testing.T) {
	files, err := OpenShape("tiny")
	if err != nil {
		t.Fatal(err)
	}
	norms := int64(files.Config.Width * (2*files.Config.Layers + 1))
	need := 4 * files.Config.Parameters()
	for _, half := range []bool{false, true} {
		c := &confined{Device: ref.New()}
		d := engine.Device(c)
		if half {
			d, need = halved{c}, need/2+2*norms
		}
		c.free = need - 1
		var memory *engine.OutOfMemory
		if _, err := Load(d, files, nil); !errors.As(err, &memory) || memory.Need != need || memory.Free != c.free || c.loads > 0 {
			t.Errorf("half %v, one byte short of %d: %v after %d weights", half, need, err, c.loads)
		}
		for _, c.free = range []int64{need, 0} { // 0: no known limit
			m, err := Load(d, files, nil)
			if err != nil {
				t.Fatalf("half %v, %d bytes free of %d: %v", half, c.free, need, err)
			}
			m.Close()
		}
	}
}
