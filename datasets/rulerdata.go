package datasets

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/snapbench/snapbench/bounds"
	"github.com/snapbench/snapbench/datasets/ruler"
	"github.com/snapbench/snapbench/inputs"
)

// austenEssay is the embedded haystack as RULER cuts one.
var austenEssay = sync.OnceValues(func() (*ruler.Essay, error) {
	h, err := austen()
	if err != nil {
		return nil, err
	}
	return ruler.NewEssay(h.text, sentenceEnds), nil
})

// rulerEssay returns the embedded text for "", else the texts of a folder, one after the other
// with nothing between, as RULER joins its essays, or the text of RULER's own file of them.
func rulerEssay(path string) (*ruler.Essay, error) {
	if path == "" {
		return austenEssay()
	}
	var text strings.Builder
	if strings.HasSuffix(path, ".json") {
		data, err := readWhole(path)
		if err != nil {
			return nil, fmt.Errorf("haystack: %w", err)
		}
		var file struct{ Text string }
		if err := json.Unmarshal(data, &file); err != nil {
			return nil, fmt.Errorf("haystack %s: %w", path, err)
		}
		text.WriteString(file.Text)
	} else {
		err := eachText(path, func(t string) { text.WriteString(t) })
		if err != nil {
			return nil, err
		}
	}
	if strings.TrimSpace(text.String()) == "" {
		return nil, fmt.Errorf("haystack %q has no text", path)
	}
	return ruler.NewEssay(text.String(), sentenceEnds), nil
}

// documents reads the questions and documents of one of the two tasks that have some. It returns the
// file's text as well.
func (o *RulerOptions) documents(group, task string) (qa *ruler.QA, text []byte, err error) {
	path, flag, name, from, read := o.SQuAD, "--squad", "dev-v2.0.json",
		"https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v2.0.json", ruler.ReadSQuAD
	if task == "qa_2" {
		path, flag, name, from, read = o.HotpotQA, "--hotpotqa", "hotpot_dev_distractor_v1.json",
			"http://curtis.ml.cmu.edu/datasets/hotpot/hotpot_dev_distractor_v1.json", ruler.ReadHotpotQA
	}
	if path == "" {
		return nil, nil, fmt.Errorf("its documents are not part of snapbench: fetch %s from %s (CC BY-SA 4.0) and name the file by %s, or ask the group %s-synthetic, which goes without",
			name, from, flag, group)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, name)
	}
	if text, err = readWhole(path); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", flag, err)
	}
	if qa, err = read(text); err != nil {
		return nil, nil, fmt.Errorf("%s: %s: %w", flag, path, err)
	}
	return qa, text, nil
}

// readWhole reads a file that is one JSON text.
func readWhole(path string) ([]byte, error) {
	f, err := inputs.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, bounds.MaxLine+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	case len(text) > bounds.MaxLine:
		return nil, fmt.Errorf("%s: the file is larger than %d MiB, the most that is read", path, bounds.MaxLine>>20)
	case !utf8.Valid(text):
		return nil, fmt.Errorf("%s: invalid UTF-8 at byte %d", path, invalidUTF8(text))
	}
	return text, nil
}
