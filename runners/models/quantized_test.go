package models

import (
	"strings"
	"testing"
)

// TestQuantizationConfig: what is read, and what is refused by its name.
func TestQuantizationConfig(t *testing.T) {
	group := func(fields string) string {
		return `{"quant_method": "compressed-tensors", "format": "float-quantized", "config_groups": {"group_0": {"weights": {` + fields + `}}}}`
	}
	for _, c := range []struct{ config, want string }{
		{`null`, ""},
		{`{"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}`, ""},
		{`{"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}`, ""},
		{`{"quant_method": "fp8", "activation_scheme": "static"}`, ""},
		{`{"quant_method": "fp8", "weight_block_size": null}`, ""},
		{group(`"num_bits": 8, "type": "float", "strategy": "channel"`), ""},
		{group(`"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [128, 128]`), ""},
		{`{"quant_method": "fp8", "fmt": "e5m2"}`, `"e5m2": have e4m3`},
		{`{"quant_method": "fp8", "weight_block_size": [64, 64]}`, `[64 64]: have blocks of 128 × 128`},
		{`{"quant_method": "awq", "bits": 4}`, `quant_method "awq" is not supported`},
		{`{"quant_method": "gptq"}`, `"gptq"`},
		{`{"quant_method": "bitsandbytes", "load_in_4bit": true}`, `"bitsandbytes"`},
		{`{"quant_method": "compressed-tensors", "format": "pack-quantized"}`, `format "pack-quantized": have float-quantized`},
		{group(`"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": true`), ""},
		{group(`"num_bits": 8, "type": "float", "strategy": "channel", "symmetric": false`), "group_0 has weights with symmetric false"},
		{`{"quant_method": "compressed-tensors", "format": "float-quantized", "transform_config": null}`, ""},
		{`{"quant_method": "compressed-tensors", "format": "float-quantized", "transform_config": {"config_groups": {"R1": {"type": "hadamard"}}}}`,
			"transform_config (config_groups) is not supported"},
		{group(`"num_bits": 8, "type": "int", "strategy": "channel"`), `type "int"`},
		{group(`"num_bits": 8, "type": "float", "strategy": "group"`), `strategy "group"`},
		{group(`"num_bits": 8, "type": "float", "strategy": "block", "block_structure": [1, 128]`), `block_structure [1 128]`},
	} {
		_, err := ParseConfig("config.json", []byte(llama31+`"quantization_config": `+c.config+"}"), nil)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", c.config, err, c.want)
		}
	}
}
