package metrics

import (
	"fmt"
	"sync"

	"github.com/snapbench/snapbench/metrics/jieba"
)

var segmenter struct {
	sync.Mutex
	path   string // set by UseJieba
	loaded *jieba.Segmenter
	err    error
	tried  bool
}

// UseJieba sets the path of jieba's data for the Chinese metrics, in any of the
// forms that [jieba.Open] reads. The data are read by the first call of
// [Scorer.Ready] or [Scorer.Score]. The default, an empty path, means
// [jieba.Locate].
func UseJieba(path string) {
	segmenter.Lock()
	defer segmenter.Unlock()
	segmenter.path, segmenter.loaded, segmenter.err, segmenter.tried = path, nil, nil, false
}

// openSegmenter reads the data once, and keeps them or the error.
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
	var err error
	if path == "" {
		if path, err = jieba.Locate(); err != nil {
			return nil, fmt.Errorf("metrics: Chinese is graded by words that jieba's dictionary cuts: %w", err)
		}
	}
	s, err := jieba.Open(path)
	if err != nil {
		return nil, fmt.Errorf("metrics: Chinese is graded by words that jieba's dictionary cuts: %w (%s)", err, jieba.Hint())
	}
	if got := s.Fingerprint(); got != jieba.Fingerprint0421 {
		return nil, fmt.Errorf("metrics: the data in %s are not those of jieba 0.42.1, so scores would not be comparable (sha256 %s, expected %s; %s)",
			path, got, jieba.Fingerprint0421, jieba.Hint())
	}
	return s, nil
}

// segmenterReady is the Ready of scorers that cut Chinese words.
func segmenterReady() error {
	_, err := openSegmenter()
	return err
}
