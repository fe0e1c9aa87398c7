// Package cacheformat stores keys and values in few bits, as deployments do: the cache
// formats of llama.cpp (q8_0, q4_0), vLLM (fp8, int8, int4, nvfp4, TurboQuant) and KIVI, in plain
// Go. A format is a file that registers itself. Devices that are faster are held to this code.
//
// What is quantised is a cache head's keys, after their norm and rotation, and its values, entry
// by entry: x is one entry's vector, d its numbers. All arithmetic is in float32, every operation
// rounded once, unless a format says otherwise; products that are added to something are
// converted to float32 first, so that no platform fuses them.
package cacheformat
