package lookup

import (
	"os"
	"path/filepath"
)

// NearPath returns the path of what lies beside an absent file or folder under a name most like
// its own, "" where nothing does.
func NearPath(path string) string {
	folder, base := filepath.Split(filepath.Clean(path))
	beside, err := os.ReadDir(filepath.Clean(folder))
	if err != nil {
		return "" // nothing can be offered of a folder that is not there either
	}
	var names []string
	for _, e := range beside {
		names = append(names, e.Name())
	}
	if near := Nearest(base, names); near != "" {
		return filepath.Join(folder, near)
	}
	return ""
}
