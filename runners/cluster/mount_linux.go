package cluster

import (
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/inputs"
)

// fileSystem names the file system that a folder lies in, as the kernel does ("nfs4",
// "ext4", "fuse.s3fs"); empty where it cannot be told.
func fileSystem(dir string) string {
	path, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	if path, err = filepath.Abs(path); err != nil {
		return ""
	}
	data, err := inputs.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	return systemOf(path, string(data))
}

// systemOf finds a path's file system in the text of mountinfo (proc(5)): the mount
// whose point is the longest that holds the path, and of those at one point the last.
func systemOf(path, mounts string) (kind string) {
	longest := -1
	for line := range strings.SplitSeq(mounts, "\n") {
		before, after, ok := strings.Cut(line, " - ")
		fields, system := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(system) < 2 {
			continue
		}
		point := unescape.Replace(fields[4])
		inside := point == "/" || path == point || strings.HasPrefix(path, point+"/")
		if inside && len(point) >= longest {
			longest, kind = len(point), system[0]
			if kind == "fuse" { // mounted without a name of its own: its source is one
				kind = "fuse." + unescape.Replace(system[1])
			}
		}
	}
	return kind
}

// unescape undoes what mountinfo does to characters that would end a field.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
