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
