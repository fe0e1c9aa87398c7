package enginetest

import (
	"github.com/snapbench/snapbench/runners/engine"
	"github.com/snapbench/snapbench/runners/engine/cacheformat"
)

// recorder is a device that notes which of its methods are called. A method that is not
// defined here is the inner device's and is not noted: TestReference then fails.
type recorder struct {
	engine.Device
	called map[string]bool
}

func (r *recorder) note(method string) engine.Device {
	r.called[method] = true
	return r.Device
}

func (r *recorder) Name() string      { return r.note("Name").Name() }
func (r *recorder) Type() engine.Type { return r.note("Type").Type() }
func (r *recorder) Describe() string  { return r.note("Describe").Describe() }
func (r *recorder) New(t engine.Type, n int) (engine.Array, error) {
	return r.note("New").New(t, n)
}
func (r *recorder) Free(a ...engine.Array)                { r.note("Free").Free(a...) }
func (r *recorder) Memory() engine.Memory                 { return r.note("Memory").Memory() }
func (r *recorder) ResetPeak()                            { r.note("ResetPeak").ResetPeak() }
func (r *recorder) Trim()                                 { r.note("Trim") }
func (r *recorder) Sync() error                           { return r.note("Sync").Sync() }
func (r *recorder) Put(dst engine.Array, src []float32)   { r.note("Put").Put(dst, src) }
func (r *recorder) PutInts(dst engine.Array, src []int32) { r.note("PutInts").PutInts(dst, src) }
func (r *recorder) Get(dst []float32, src engine.Array)   { r.note("Get").Get(dst, src) }
func (r *recorder) GetInts(dst []int32, src engine.Array) { r.note("GetInts").GetInts(dst, src) }
func (r *recorder) Copy(dst, src engine.Array)            { r.note("Copy").Copy(dst, src) }
func (r *recorder) FreeWeight(w engine.Weight)            { r.note("FreeWeight").FreeWeight(w) }
func (r *recorder) FreeRotary(rotary engine.Rotary)       { r.note("FreeRotary").FreeRotary(rotary) }
func (r *recorder) Gate(dst, gateUp engine.Array, n int, a engine.Activation) {
	r.note("Gate").Gate(dst, gateUp, n, a)
}
func (r *recorder) Select(s []engine.Selection)        { r.note("Select").Select(s) }
func (r *recorder) FreeCache(c ...engine.Cache)        { r.note("FreeCache").FreeCache(c...) }
func (r *recorder) FreeBatch(b engine.Batch)           { r.note("FreeBatch").FreeBatch(b) }
func (r *recorder) Advance(b engine.Batch)             { r.note("Advance").Advance(b) }
func (r *recorder) Replay(b engine.Batch, step func()) { r.note("Replay").Replay(b, step) }
func (r *recorder) Step(step func())                   { engine.Step(r.note("Step"), step) }
func (r *recorder) Companions() int                    { return engine.Companions(r.note("Companions"), 71) }
func (r *recorder) ArgMax(dst, logits engine.Array)    { r.note("ArgMax").ArgMax(dst, logits) }
func (r *recorder) LoadWeight(parts, bias []engine.Stored) (engine.Weight, error) {
	return r.note("LoadWeight").LoadWeight(parts, bias)
}
func (r *recorder) LoadVector(v engine.Stored) (engine.Array, error) {
	return r.note("LoadVector").LoadVector(v)
}
func (r *recorder) NewRotary(rotation engine.Rotation, n int) (engine.Rotary, error) {
	return r.note("NewRotary").NewRotary(rotation, n)
}
func (r *recorder) Embed(dst engine.Array, table engine.Weight, ids engine.Array, scale float32) {
	r.note("Embed").Embed(dst, table, ids, scale)
}
func (r *recorder) Cap(x engine.Array, limit float32) { r.note("Cap").Cap(x, limit) }
func (r *recorder) RMSNormAdd(dst, x, weight engine.Array, eps float32) {
	r.note("RMSNormAdd").RMSNormAdd(dst, x, weight, eps)
}
func (r *recorder) RMSNorm(dst, x, weight engine.Array, eps float32) {
	r.note("RMSNorm").RMSNorm(dst, x, weight, eps)
}
func (r *recorder) MatMul(dst, x engine.Array, w engine.Weight) { r.note("MatMul").MatMul(dst, x, w) }
func (r *recorder) MatMulAdd(dst, x engine.Array, w engine.Weight) {
	r.note("MatMulAdd").MatMulAdd(dst, x, w)
}
func (r *recorder) MatMulGate(dst, room, x engine.Array, w engine.Weight, a engine.Activation) {
	engine.MatMulGate(r.note("MatMulGate"), dst, room, x, w, a)
}
func (r *recorder) MatMulRotate(q engine.Array, kv engine.KV, room, x engine.Array, w engine.Weight, start int, h engine.Heads, rotary engine.Rotary, norm engine.QKNorm) {
	engine.MatMulRotate(r.note("MatMulRotate"), q, kv, room, x, w, start, h, rotary, norm)
}
func (r *recorder) MixtureAdd(dst, x engine.Array, e engine.Experts) {
	r.note("MixtureAdd").MixtureAdd(dst, x, e)
}
func (r *recorder) Rotate(q engine.Array, kv engine.KV, qkv engine.Array, start int, h engine.Heads, rotary engine.Rotary, norm engine.QKNorm) {
	r.note("Rotate").Rotate(q, kv, qkv, start, h, rotary, norm)
}
func (r *recorder) Attention(out, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	r.note("Attention").Attention(out, q, kv, start, by)
}
func (r *recorder) WindowScores(dst []engine.Array, w []int, q engine.Array, kv engine.KV, by engine.Attention) {
	r.note("WindowScores").WindowScores(dst, w, q, kv, by)
}
func (r *recorder) ColumnSums(dst, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	r.note("ColumnSums").ColumnSums(dst, q, kv, start, by)
}
func (r *recorder) AttentionColumnSums(out, dst, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	engine.AttentionColumnSums(r.note("AttentionColumnSums"), out, dst, q, kv, start, by)
}
func (r *recorder) AttentionRows(dst, q engine.Array, kv engine.KV, start int, by engine.Attention) {
	r.note("AttentionRows").AttentionRows(dst, q, kv, start, by)
}
func (r *recorder) CountAbove(dst, src engine.Array, groups int, above float32) {
	r.note("CountAbove").CountAbove(dst, src, groups, above)
}
func (r *recorder) HighestSums(dst, src engine.Array, counts []int) {
	r.note("HighestSums").HighestSums(dst, src, counts)
}
func (r *recorder) RowNorms(dst, x engine.Array, size int) {
	r.note("RowNorms").RowNorms(dst, x, size)
}
func (r *recorder) WeightedRows(dst, x, w engine.Array, size int) {
	r.note("WeightedRows").WeightedRows(dst, x, w, size)
}
func (r *recorder) RowDots(dst, x, v engine.Array, size int, cosine bool) {
	r.note("RowDots").RowDots(dst, x, v, size, cosine)
}
func (r *recorder) GroupScores(dst, src engine.Array, h engine.Heads, how engine.Grouping) {
	r.note("GroupScores").GroupScores(dst, src, h, how)
}
func (r *recorder) CombineScores(dst, a, b engine.Array, rows int, how engine.Combination, factor float32) {
	r.note("CombineScores").CombineScores(dst, a, b, rows, how, factor)
}
func (r *recorder) ChunkMeans(dst, src engine.Array, rows, size int) {
	r.note("ChunkMeans").ChunkMeans(dst, src, rows, size)
}
func (r *recorder) PoolScores(dst, src engine.Array, rows, kernel int, kind engine.Pooling) {
	r.note("PoolScores").PoolScores(dst, src, rows, kernel, kind)
}
func (r *recorder) Gather(kv engine.KV, kept []engine.Kept, room int) ([]engine.Cache, error) {
	return r.note("Gather").Gather(kv, kept, room)
}
func (r *recorder) NewBatch(s []engine.Sequence, h engine.Heads) (engine.Batch, error) {
	return r.note("NewBatch").NewBatch(s, h)
}
func (r *recorder) RotateAppend(q engine.Array, b engine.Batch, layer int, qkv engine.Array, rotary engine.Rotary, norm engine.QKNorm) {
	r.note("RotateAppend").RotateAppend(q, b, layer, qkv, rotary, norm)
}
func (r *recorder) AttendCaches(out, q engine.Array, b engine.Batch, layer int, by engine.Attention) {
	r.note("AttendCaches").AttendCaches(out, q, b, layer, by)
}
func (r *recorder) Quantizes(f *cacheformat.Format, size int) error {
	return engine.Quantizes(r.note("Quantizes"), f, size)
}
func (r *recorder) GatherQuantized(kv engine.KV, kept engine.Kept, f *cacheformat.Format, scales []cacheformat.Scale, room int) (engine.Cache, error) {
	return engine.GatherQuantized(r.note("GatherQuantized"), kv, kept, f, scales, room)
}
func (r *recorder) Unstored(caches ...engine.Cache) []error {
	return engine.Unstored(r.note("Unstored"), caches...)
}
func (r *recorder) Quantize(c engine.Cache, f *cacheformat.Format, scales []cacheformat.Scale, room int) (engine.Cache, error) {
	return r.note("Quantize").(engine.Quantizer).Quantize(c, f, scales, room)
}
func (r *recorder) CacheRows(keys, values []float32, c engine.Cache, h, lo, hi, settled int) {
	r.note("CacheRows").(engine.Quantizer).CacheRows(keys, values, c, h, lo, hi, settled)
}
func (r *recorder) Refused(b engine.Batch) []error {
	return r.note("Refused").(engine.Quantizer).Refused(b)
}
func (r *recorder) LinearAttention(out, in engine.Array, s engine.State, by engine.LinearAttention) {
	r.note("LinearAttention").(engine.LinearAttender).LinearAttention(out, in, s, by)
}
func (r *recorder) AttendStates(out, in engine.Array, b engine.Batch, layer int, by engine.LinearAttention) {
	r.note("AttendStates").(engine.LinearAttender).AttendStates(out, in, b, layer, by)
}
func (r *recorder) GateOutput(x, gate engine.Array) {
	r.note("GateOutput").(engine.LinearAttender).GateOutput(x, gate)
}
func (r *recorder) Divergence(dst, logits engine.Array, vocab int, p, q []int) {
	r.note("Divergence").Divergence(dst, logits, vocab, p, q)
}
