package engine

import "fmt"

// Memory is a device's account of its memory, in bytes.
type Memory struct {
	Total   int64 // the device's memory; 0 where it is not limited or not known
	Free    int64 // what New can still have: free in the system, or kept by the device unused; 0 as above
	Taken   int64 // what all programs on the device have taken, as the driver reports it; 0 as above
	Weights int64 // held by weights
	InUse   int64 // held by arrays, caches and weights
	Peak    int64 // highest InUse since the last ResetPeak
}

// OutOfMemory is returned when an allocation does not fit.
type OutOfMemory struct {
	Device     string
	Need, Free int64
}

func (e *OutOfMemory) Error() string {
	return fmt.Sprintf("%s: out of memory: needs %s, %s free", e.Device, Bytes(e.Need), Bytes(e.Free))
}

// Bytes writes an amount of memory: "41.20 GiB", "900.0 MiB".
func Bytes(n int64) string {
	switch v := float64(n); {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", v/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", v/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KiB", v/(1<<10))
	}
	return fmt.Sprintf("%d bytes", n)
}

// Trimmer is a device that keeps freed memory for later. Trim gives it back, so that other
// programs can have it.
type Trimmer interface{ Trim() }

// OnHost says whether a device of that name computes on the processor, in the
// host's memory.
func OnHost(name string) bool { return name == "cpu" || name == "ref" }

// Device runs the operations. It is used by one goroutine at a time.
type Device interface {
	// Name is "ref", "cpu" or "cuda:0".
	Name() string
	// Type is the element type of activations, keys and values.
	Type() Type
	// Describe says what computes, for the record of a run: "AMD EPYC, avx2, 2 threads".
	Describe() string
	Close() error

	// New returns an array whose contents are undefined, or *OutOfMemory.
	New(t Type, n int) (Array, error)
	Free(a ...Array)
	Memory() Memory
	ResetPeak()
	// Sync waits for everything and returns the first error since the last
	// Sync, naming the operation that failed.
	Sync() error

	// Put and Get copy between host and device, converting Float32 to and from
	// the array's type; lengths must be equal. Get waits for what came before.
	Put(dst Array, src []float32)
	PutInts(dst Array, src []int32)
	Get(dst []float32, src Array)
	GetInts(dst []int32, src Array)
	// Copy: dst = src on the device, same type and length.
	Copy(dst, src Array)

	// LoadWeight stacks the rows of parts into one weight; bias, where given, has
	// a vector (nil for none) per part, added to each product's row.
	LoadWeight(parts []Stored, bias []Stored) (Weight, error)
	// LoadVector returns a Float32 array (norm weights).
	LoadVector(v Stored) (Array, error)
	FreeWeight(w Weight)

	// NewRotary prepares the rotation for positions below n.
	NewRotary(r Rotation, n int) (Rotary, error)
	FreeRotary(r Rotary)

	// Embed: dst[i] = scale · table[ids[i]]. dst (m, width), ids Int32 (m).
	Embed(dst Array, table Weight, ids Array, scale float32)
	// RMSNorm: dst[i] = x[i] / sqrt(mean(x[i]²) + eps) · weight. (m, width), weight (width).
	RMSNorm(dst, x, weight Array, eps float32)
	// RMSNormAdd: dst[i] += x[i] / sqrt(mean(x[i]²) + eps) · weight, the sum rounded once. As RMSNorm.
	RMSNormAdd(dst, x, weight Array, eps float32)
	// MatMul: dst = x · wᵀ + bias. x (m, cols), dst (m, rows) of the device's
	// type or Float32.
	MatMul(dst, x Array, w Weight)
	// MatMulAdd: dst += x · wᵀ + bias, the sum rounded once.
	MatMulAdd(dst, x Array, w Weight)
	// Gate: dst[i][j] = a(gateUp[i][j], gateUp[i][ff+j]). dst (m, ff), gateUp (m, 2·ff).
	Gate(dst, gateUp Array, ff int, a Activation)
	// MixtureAdd: dst[i] += Σ_e p[i][e] · down_e(a(gate_e x[i], up_e x[i])), a being e.Activation, over the
	// PerToken experts with the highest router logits (ties: lowest index), p their shares
	// by the router's softmax: see Shares. (m, width).
	MixtureAdd(dst, x Array, e Experts)

	// Rotate takes a block's fused projections apart: qkv (m, (heads+2·kvHeads)·d),
	// a row being its queries, keys, values; normalises q and k where norm asks;
	// turns them by the positions start…start+m; writes q (m, heads, d) and the
	// rows start…start+m of kv.
	Rotate(q Array, kv KV, qkv Array, start int, h Heads, r Rotary, norm QKNorm)
	// Attention: causal attention of the queries at positions start…start+m over the rows
	// 0…start+m of kv: out[i][h] = Σ_j P[i][j]·v[j], P[i] being what [Attention] says of query i
	// and head h, here and below. out and q (m, heads, d). No m × n matrix is held.
	Attention(out, q Array, kv KV, start int, by Attention)

	// WindowScores: dst[x][h][j] = Σ_i P[i][j] over the last w[x] queries i, for j < n-w[x], in
	// float32 (SnapKV, arXiv 2404.14469, section 4). q (rows, heads, d) are the queries of the
	// last rows positions; dst[x] Float32 (heads, n-w[x]), w[x] ≤ rows.
	WindowScores(dst []Array, w []int, q Array, kv KV, by Attention)
	// ColumnSums: dst[h][j] += Σ_i P[i][j] over the queries i at positions start…start+m, for
	// j < start+m, in float32: how much attention a key has got (H2O, arXiv 2306.14048). No
	// earlier query sees the block's own positions, so those columns, start ≤ j < start+m, are not added to but set: a prompt's blocks in their order
	// need no zeros to begin with. Columns behind stay as they are. Every sum has one
	// fixed order, which is the blocks' too. q (m, heads, d), dst Float32 (heads, n). Where dst
	// is (parts, heads, n), each of as many equal parts of the queries is such a block of its
	// own, with sums of its own.
	ColumnSums(dst, q Array, kv KV, start int, by Attention)
	// AttentionRows: dst[h][i][j] = P[i][j] for j < columns, query i being at position start+i, in
	// float32; 0 for those that it does not see. q (m, heads, d), dst Float32 (heads, m, columns), columns ≤ n. It is for a few queries: rows are held, m · columns numbers a head.
	AttentionRows(dst, q Array, kv KV, start int, by Attention)
	// RowNorms: dst[g][j] = ‖x[g][j]‖₂. x (kvHeads, n, d) keys or values, dst Float32
	// (kvHeads, n).
	RowNorms(dst, x Array, size int)
	// WeightedRows: dst[g] = Σ_j w[g][j] · x[g][j]. x (kvHeads, n, d) keys or values, w
	// Float32 (kvHeads, n), dst Float32 (kvHeads, d).
	WeightedRows(dst, x, w Array, size int)
	// RowDots: dst[g][j] = x[g][j]·v[g]; where cosine is set, divided by the lengths of
	// both, and 0 where one has none. x (kvHeads, n, d) keys or values, v Float32
	// (kvHeads, d), dst Float32 (kvHeads, n).
	RowDots(dst, x, v Array, size int, cosine bool)
	// GroupScores: dst[g][j] = mean or max of src[h][j] over the group's query
	// heads, or the mean over all. src (heads, m), dst (kvHeads, m), Float32.
	GroupScores(dst, src Array, h Heads, how Grouping)
	// CombineScores: dst[r][j] = factor · (a[r][j] ∘ b[r][j]), ∘ being how. dst (rows, m);
	// a (rows, n), n ≥ m, whose first m columns count, or empty for ones; b (rows, m), or
	// (m) for all rows the same, or empty, then dst = factor · a. Float32. dst may be a
	// where n = m, or b where that has its shape.
	CombineScores(dst, a, b Array, rows int, how Combination, factor float32)
	// ChunkMeans: dst[r][j] = the mean of row r over the chunk of size positions that j is
	// in, of which the last may be shorter: over as many as it has. (rows, m) Float32.
	ChunkMeans(dst, src Array, rows, size int)
	// CountAbove: dst[g][j] = how many of the rows of group g have src[·][j] > above. src
	// (groups·rows, m), a group's rows one after the other, dst (groups, m), Float32.
	CountAbove(dst, src Array, groups int, above float32)
	// HighestSums: dst[r] = the sum of the counts[g] highest of row r, g being the group of
	// rows that r is in. src (groups·rows, m) without NaN, dst (groups·rows), Float32;
	// counts[g] ≤ m.
	HighestSums(dst, src Array, counts []int)
	// PoolScores along each row, stride 1, same length; kernel is odd. (rows, m) Float32.
	PoolScores(dst, src Array, rows, kernel int, kind Pooling)
	// Select answers each selection: of each row the first Head positions, then the
	// highest scores, as many as are asked for in all; ties to the earliest position, NaN
	// below everything; written as ascending positions.
	Select(s []Selection)
	// Gather copies what each Kept chose into caches of its own, with room for
	// more rows behind each head. Kept with more heads than kv reads KV head
	// h / (heads/kvHeads). It returns *OutOfMemory, and then nothing is held.
	Gather(kv KV, kept []Kept, room int) ([]Cache, error)
	FreeCache(c ...Cache)

	// NewBatch joins sequences for decoding. It holds their caches' addresses,
	// not the caches: those stay the caller's. All have the same number of layers.
	NewBatch(s []Sequence, h Heads) (Batch, error)
	FreeBatch(b Batch)
	// RotateAppend is Rotate for one token of each sequence: rows of qkv are the
	// batch's rows, positions the sequences' own; keys and values go behind what
	// each cache head of the layer holds. q (rows, heads, d).
	RotateAppend(q Array, b Batch, layer int, qkv Array, r Rotary, norm QKNorm)
	// AttendCaches: each row's queries over everything its caches hold in the
	// layer, the token just appended included. Where the layer has a window, it
	// goes by the rows' own positions. by.Heads are the batch's. out and q (rows, heads, d).
	AttendCaches(out, q Array, b Batch, layer int, by Attention)
	// Advance moves every sequence on by one token, after its last layer.
	Advance(b Batch)
	// Replay runs step, operations on this device whose arguments do not change while
	// the batch lives. A device may record them and repeat the record at later calls.
	Replay(b Batch, step func())

	// Cap: x[i] = cap · tanh(x[i]/cap), cap > 0. x Float32.
	Cap(x Array, cap float32)
	// ArgMax: dst[i] = the index of the highest of logits[i], the lowest index
	// among equals; -1 where the row holds a NaN or an infinity, since nothing can
	// be chosen from it. logits Float32 (m, vocab), dst Int32 (m).
	ArgMax(dst, logits Array)
	// Divergence: dst[i] = KL(softmax(logits[p[i]]) ‖ softmax(logits[q[i]])) in nats,
	// of rows that are finite.
	// logits Float32 (rows, vocab), dst Float32 (len(p)).
	Divergence(dst, logits Array, vocab int, p, q []int)
}
