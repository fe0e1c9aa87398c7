// Package weights reads model files: safetensors (one file, or shards under
// an index) and GGUF (versions 2 and 3). A file is mapped into memory, checked
// as a whole when it is opened, and its tensors are read row by row, either as
// they are stored or as exact float32 values.
//
//	f, err := weights.Open("SmolLM2-135M-Instruct.Q4_1.gguf") // or a directory, or a .safetensors file
//	q, err := f.Weight("blk.0.attn_q.weight", 576, 576)       // absent, another shape, not a weight: an error
//	q.ReadRow(0, row)
//
// # Hostile input
//
// A header is believed in nothing: every count, length and offset is held
// against the size of the file before anything is allocated or sliced, and an
// error says the file and the byte where reading stopped. What cannot be
// caught is a file that is cut short by somebody else while it is mapped:
// touching the missing pages kills the process with SIGBUS.
//
// # Exactness
//
// Values are those of the formats' own reference readers (numpy in gguf-py,
// torch for bfloat16 and float16), bit for bit: halves are widened exactly,
// and a quantised value is computed in float32 with each operation rounded on
// its own, never fused. DecodeRow gives the formulas.
package weights
