package modeltest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

// hubTensor is a tensor of a safetensors file.
type hubTensor struct {
	dtype string
	shape []int
	data  []byte
}

// writeHub writes a directory of a checkpoint: config.json with what is changed in it, and tensors.
func writeHub(t *testing.T, config []byte, change map[string]any, tensors map[string]hubTensor) string {
	t.Helper()
	dir := t.TempDir()
	var fields map[string]any
	if err := json.Unmarshal(config, &fields); err != nil {
		t.Fatal(err)
	}
	maps.Copy(fields, change)
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	header, data := map[string]any{}, []byte(nil)
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		x := tensors[name]
		header[name] = map[string]any{"dtype": x.dtype, "shape": x.shape, "data_offsets": []int{len(data), len(data) + len(x.data)}}
		data = append(data, x.data...)
	}
	head, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	all := append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(head))), head...), data...)
	for name, content := range map[string][]byte{"config.json": text, "model.safetensors": all} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// e4m3 is the value of a code of FP8: sign, four bits of exponent, three of fraction.
func e4m3(code int) float64 {
	v := float64(code & 7)
	if e := code >> 3 & 15; e == 0 {
		v = math.Ldexp(v, -9)
	} else {
		v = math.Ldexp(8+v, e-10)
	}
	if code > 127 {
		return -v
	}
	return v
}

// TestFP8: a checkpoint whose projections are stored in FP8 is the model with the numbers
// that codes and scales stand for.
func TestFP8(t *testing.T) {
	dir := sharedtest.Path(t, "families", "qwen3_moe")
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	group := func(strategy string) map[string]any {
		w := map[string]any{"num_bits": 8, "type": "float", "strategy": strategy, "symmetric": true}
		return map[string]any{"quantization_config": map[string]any{"quant_method": "compressed-tensors", "format": "float-quantized",
			"config_groups": map[string]any{"group_0": map[string]any{"weights": w, "targets": []string{"Linear"}}}, "ignore": []string{"lm_head"}}}
	}
	for _, c := range []struct {
		name, scales string
		change       map[string]any
		high, wide   int // rows and columns of a scale, 0: all
	}{
		{"blocks", ".weight_scale_inv", map[string]any{"quantization_config": map[string]any{"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": []int{128, 128}}}, 128, 128},
		{"tensor", ".weight_scale", group("tensor"), 0, 0},
		{"channel", ".weight_scale", group("channel"), 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			projection := regexp.MustCompile(`^(.*_proj)\.weight$`)
			packed, plain := map[string]hubTensor{}, map[string]hubTensor{}
			for _, name := range f.Names() {
				x, err := f.Tensor(name)
				if err != nil {
					t.Fatal(err)
				}
				m := projection.FindStringSubmatch(name)
				if m == nil {
					packed[name] = hubTensor{"F32", x.Shape(), x.Raw()}
					plain[name] = packed[name]
					continue
				}
				values, err := x.Floats()
				if err != nil {
					t.Fatal(err)
				}
				rows, cols := x.Rows(), x.Cols()
				high, wide := c.high, c.wide
				if high == 0 {
					high = rows
				}
				if wide == 0 {
					wide = cols
				}
				down, across := (rows+high-1)/high, (cols+wide-1)/wide
				shape := []int{down, across}
				if c.name == "tensor" {
					shape = []int{1}
				}
				scales, codes, own := hubTensor{"F32", shape, nil}, hubTensor{"F8_E4M3", x.Shape(), nil}, make([]float32, len(values))
				for i := range down * across {
					scales.data = binary.LittleEndian.AppendUint32(scales.data, math.Float32bits(0.0003*float32(i+1)))
				}
				for i, v := range values {
					scale := 0.0003 * float32(i/cols/high*across+i%cols/wide+1)
					code := 0
					for other := range 255 {
						if other&127 != 127 && math.Abs(e4m3(other)*float64(scale)-float64(v)) < math.Abs(e4m3(code)*float64(scale)-float64(v)) {
							code = other
						}
					}
					codes.data = append(codes.data, byte(code))
					own[i] = float32(e4m3(code)) * scale
				}
				packed[name], packed[m[1]+c.scales] = codes, scales
				plain[name] = hubTensor{"F32", x.Shape(), floatTensor(nil, own).data}
			}
			a, b := writeHub(t, config, c.change, packed), writeHub(t, config, nil, plain)
			sameModels(t, a, b)
			if m := Load(t, CPU(t), a); true {
				defer m.Close()
				whole := Load(t, CPU(t), b)
				defer whole.Close()
				if p, w := m.Device().Memory().Weights, whole.Device().Memory().Weights; 2*p > w {
					t.Errorf("packed weights take %d bytes, as float32 %d", p, w)
				}
			}
			delete(packed, "model.layers.0.self_attn.q_proj"+c.scales)
			if err := loadError(t, writeHub(t, config, c.change, packed)); err == nil || !regexp.MustCompile("q_proj.*without scales").MatchString(fmt.Sprint(err)) {
				t.Errorf("without the scales of a tensor: %v", err)
			}
		})
	}
}
