package models

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/snapbench/snapbench/inputs/lookup"
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/weights"
)

// packedRandom is a matrix of random codes in MXFP4, E4M3, Q8_0 or Q4_K, whose numbers have about the
// variance of random's: a third of the square of its scale.
type packedRandom struct {
	random
	storage engine.Storage
}

// packed stores a random matrix in the way that the shape asks for: "fp8" has all projections
// of attention and feed-forward in E4M3, as Qwen's FP8 checkpoints, "mxfp4" the experts
// in MXFP4, as gpt-oss, "q8_0" and "q4_k" projections, embedding and output in these, as GGUF files.
func (s randomSource) packed(r random, role Role, expert int) engine.Stored {
	blocks, ok := blockStorages[s.storage]
	switch role {
	case Query, Key, Value, AttentionOutput, Gate, Up, Down:
	case Embedding, Output:
		if !ok {
			return r
		}
	default:
		return r
	}
	if ok {
		return packedRandom{r, blocks}
	}
	switch {
	case s.storage == "fp8":
		return packedRandom{r, engine.E4M3}
	case s.storage == "mxfp4" && expert >= 0 && r.cols%32 == 0:
		return packedRandom{r, engine.MXFP4}
	}
	return r
}

// blockStorages are the storages of shapes that are GGUF's.
var blockStorages = map[string]engine.Storage{"q8_0": engine.Q8_0, "q4_k": engine.Q4K}

func (p packedRandom) Storage() engine.Storage { return p.storage }

// The root of the mean square of the values of all codes, NaN left out.
var (
	mxfp4Size = math.Sqrt((0.25 + 1 + 2.25 + 4 + 9 + 16 + 36) / 8)
	e4m3Size  = func() float64 {
		var codes [127]byte
		for i := range codes {
			codes[i] = byte(i)
		}
		values, sum := make([]float32, len(codes)), 0.0
		weights.DecodeRow(engine.E4M3, append(codes[:], 0, 0, 0x80, 0x3f), values)
		for _, v := range values {
			sum += float64(v) * float64(v)
		}
		return math.Sqrt(sum / float64(len(codes)))
	}()
)

func (p packedRandom) RawRow(i int) []byte {
	scale := float64(p.scale) / math.Sqrt(3)
	at := p.seed + uint64(i)*uint64(p.cols)
	codes := make([]byte, p.cols+8, p.cols+8+p.cols/engine.ScaleColumns*4)
	for j := 0; j < p.cols; j += 8 {
		v := mixed(at + uint64(j))
		if p.storage == engine.E4M3 { // 127 is a NaN: one less
			v -= (v&0x7f7f7f7f7f7f7f7f + 0x0101010101010101) & 0x8080808080808080 >> 7
		}
		binary.LittleEndian.PutUint64(codes[j:], v)
	}
	if p.storage == engine.Q8_0 || p.storage == engine.Q4K {
		return p.blocks(codes, scale)
	}
	if p.storage == engine.MXFP4 {
		raw := make([]byte, 0, p.cols/32*17)
		e := byte(127 + math.Round(math.Log2(scale/mxfp4Size)))
		for j := 0; j < p.cols; j += 32 {
			raw = append(append(raw, e), codes[j:j+16]...)
		}
		return raw
	}
	raw := codes[:p.cols]
	for j := 0; j < p.cols; j += engine.ScaleColumns {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(scale/e4m3Size)))
	}
	return raw
}

// blocks makes a row of Q8_0 or Q4_K of random bytes under a power of two. Codes of eight bits have a variance of (2^16-1)/12,
// those of four of (2^8-1)/12, about 7½: all groups have the scale 32 and the least value 60, of which the block has four
// times as much as of scales, so that 7½ codes are taken off.
func (p packedRandom) blocks(codes []byte, scale float64) (raw []byte) {
	power := func(v float64) uint16 { // as a half
		e := int(math.Round(math.Log2(v)))
		if e < -14 {
			return 1 << max(0, e+24)
		}
		return uint16(e+15) << 10
	}
	if p.storage == engine.Q8_0 {
		d := power(scale / math.Sqrt(65535.0/12))
		raw = make([]byte, 0, p.cols/32*34)
		for j := 0; j < p.cols; j += 32 {
			raw = append(binary.LittleEndian.AppendUint16(raw, d), codes[j:j+32]...)
		}
		return raw
	}
	d := scale / math.Sqrt(255.0/12) / 32
	front := binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(nil, power(d)), power(4*d))
	front = append(front, 0xa0, 0xa0, 0xa0, 0xa0, 0xfc, 0xfc, 0xfc, 0xfc, 0xc0, 0xc0, 0xc0, 0xc0) // 32 is 2·16, 60 is 3·16 + 12
	raw = make([]byte, 0, p.cols/256*144)
	for j := 0; j < p.cols; j += 256 {
		raw = append(append(raw, front...), codes[j:j+128]...)
	}
	return raw
}

func (p packedRandom) ReadRow(i int, dst []float32) {
	weights.DecodeRow(p.storage, p.RawRow(i), dst)
}

// mixed is output number i of SplitMix64, as in engine.RandomValue.
func mixed(i uint64) uint64 {
	const gamma = 0x9E3779B97F4A7C15
	z := i*gamma + gamma
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// storedBytes is what the weights of a shape would take in files: bfloat16, but what packed stores
// otherwise.
func storedBytes(c Config, storage string) int64 {
	total := 2 * c.Parameters()
	experts := 3 * int64(c.Width) * int64(c.ExpertFF) * int64(c.Experts) * int64(c.SparseLayers(c.Layers))
	attention := int64(c.Width) * int64(2*c.QueryWidth()+2*c.KVWidth()) * int64(c.Layers)
	dense := 3 * int64(c.Width) * int64(c.FF) * int64(c.Layers-c.SparseLayers(c.Layers))
	switch storage {
	case "fp8":
		total -= attention + dense + experts
	case "mxfp4":
		total -= 2*experts - experts*17/32
	case "q8_0", "q4_k":
		tables := 2 * int64(c.Vocab) * int64(c.Width)
		if c.Tied {
			tables /= 2
		}
		numbers, bytes := weights.BlockSize(blockStorages[storage])
		packed := attention + dense + experts + tables
		total -= 2*packed - packed*int64(bytes)/int64(numbers)
	}
	return total
}

// shapeStorage checks a storage that a shape is asked for.
func shapeStorage(c Config, storage string) error {
	switch storage {
	case "bf16":
		return nil
	case "mxfp4":
		if c.Experts > 0 {
			return nil
		}
		return fmt.Errorf("storage mxfp4 is for experts, of which it has none: have bf16, fp8, q8_0, q4_k")
	case "fp8", "q8_0", "q4_k":
		if c.Linear.Count() > 0 {
			return fmt.Errorf("storage %s is not there for a shape with linear attention: have bf16", storage)
		}
		if storage == "fp8" {
			return nil
		}
		numbers, _ := weights.BlockSize(blockStorages[storage])
		widths := []int{c.Width, c.QueryWidth()}
		if c.Experts > 0 {
			widths = append(widths, c.ExpertFF)
		}
		if c.SparseLayers(c.Layers) < c.Layers {
			widths = append(widths, c.FF)
		}
		for _, w := range widths {
			if w%numbers != 0 {
				return fmt.Errorf("storage %s has blocks of %d numbers, which rows of %d are not made of", storage, numbers, w)
			}
		}
		return nil
	}
	return lookup.Unknown("storage", storage, "bf16", "fp8", "mxfp4", "q8_0", "q4_k")
}
