// Package engine names the operations that a decoder is made of, with their
// shapes and formulas, and nothing else: it holds no code that computes.
//
// A [Device] is a place where these operations run: ref (plain loops with
// float64 sums, the judge), cpu and cuda (the same, fast). Everything above it
// (models, compress) is written once against Device.
//
// # Shapes
//
// Shapes are words in parentheses, row-major, the last one contiguous:
//
//	n        tokens of the prompt            m        rows of a block or a batch
//	width    the model's hidden size         ff       feed-forward size
//	heads    query heads                     kvHeads  key/value heads
//	d        numbers in a head               w        observation window
//	vocab    rows of the output product
//
// Query head h reads KV head h / (heads/kvHeads).
//
// # Errors
//
// An operation returns nothing: the device may still be at work when the call returns. The
// device keeps the first error, later operations do nothing, and [Device.Sync] returns the
// error with the operation's name. Shapes that do not fit are the caller's bug: the
// operation panics and names both shapes.
//
// # Rows do not depend on their company
//
// On ref and cpu, row i of every result is bit-equal whatever the other rows
// of the call are, and however many: sums run in one fixed order. A variant
// alone, in a sweep or after a resume therefore gives the same text.
package engine
