package engine

import "fmt"

// Storage is how a weight's numbers are stored in a model file.
type Storage uint8

// The storages that can be read. The names of the blocks are GGUF's.
const (
	F32 Storage = iota
	F16
	BF16
	Q8_0
	Q4_0
	Q4_1
	Q5_0
	Q5_1
	Q4K
	Q5K
	Q6K
	// MXFP4 is a block of 32 numbers in 17 bytes: a scale e, then 16 bytes of codes of four bits, the low nibbles being the
	// first 16 numbers. A number is ±{0, ½, 1, 1½, 2, 3, 4, 6}[lower three bits] · 2^(e-127) (OCP Microscaling Formats 1.0,
	// sections 5.3.3 and 6). e = 255 is NaN.
	MXFP4
	// E4M3 is a row of codes, a byte each: a sign, four bits e, three bits m, ±2^(e-7)·(1+m/8), or ±2^-6·m/8 where e is 0; 7f
	// and ff are NaN (OCP 8-bit Floating Point 1.0, section 5.1). Behind the codes of a row are its scales, float32, one for each 128
	// numbers or fewer at the end: a number is its code's value times its scale, rounded to float32.
	E4M3
)

// ScaleColumns is how many numbers of a row of [E4M3] have one scale.
const ScaleColumns = 128

var storageNames = [...]string{"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K", "MXFP4", "F8_E4M3"}

func (s Storage) String() string {
	if int(s) < len(storageNames) {
		return storageNames[s]
	}
	return fmt.Sprintf("Storage(%d)", uint8(s))
}

// Stored is a matrix (rows, cols) in a model file. A row is one output feature; a vector is
// (1, n). Several goroutines may read it at once.
type Stored interface {
	Name() string
	Rows() int
	Cols() int
	Storage() Storage
	// RawRow returns row i as stored; it must not be written to.
	RawRow(i int) []byte
	// ReadRow writes the exact values of row i to dst, whose length is Cols.
	ReadRow(i int, dst []float32)
}

// Weight is a matrix (rows, cols) on a device, in the form that suits the device's products,
// with its bias if it has one.
type Weight interface {
	Rows() int
	Cols() int
	Bytes() int64 // on the device
}

// Experts are the weights of a sparse mixture of feed-forward layers
// (Mixtral, arXiv 2401.04088, section 2.1).
type Experts struct {
	Router   Weight   // (experts, width), with a bias or without
	GateUp   []Weight // per expert (2·ff, width): gate rows, then up rows
	Down     []Weight // per expert (width, ff)
	PerToken int      // experts each token uses: those with the highest router logits
	Shares   Shares

	Activation Activation
}

// Shares is what the results of a token's experts are multiplied by.
type Shares uint8

// The softmax of the router's logits among the chosen experts is that over all experts
// divided by the sum of the chosen ones' (norm_topk_prob of Qwen3-MoE).
const (
	SharesOfChosen Shares = iota // the softmax among the chosen experts: they add up to 1
	SharesOfAll                  // the softmax over all experts: they add up to less
)

// Random is a Stored whose numbers are computed from a seed, so that a device can make them
// itself instead of reading them: number i of the matrix (row-major) is
// RandomValue(Seed(), i, Scale()).
type Random interface {
	Stored
	Seed() uint64
	Scale() float32
}

// RandomValue is uniform in [-scale, scale): scale·(u·2⁻²³ - 1), u being the upper 24
// bits of output number seed+i of SplitMix64 seeded with 0 (Steele, Lea, Flood 2014).
func RandomValue(seed, i uint64, scale float32) float32 {
	const gamma = 0x9E3779B97F4A7C15
	z := (seed+i)*gamma + gamma
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	z ^= z >> 31
	return scale * (float32(uint32(z>>40))*0x1p-23 - 1)
}
