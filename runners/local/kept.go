package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// KeptModel is a .gguf file in the user's cache, where make smollm2 puts one. Its name alone
// finds it.
type KeptModel struct {
	Model string `json:"model"`
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// keptFolders are where such files are looked for: the system's cache, and the one that
// scripts use everywhere.
func keptFolders() []string {
	var list []string
	if cache, err := os.UserCacheDir(); err == nil {
		list = append(list, filepath.Join(cache, "snapbench"))
	}
	if home, err := os.UserHomeDir(); err == nil {
		if dir := filepath.Join(home, ".cache", "snapbench"); !slices.Contains(list, dir) {
			list = append(list, dir)
		}
	}
	return list
}

// KeptModels lists the .gguf files in the user's cache, each name once.
func KeptModels() ([]KeptModel, error) {
	list := []KeptModel{}
	for _, dir := range keptFolders() {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return list, err
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".gguf") || slices.ContainsFunc(list, func(m KeptModel) bool { return m.Model == e.Name() }) {
				continue
			}
			path := filepath.Join(dir, e.Name())
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				list = append(list, KeptModel{e.Name(), path, info.Size()})
			}
		}
	}
	return list, nil
}

// shownNames are the names that --model takes without being a path: the embedded model's, and
// those of files in the user's cache.
func shownNames() []string {
	list := []string{DefaultModel}
	if files, err := KeptModels(); err == nil {
		for _, f := range files {
			list = append(list, f.Model)
		}
	}
	return list
}

// kept returns the path of a file in the user's cache that a name without a folder means
// where there is none of that name here.
func kept(name string) (path string, ok bool) {
	if filepath.Base(name) != name || !strings.HasSuffix(name, ".gguf") {
		return "", false
	}
	if _, err := os.Lstat(name); err == nil {
		return "", false
	}
	for _, dir := range keptFolders() {
		path = filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, true
		}
	}
	return "", false
}
