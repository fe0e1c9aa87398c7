package modeltest

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/ref"
	"github.com/snapbench/snapbench/runners/sharedtest"
)

// TestLegacyConfigs: config.json in its older spelling means the same.
func TestLegacyConfigs(t *testing.T) {
	compared := 0
	for _, dir := range goldens(t) {
		legacy := filepath.Join(dir, "config_legacy.json")
		data, err := os.ReadFile(legacy)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		want, err := models.ReadConfig(dir)
		if err != nil {
			t.Fatal(err)
		}
		generation, err := os.ReadFile(filepath.Join(dir, "generation_config.json"))
		if err != nil {
			t.Fatal(err)
		}
		got, err := models.ParseConfig(legacy, data, generation)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v (%v), want %+v", legacy, got, err, want)
		}
		compared++
	}
	if compared == 0 {
		t.Skip("no checkpoint has an older spelling")
	}
	t.Logf("%d older spellings compared", compared)
}

// nestedFamilies are those whose configuration and tensors are another family's beside a vision model's, by the recorded
// checkpoint of that one: renamed, it is their own.
var nestedFamilies = map[string]string{"gemma3": "gemma3", "qwen3_5": "qwen3_5"}

func TestNestedGemma3(t *testing.T)  { nested(t, "gemma3") }
func TestNestedQwen3_5(t *testing.T) { nested(t, "qwen3_5") }

// nested: the language model of a file that has others beside it is the same model, by either way to name its tensors.
func nested(t *testing.T, family string) {
	dir := sharedtest.Path(t, "families", nestedFamilies[family])
	for _, prefix := range []string{"language_model.model.", "model.language_model."} {
		t.Run(prefix, func(t *testing.T) {
			to := t.TempDir()
			copied := func(name string, change func([]byte) []byte) {
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err == nil {
					err = os.WriteFile(filepath.Join(to, name), change(data), 0o644)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			same := func(data []byte) []byte { return data }
			copied("golden.json", same)
			copied("golden.safetensors", same)
			copied("generation_config.json", same)
			copied("config.json", func(data []byte) []byte {
				return []byte(`{"model_type": "` + family + `", "vision_config": {"hidden_size": 7}, "text_config": ` + string(data) + `}`)
			})
			copied("model.safetensors", func(data []byte) []byte {
				n := 8 + binary.LittleEndian.Uint64(data)
				var header map[string]json.RawMessage
				if err := json.Unmarshal(data[8:n], &header); err != nil {
					t.Fatal(err)
				}
				renamed := map[string]json.RawMessage{}
				for name, value := range header {
					if rest, ok := strings.CutPrefix(name, "model."); ok {
						name = prefix + rest
					}
					renamed[name] = value
				}
				text, err := json.Marshal(renamed)
				if err != nil {
					t.Fatal(err)
				}
				out := binary.LittleEndian.AppendUint64(nil, uint64(len(text)))
				return append(append(out, text...), data[n:]...)
			})
			checkGolden(t, ref.New(), to, 1e-4, 1e-6)
		})
	}
}
