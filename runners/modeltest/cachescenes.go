package modeltest

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/snapbench/snapbench/compress"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/sharedtest"
	"github.com/snapbench/snapbench/runners/weights"
)

// recordedScene is what is recorded of decoding behind a quantised cache.
type recordedScene struct {
	Bytes  int64   `json:"bytes_all"`
	Noise  float64 // the largest change of a logit where keys and values get relative noise of 3e-7
	Effect float64 // the largest change against the cache as it is
}

// CacheFormats decodes behind caches in every recorded format: the full cache's, and those of
// recorded positions. Logits must be those of the originals' functions within 5 times the
// noise, and bytes of the caches equal. One case of a hundred may differ by a fifth of the
// format's effect: noise flips codes.
func CacheFormats(t *testing.T, d engine.Device) {
	var all struct {
		Families map[string]struct {
			Methods map[string]map[string]any
		}
	}
	sharedtest.JSON(t, sharedtest.Path(t, "quant", "quant.json"), &all)
	cases, beyond := 0, 0
	var skipped []string
	for family, recorded := range all.Families {
		t.Run(family, func(t *testing.T) {
			c := openGolden(t, d, sharedtest.Path(t, "goldens", family))
			q := openQuant(t, sharedtest.Path(t, "quant", filepath.Join(family, "decode.safetensors")))
			var methods []string
			for method := range recorded.Methods {
				methods = append(methods, method)
			}
			sort.Strings(methods)
			for _, method := range methods {
				f, err := cacheformat.Get(method)
				if err != nil {
					t.Fatal(err)
				}
				if err := engine.Quantizes(d, f, c.m.Heads.Size); err != nil {
					skipped = append(skipped, family+" "+method)
					continue
				}
				for scene, value := range recorded.Methods[method] {
					fields, ok := value.(map[string]any)
					if !ok {
						continue
					}
					want := recordedScene{Bytes: int64(fields["bytes_all"].(float64)), Noise: fields["noise"].(float64), Effect: fields["effect"].(float64)}
					cases++
					worst, err := c.cacheScene(q, f, scene, want)
					limit := max(1e-3, 5*want.Noise)
					if err == nil && worst > limit {
						beyond++
						t.Logf("%s, %s: a logit differs by %.2g, 5 times the noise are %.2g, the effect is %.2g", method, scene, worst, limit, want.Effect)
						if worst > want.Effect/5 {
							err = fmt.Errorf("a logit differs by %g, allowed are %g, the effect is %g", worst, limit, want.Effect)
						}
					}
					if err != nil {
						t.Errorf("%s, %s: %v", method, scene, err)
					}
				}
			}
		})
	}
	t.Logf("%d scenes decoded, %d beyond 5 times the noise; not on %s: %s", cases, beyond, d.Name(), strings.Join(skipped, ", "))
	if cases == 0 || beyond*100 > cases {
		t.Errorf("%d of %d scenes are beyond 5 times the noise: one of a hundred may be", beyond, cases)
	}
}

// recordKV puts the recorded keys and values of a layer in the place of the device's own, which
// differ by more than the noise that the tolerances are for: 1e-6 in the last layer.
func (c *checker) recordKV(layer int, kv engine.KV) {
	for name, to := range map[string]engine.Array{"k": kv.K, "v": kv.V} {
		all := c.floats(fmt.Sprintf("%s.%d", name, layer))
		per := len(all) / kv.Heads
		for h := range kv.Heads {
			n := kv.Tokens * kv.Size
			c.d.Put(to.Slice(h*n, (h+1)*n), all[h*per:h*per+n])
		}
	}
}

// cacheScene decodes a scene and returns the largest difference of a logit.
func (c *checker) cacheScene(q quantFile, f *cacheformat.Format, scene string, want recordedScene) (worst float64, err error) {
	p := models.Prompt{IDs: c.ids, Variants: []compress.Variant{compress.Full.In(f)}, Room: 12}
	switch {
	case scene == "cut190":
		p.IDs = p.IDs[:190]
	case scene != "full":
		p.Variants[0] = compress.Recorded(c.recorded(scene)).In(f)
	}
	p.TraceKV = c.recordKV
	done, err := c.m.Prefill(context.Background(), p)
	if err != nil {
		return 0, err
	}
	defer done.Free()
	var bytes int64
	for _, cache := range done.Sequences[0].Caches {
		bytes += cache.Held(c.d.Type())
	}
	if bytes != want.Bytes {
		return 0, fmt.Errorf("%d bytes, want %d", bytes, want.Bytes)
	}
	name := f.Name + "." + scene
	tokens, err := q.tensor(name + ".decode_tokens").Ints()
	if err != nil {
		return 0, err
	}
	logits := q.floats(name + ".decode_logits")
	decoder, err := c.m.NewDecoder(done.Sequences)
	if err != nil {
		return 0, err
	}
	defer decoder.Close()
	got := make([]float32, c.m.Vocab)
	for step, token := range tokens {
		if _, err := decoder.Step([]int32{token}); err != nil {
			return 0, err
		}
		decoder.Logits(0, got)
		for i, x := range got {
			diff := math.Abs(float64(x - logits[step*c.m.Vocab+i]))
			if !(diff <= math.MaxFloat64) {
				return 0, fmt.Errorf("step %d: logit %d is %v", step, i, x)
			}
			worst = max(worst, diff)
		}
	}
	return worst, decoder.Refused(0)
}

// quantFile is a file of recorded codes or logits.
type quantFile struct {
	t    *testing.T
	file *weights.File
}

func openQuant(t *testing.T, path string) quantFile {
	t.Helper()
	file, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return quantFile{t, file}
}

func (q quantFile) tensor(name string) *weights.Tensor {
	q.t.Helper()
	v, err := q.file.Tensor(name)
	if err != nil {
		q.t.Fatal(err)
	}
	return v
}

func (q quantFile) shape(name string) []int { return q.tensor(name).Shape() }

// raw returns a tensor's bytes, none where it is absent.
func (q quantFile) raw(name string) []byte {
	if !q.file.Has(name) {
		return nil
	}
	return q.tensor(name).Raw()
}

func (q quantFile) floats(name string) []float32 {
	q.t.Helper()
	f, err := q.tensor(name).Floats()
	if err != nil {
		q.t.Fatal(err)
	}
	return f
}
