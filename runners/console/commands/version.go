package commands

import (
	"os"
	"runtime/debug"
	"strings"
)

// Version is the program's: its module's version, or the commit that it was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return "devel"
}

// Line is the command line as typed, with the program's name in place of its path.
func Line(program string) string {
	return strings.Join(append([]string{program}, os.Args[1:]...), " ")
}
