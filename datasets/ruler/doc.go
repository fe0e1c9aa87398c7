// Package ruler makes the samples of RULER (Hsieh et al., 2024, arXiv 2404.06654), byte for
// byte as the two programs by which it is known make them: NVIDIA/RULER of October 2024, from
// which the public tables of cache compression are, and that of July 2026.
//
// A [Series] is the samples of one task at one length for one tokenizer, in their order. What a
// sample is depends on those before it, because the originals draw from one random stream and
// draw again where a prompt turns out too long. A series therefore remembers for every sample
// where its draws begin, and makes any of them again from there.
//
// The package knows nothing of tasks, models and metrics. It is given a function that counts
// tokens, a haystack ([Essay]) and, for two of the tasks, documents with questions ([QA]).
package ruler
