//go:build unix

package inputs

import "syscall"

// nonblock keeps the opening of a named pipe from waiting; on a regular file it
// changes nothing.
const nonblock = syscall.O_NONBLOCK
