//go:build unix

package crash

import (
	"os"
	"syscall"
)

// noCore keeps a crash from leaving a core file, which has the size of the model.
// GOTRACEBACK=crash, which asks for one, is heeded.
func noCore() {
	if os.Getenv("GOTRACEBACK") == "crash" {
		return
	}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CORE, &limit) == nil {
		limit.Cur = 0
		syscall.Setrlimit(syscall.RLIMIT_CORE, &limit)
	}
}
