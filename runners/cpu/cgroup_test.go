package cpu

import (
	"os"
	"path/filepath"
	"testing"
)

func TestControlGroupFree(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64 // -1: no limit
	}{
		{"no control groups", nil, -1},
		{"version 2, a container's own", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000000\n", "sys/fs/cgroup/memory.current": "700000\n",
			"sys/fs/cgroup/memory.stat": "anon 100000\nfile 500000\ninactive_file 300000\nactive_file 200000\n",
		}, 800000},
		{"version 2, the parent is stricter", map[string]string{
			"proc/self/cgroup": "0::/job/step\n", "sys/fs/cgroup/job/step/memory.max": "max\n", "sys/fs/cgroup/job/step/memory.current": "1\n",
			"sys/fs/cgroup/job/memory.max": "5000\n", "sys/fs/cgroup/job/memory.current": "6000\n",
		}, 0},
		{"version 2 without limits", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/memory.current": "7\n"}, -1},
		{"version 1", map[string]string{
			"proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/a\n0::/\n", "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9000\n",
			"sys/fs/cgroup/memory/a/memory.usage_in_bytes": "4000\n", "sys/fs/cgroup/memory/a/memory.stat": "inactive_file 1\ntotal_inactive_file 1000\n",
		}, 6000},
		{"nonsense", map[string]string{"proc/self/cgroup": "memory\n::\n1:memory:../..\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "many\n"}, -1},
	} {
		root := t.TempDir()
		for name, text := range c.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		free, limited := controlGroupFree(root)
		if limited != (c.want >= 0) || limited && free != c.want {
			t.Errorf("%s: %d bytes, limited %v; want %d", c.name, free, limited, c.want)
		}
	}
}
