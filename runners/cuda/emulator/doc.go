// Package emulator runs the project's PTX kernels on a CPU, for tests: it lets a
// machine without a card hold the kernels to the reference. A module's text is
// parsed, its instructions are decoded once, and a grid runs warp by warp, the
// lanes of a warp in lockstep under masks; on Linux a CUDA driver made of Go
// functions (Symbol) stands in front of it.
//
// It follows the PTX ISA, version 8, and shows what a kernel computes, not how fast it
// is. Where a card is free to choose, it does what is most likely to reveal mistakes:
// shared memory begins as garbage; asynchronous copies arrive no earlier than they are
// waited for (some of those to other blocks of a cluster arrive at once); wgmma reads
// shared memory and writes its sums when it is waited for; and every address is checked,
// even of blocks that have exited. It has no caches and one order of events: blocks and
// warps take turns, so fences have nothing to do, and races may go unnoticed.
//
// Results are the card's, with two exceptions: approximations (such as ex2.approx) are the
// nearest float, and the sums of mma and wgmma, in which a card cuts off bits, are rounded,
// those of mma once and those of wgmma to float32 at every step. The copy engine's tiles
// have three dimensions and rows of 128 bytes in the 128-byte swizzle, which is also all
// that wgmma reads. Functions, variables in global memory and arithmetic on 16-bit floats
// are not supported.
package emulator
