// Package cpu is the fast device for processors: float32 throughout, kernels in
// assembly (AVX-512, or AVX2 with FMA and F16C) or plain Go, chosen when the
// device opens and named by [Device.Describe]. The environment variable
// SNAPBENCH_CPU (avx512, avx2, go) asks for one of them.
//
// # Attention
//
// Heads of any size go through the same kernels, whose tiles run along keys and numbers of a
// head; decoding takes plain Go where a head's size is no multiple of 8. A soft cap costs a
// pass over the logits that takes its powers in the kernels and is otherwise plain Go; sinks
// cost nothing.
//
// # Why a row does not depend on the other rows
//
// Each output number is one lane of a vector. Its sum runs over k in ascending
// order by fused multiply-adds, in blocks of a length that depends on the
// weight's width alone; a weight kept as GGUF blocks is unpacked to exactly the
// float32 values of its file first. So it does not matter which kernel computes
// a row, nor with how many others, nor on which thread. Attention goes through
// the keys in blocks that begin at key 0, with one running softmax per query;
// decoding splits a cache into segments of fixed length and adds them up in
// order.
package cpu
