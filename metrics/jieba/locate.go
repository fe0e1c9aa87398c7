package jieba

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Env is the environment variable with the path of the data, as [Open] takes it.
const Env = "SNAPBENCH_JIEBA"

// archive is the name under which pip downloads the source archive.
const archive = "jieba-0.42.1.tar.gz"

// Locate finds the data if no path is given: $SNAPBENCH_JIEBA, else the source
// archive in the user's cache, snapbench/jieba-0.42.1.tar.gz. The error says how
// to get the data.
func Locate() (string, error) {
	if path := os.Getenv(Env); path != "" {
		return path, nil
	}
	missing := fmt.Errorf("jieba: the dictionary is missing, and it is not shipped (%s)", Hint())
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", missing
	}
	path := filepath.Join(dir, "snapbench", archive)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", missing
	} else if err != nil {
		return "", fmt.Errorf("jieba: %w", err)
	}
	return path, nil
}

// Hint says how to get the data. Errors about missing data quote it.
func Hint() string {
	where := "DIR"
	if dir, err := os.UserCacheDir(); err == nil {
		where = filepath.Join(dir, "snapbench")
	}
	return fmt.Sprintf("get it (MIT licence) with: pip download --no-deps --no-binary :all: -d %s jieba==0.42.1; if it is elsewhere, set %s to its path", where, Env)
}
