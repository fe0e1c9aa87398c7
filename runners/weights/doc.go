// Package weights reads model files: safetensors (one file, or shards with an
// index) and GGUF (versions 2 and 3). [Open] maps a file into memory and checks
// its structure. Its tensors are read row by row, as they are stored or as exact
// float32 values.
//
//	f, err := weights.Open("SmolLM2-135M-Instruct.Q4_1.gguf") // or a directory, or a .safetensors file
//	q, err := f.Weight("blk.0.attn_q.weight", 576, 576)       // an error if absent, of another shape or not a weight
//	q.ReadRow(0, row)
//
// # Hostile input
//
// No number in a header is trusted: every count, length and offset is compared
// with the size of the file before anything is allocated or sliced. An error
// names the file and the byte where reading stopped. One thing cannot be caught:
// if another process shortens a file while it is mapped, reading the missing
// pages kills this process with SIGBUS.
//
// # Exactness
//
// Values are, bit for bit, those of the formats' reference readers (numpy in
// gguf-py, torch for bfloat16 and float16): halves are widened exactly, and a
// quantised value is computed in float32 with each operation rounded by itself,
// never fused. [DecodeRow] has the formulas.
package weights
