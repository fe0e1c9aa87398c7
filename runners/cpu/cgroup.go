package cpu

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// controlGroups is where a version of Linux's control groups reports how much memory a
// group's members may use together, and how much they use.
type controlGroups struct {
	mount, limit, used string
	cache              []string // fields of memory.stat: cached files, whose memory the system takes back when needed
}

var (
	controlGroups1 = controlGroups{"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", []string{"total_inactive_file", "total_active_file"}}
	controlGroups2 = controlGroups{"sys/fs/cgroup", "memory.max", "memory.current", []string{"inactive_file", "active_file"}}
)

// controlGroupFree returns how many bytes this process may still take by its control group
// and those that contain it: the least of them. It returns false where none has a limit.
// root is /, except in tests.
func controlGroupFree(root string) (least int64, limited bool) {
	b, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(b)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:path
		if len(part) < 3 {
			continue
		}
		groups := controlGroups2
		if part[1] != "" {
			if !slices.Contains(strings.Split(part[1], ","), "memory") {
				continue
			}
			groups = controlGroups1
		}
		for group := path.Clean("/" + part[2]); ; group = path.Dir(group) {
			if free, ok := groups.free(filepath.Join(root, groups.mount, group)); ok && (!limited || free < least) {
				least, limited = free, true
			}
			if group == "/" {
				break
			}
		}
	}
	return least, limited
}

// free returns how many bytes the group of a folder may still take; false where it has no
// limit.
func (c controlGroups) free(folder string) (int64, bool) {
	number := func(file string) (int64, bool) {
		b, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			return 0, false
		}
		n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
		return n, err == nil // "max" is no limit
	}
	limit, ok := number(c.limit)
	if !ok {
		return 0, false
	}
	used, ok := number(c.used)
	if !ok {
		return 0, false
	}
	stat, _ := os.ReadFile(filepath.Join(folder, "memory.stat"))
	for line := range strings.Lines(string(stat)) {
		field, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(value, 10, 64); err == nil && slices.Contains(c.cache, field) {
			used -= n
		}
	}
	return max(0, limit-max(0, used)), true
}
