// Package card drives an NVIDIA GPU. It loads the driver and cuBLAS, manages the card's
// memory, copies to and from it, loads modules of PTX and launches their kernels, records
// launches as graphs, and multiplies with cuBLAS. It knows nothing of the operations that
// the kernels compute: those are package cuda's.
//
// # Order
//
// A [Card] has one stream: work runs in the order of the calls, and memory that is given
// back may be handed out again at once. The driver's calls work on the context that is
// current on the thread, so they are made between [Card.Enter] and [Card.Leave], or inside
// [Card.Do]. Any goroutine may make them, one at a time.
//
// # Errors
//
// The card keeps the first error, with the name of the operation that Enter was given, and
// launches nothing more until [Card.Sync] has returned it.
package card
