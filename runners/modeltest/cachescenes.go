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

// recordedScene is what is recorded of decoding behind a cache in a format.
type recordedScene struct {
	format *cacheformat.Format
	bytes  int64
	noise  float64 // the largest change of a logit where keys and values get relative noise of 3e-7
	effect float64 // the largest change against the cache as it is
}

// CacheFormats decodes behind caches in every recorded format that the device has: the full cache's, and those of
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
			scenes := map[string][]recordedScene{}
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
					if fields, ok := value.(map[string]any); ok {
						scenes[scene] = append(scenes[scene], recordedScene{
							format: f, bytes: int64(fields["bytes_all"].(float64)), noise: fields["noise"].(float64), effect: fields["effect"].(float64),
						})
					}
				}
			}
			for scene, list := range scenes {
				worst := c.cacheScene(q, scene, list)
				for i, want := range list {
					cases++
					if limit := max(1e-3, 5*want.noise); worst[i] > limit {
						beyond++
						t.Logf("%s, %s: a logit differs by %.2g, 5 times the noise are %.2g, the effect is %.2g", want.format.Name, scene, worst[i], limit, want.effect)
						if worst[i] > want.effect/5 {
							t.Errorf("%s, %s: that is more than a fifth of the effect", want.format.Name, scene)
						}
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

// cacheScene decodes a scene in several formats at once and returns the largest difference of a
// logit in each.
func (c *checker) cacheScene(q quantFile, scene string, list []recordedScene) []float64 {
	p := models.Prompt{IDs: c.ids, Room: 12, Trace: models.Trace{KV: c.recordKV}}
	v := compress.Full
	switch {
	case scene == "cut190":
		p.IDs = p.IDs[:190]
	case scene != "full":
		v = compress.Recorded(c.recorded(scene))
	}
	var tokens [][]int32
	var logits [][]float32
	for _, s := range list {
		p.Variants = append(p.Variants, v.In(s.format))
		name := s.format.Name + "." + scene
		fed, err := q.tensor(name + ".decode_tokens").Ints()
		if err != nil {
			c.t.Fatal(err)
		}
		tokens, logits = append(tokens, fed), append(logits, q.floats(name+".decode_logits"))
	}
	done, err := c.m.Prefill(context.Background(), p)
	if err != nil {
		c.t.Fatal(err)
	}
	defer done.Free()
	for i, s := range list {
		var bytes int64
		for _, cache := range done.Sequences[i].Caches {
			bytes += cache.Held(c.d.Type())
		}
		if bytes != s.bytes {
			c.t.Errorf("%s, %s: %d bytes, want %d", s.format.Name, scene, bytes, s.bytes)
		}
	}
	decoder, err := c.m.NewDecoder(done.Sequences)
	if err != nil {
		c.t.Fatal(err)
	}
	defer decoder.Close()
	worst, got := make([]float64, len(list)), make([]float32, c.m.Vocab)
	for step := range tokens[0] {
		var feed []int32
		for _, fed := range tokens {
			feed = append(feed, fed[step])
		}
		if _, err := decoder.Step(feed); err != nil {
			c.t.Fatal(err)
		}
		for row, s := range list {
			if err := decoder.Refused(row); err != nil {
				c.t.Fatalf("%s, %s: %v", s.format.Name, scene, err)
			}
			decoder.Logits(row, got)
			for i, x := range got {
				diff := math.Abs(float64(x - logits[row][step*c.m.Vocab+i]))
				if !(diff <= math.MaxFloat64) {
					c.t.Fatalf("%s, %s, step %d: logit %d is %v", s.format.Name, scene, step, i, x)
				}
				worst[row] = max(worst[row], diff)
			}
		}
	}
	return worst
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
