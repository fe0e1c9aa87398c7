package metrics

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/snapbench/snapbench/metrics/jieba"
)

// JiebaEnv is the environment variable that says where the data of jieba are,
// in any of the forms that [jieba.Open] reads.
const JiebaEnv = "SNAPBENCH_JIEBA"

var segmenter struct {
	sync.Mutex
	path   string // set by UseJieba
	loaded *jieba.Segmenter
	err    error
	tried  bool
}

// UseJieba says where the Chinese metrics find the data of jieba, and has them
// read at the next use. An empty path means the default: $SNAPBENCH_JIEBA, then
// the source archive in the user's cache, snapbench/jieba-0.42.1.tar.gz.
func UseJieba(path string) {
	segmenter.Lock()
	defer segmenter.Unlock()
	segmenter.path, segmenter.loaded, segmenter.err, segmenter.tried = path, nil, nil, false
}

// openSegmenter reads the data once and keeps them, or the error.
func openSegmenter() (*jieba.Segmenter, error) {
	segmenter.Lock()
	defer segmenter.Unlock()
	if !segmenter.tried {
		segmenter.tried = true
		segmenter.loaded, segmenter.err = loadSegmenter(segmenter.path)
	}
	return segmenter.loaded, segmenter.err
}

func loadSegmenter(path string) (*jieba.Segmenter, error) {
	if path == "" {
		path = os.Getenv(JiebaEnv)
	}
	if path == "" {
		var err error
		if path, err = cachedJieba(); err != nil {
			return nil, err
		}
	}
	s, err := jieba.Open(path)
	if err != nil {
		return nil, fmt.Errorf("metrics: the Chinese metrics cut words by jieba's dictionary: %w (%s)", err, jiebaHint())
	}
	if got := s.Fingerprint(); got != jieba.Fingerprint0421 {
		return nil, fmt.Errorf("metrics: the data in %s are not those of jieba 0.42.1, scores would not be comparable (sha256 %s, expected %s; %s)",
			path, got, jieba.Fingerprint0421, jiebaHint())
	}
	return s, nil
}

// cachedJieba is the source archive in the user's cache, where it is looked for
// without being told.
func cachedJieba() (string, error) {
	missing := fmt.Errorf("metrics: the Chinese metrics cut words by jieba's dictionary, which is not shipped (%s)", jiebaHint())
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", missing
	}
	path := filepath.Join(dir, "snapbench", "jieba-0.42.1.tar.gz")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", missing
	} else if err != nil {
		return "", fmt.Errorf("metrics: jieba's dictionary: %w", err)
	}
	return path, nil
}

// jiebaHint is the way out, in every error about missing data.
func jiebaHint() string {
	where := "DIR"
	if dir, err := os.UserCacheDir(); err == nil {
		where = filepath.Join(dir, "snapbench")
	}
	return fmt.Sprintf("get it, MIT licence, by: pip download --no-deps --no-binary :all: -d %s jieba==0.42.1; kept elsewhere, name the file in %s", where, JiebaEnv)
}

// segmenterReady is the Ready of scorers that cut Chinese words.
func segmenterReady() error {
	_, err := openSegmenter()
	return err
}
