// Package crash makes a crash of the program known as one.
package crash

import "runtime/debug"

// BySignal makes a crash end the process by SIGABRT, which a shell shows as
// status 134. On its own a Go program ends with 2 on a panic, a stack that
// overflows or a lack of memory, and 2 is what a usage error ends with. No code of
// the program can catch the latter two. Only what goes wrong before main, where the
// address space is too small for the Go runtime itself, still ends with 2.
func BySignal() {
	debug.SetTraceback("crash")
	noCore()
}
