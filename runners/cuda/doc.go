// Package cuda runs the operations of [engine.Device] on NVIDIA GPUs of compute
// capability 8.0 and later, tuned for 9.0 (H100, H200).
//
// # Loaded, not linked
//
// The package needs no cgo and no CUDA toolkit: it opens the driver (libcuda) and
// cuBLAS when a device is opened, and [Probe] says what a machine lacks. Kernels
// are CUDA C in kernels/, one operation a file, and the PTX that clang makes of
// them (kernels/build.sh) is embedded; the driver compiles it for the card and
// keeps the result on disk.
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
// in an order that depends on timing: two runs give the same bits. A row's bits do
// not depend on its company up to 64 rows, where products are this package's own, nor,
// in Float32, in a step of any number. Larger products are cuBLAS's, which may depend on
// their size, or, on 9.0, of gate and up, of queries, keys and values and of experts, the
// package's own, which do not, but sum in another order than those of few rows.
package cuda
