// Package card drives an NVIDIA GPU: it loads the driver and cuBLAS, and gives out the
// card's memory, carries numbers to and from it, loads modules of PTX, launches their
// kernels, records launches as a graph and has cuBLAS multiply. It knows no operation:
// those are package cuda's, one a file.
//
// # Order
//
// A [Card] has one stream: what is asked of it runs in the order of the calls, and memory
// that is given back may be handed out again at once. The driver knows a context by the
// thread it is current on, so calls stand between [Card.Enter] and [Card.Leave], or inside
// [Card.Do]; any goroutine may make them, one at a time.
//
// # Errors
//
// The card keeps the first error, named after the operation that Enter was told, and then
// does nothing until [Card.Sync] reports it.
package card
