// Package emulator runs the project's PTX kernels on a CPU, for tests: it lets a
// machine without a card hold the kernels to the reference. A module's text is
// parsed, its instructions are decoded once, and a grid runs warp by warp, the
// lanes of a warp in lockstep under masks.
//
// It follows the PTX ISA (version 8, sections cited where they matter). It shows
// what a kernel computes, not how fast: copies complete at once, fences are
// satisfied by running blocks in turns, and caches do not exist.
package emulator
