// Package emulator runs the project's PTX kernels on a CPU, for tests: it lets a
// machine without a card hold the kernels to the reference. A module's text is
// parsed, its instructions are decoded once, and a grid runs warp by warp, the
// lanes of a warp in lockstep under masks; on Linux a CUDA driver made of Go
// functions (Symbol) stands in front of it.
//
// It follows the PTX ISA, version 8, and shows what a kernel computes, not how
// fast. Where a card has freedom, it takes what brings out mistakes: shared memory
// begins as garbage, asynchronous copies arrive when they are awaited and not
// before (some of those to other blocks of a cluster arrive at once), wgmma reads
// shared memory and writes its sums when it is waited for, and every address is
// checked, of blocks that have exited too. It has no caches and one order of events:
// blocks and warps take turns, so fences have nothing to do and races may go unseen.
//
// Results are those of the card but for approximations (ex2.approx and its like),
// which are the nearest float, and sums of mma and wgmma: the first are rounded once,
// the second in float32 at every step, where a card cuts off bits. The copy engine's
// tiles have three dimensions and rows of 128 bytes in the 128-byte swizzle, and wgmma
// reads these alone. Not executed are functions, variables in global memory and
// arithmetic on 16-bit floats.
package emulator
