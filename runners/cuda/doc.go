// Package cuda runs the operations of [engine.Device] on NVIDIA GPUs of compute
// capability 8.0 and later, tuned for 9.0 (H100, H200).
//
// # Loaded, not linked
//
// The package needs no cgo and no CUDA toolkit: package card opens the driver (libcuda)
// and cuBLAS when a device is opened, and [Probe] says what a machine lacks. Kernels
// are CUDA C in kernels/, one operation per file, and the PTX that clang makes of
// them (kernels/build.sh) is embedded; the driver compiles it for the card and
// keeps the result on disk. Each operation's Go file has its kernel file's name.
//
// # Attention
//
// Heads may be of up to 256, and any number of query heads may share a KV head. In 16-bit
// types and where arrays are aligned there are kernels for compute capability 9.0 that reach
// its rates (named *_sm90a); all else is served by kernels that are correct and slower:
//
//	Attention        heads of 64, 96, 128, 256; with sinks 64; with a soft cap 128, 256
//	ColumnSums       the same; sinks make no difference to its own kernel
//	AttendCaches     heads of multiples of 8 up to 128, and 256; sinks and caps too
//	WindowScores, AttentionRows
//	                 one kernel for all cards, heads of multiples of 8 up to 256
//
// Caches in formats have a kernel for all cards in 16-bit types, heads of 64 and 128
// (attend_codes); other heads, KIVI and float32 have one that multiplies in float32 (attend_packed).
//
// Elsewhere Attention, ColumnSums and AttendCaches use mma.sync, for heads of multiples of 8;
// AttendCaches takes a group's query heads one by one there where heads are above 128. Float32
// and other sizes get plain loops. What layers with sinks or caps need is compiled by the
// driver when a model has them (kernels/way.h).
//
// # Linear attention
//
// Key heads of up to 128, computed in float32 in all types. A prompt's tokens go over each state one by one; a step is one
// kernel for all sequences (linear.go, which counts what that costs).
//
// # Order
//
// A device has one stream: operations run in the order of the calls, and memory
// that is freed may be handed out again at once. Each call makes the device's
// primary context current on its own thread, so any goroutine may call, one at a
// time.
//
// # Exactness
//
// 16-bit types are multiplied on the tensor cores with float32 sums; Float32, which
// is for judging, by plain float32 arithmetic (no tf32). Nothing is added up
// in an order that depends on timing: two runs give the same bits.
//
// The bits of a row do not depend on the rows beside it where this package multiplies
// itself: in decoding steps of any size, and up to 64 rows of a prompt. Above that cuBLAS
// multiplies, and a row's bits may depend on the number of rows. On 9.0 the large products
// of gate and up, of queries, keys and values, and of experts are this package's, too; their
// bits do not depend on the number of rows, but they sum in another order than the products
// of few rows.
package cuda
