package models

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/weights"
)

// RawQuantized is quantization_config of config.json: how weights are stored. Activations are
// never quantised here, whatever it says of them.
type RawQuantized struct {
	Method    string              `json:"quant_method"`
	Format    string              `json:"fmt"`               // of fp8
	BlockSize []int               `json:"weight_block_size"` // of fp8
	Packing   string              `json:"format"`            // of compressed-tensors
	Groups    map[string]rawGroup `json:"config_groups"`     // of compressed-tensors
	Transform map[string]any      `json:"transform_config"`  // of compressed-tensors: rotations between the products
}

type rawGroup struct {
	Weights struct {
		Bits           int    `json:"num_bits"`
		Type           string `json:"type"`
		Strategy       string `json:"strategy"`
		Symmetric      *bool  `json:"symmetric"`
		BlockStructure []int  `json:"block_structure"`
	} `json:"weights"`
}

// stored is [Config].Stored.
func (q *RawQuantized) stored() string {
	switch {
	case q == nil:
		return ""
	case q.Method == "mxfp4":
		return "mxfp4"
	}
	return "fp8"
}

// check refuses what is not read, by its name.
func (q *RawQuantized) check() error {
	if q == nil {
		return nil
	}
	block := func(key string, size []int) error {
		if size != nil && !slices.Equal(size, []int{engine.ScaleColumns, engine.ScaleColumns}) {
			return fmt.Errorf("quantization_config: %s %v: have blocks of %d × %d", key, size, engine.ScaleColumns, engine.ScaleColumns)
		}
		return nil
	}
	switch q.Method {
	case "mxfp4":
		return nil
	case "fp8":
		if q.Format != "" && q.Format != "e4m3" {
			return fmt.Errorf("quantization_config: fp8 of the format %q: have e4m3", q.Format)
		}
		return block("weight_block_size", q.BlockSize)
	case "compressed-tensors":
		if q.Packing != "float-quantized" {
			return fmt.Errorf("quantization_config: compressed-tensors of the format %q: have float-quantized", q.Packing)
		}
		if len(q.Transform) > 0 {
			return fmt.Errorf("quantization_config: transform_config (%s) is not supported", strings.Join(slices.Sorted(maps.Keys(q.Transform)), ", "))
		}
		for _, name := range slices.Sorted(maps.Keys(q.Groups)) {
			w := q.Groups[name].Weights
			if w.Symmetric != nil && !*w.Symmetric {
				return fmt.Errorf("quantization_config: %s has weights with symmetric false, whose zero points are not read", name)
			}
			if w.Bits != 8 || w.Type != "float" || !slices.Contains([]string{"tensor", "channel", "block"}, w.Strategy) {
				return fmt.Errorf("quantization_config: %s has weights of %d bits, type %q, strategy %q: have 8 bits, float, by tensor, channel or block", name, w.Bits, w.Type, w.Strategy)
			}
			if err := block(name+": block_structure", w.BlockStructure); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("quantization_config: quant_method %q is not supported: have compressed-tensors, fp8, mxfp4", q.Method)
}

// scaled is a weight in FP8 with its scales: NAME.weight_scale_inv or NAME.weight_scale, both
// of which multiply.
func scaled(f *weights.File, name string, rows, cols int) (engine.Stored, error) {
	stem := strings.TrimSuffix(name, ".weight")
	for _, end := range []string{".weight_scale_inv", ".weight_scale"} {
		if f.Has(stem + end) {
			return f.Scaled(name, stem+end, rows, cols)
		}
	}
	return nil, fmt.Errorf("%s: tensor %q is F8_E4M3 without scales: neither %s.weight_scale_inv nor %s.weight_scale is there", f.Path(), name, stem, stem)
}
