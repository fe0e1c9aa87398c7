package main

import "runtime/debug"

// crashBySignal makes a crash end the process by SIGABRT, which a shell shows as
// status 134. On its own a Go program ends with 2 on a panic, a stack that
// overflows or a lack of memory, and 2 is what a usage error ends with. No code of
// the program can catch the latter two. Only what goes wrong before main, where the
// address space is too small for the Go runtime itself, still ends with 2.
func crashBySignal() {
	debug.SetTraceback("crash")
	noCore()
}
