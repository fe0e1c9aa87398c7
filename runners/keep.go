package runners

import (
	"fmt"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/results/kept"
)

// keeping stores what caches kept; nil stores nothing.
type keeping struct{ *kept.Writer }

// keep opens the file for a job's positions, where it is to have one.
func (j *Job) keep(dir string) (*keeping, error) {
	if j.Pieces == nil {
		return nil, nil
	}
	w, err := kept.NewWriter(dir)
	return &keeping{w}, err
}

// prompt is what is stored of a sample's prompt.
func (j *Job) prompt(s datasets.Sample) kept.Prompt {
	var needles []string
	if s.Needle != nil {
		needles = s.Needle.Needles
	}
	return kept.NewPrompt(j.Pieces(s.IDs), needles, s.Answers)
}

// keep takes up what a row's cache kept.
func (a *asked) keep(id string, c Completion) error {
	if !a.request.Positions || c.Positions == nil || c.Err != nil {
		return nil
	}
	key := a.kept.Key
	if key == "" {
		key = a.kept.Prompt.Key()
		a.kept.Key = key
	}
	r, err := kept.RowOf(id, key, c.Positions, len(a.request.Prompt))
	if err != nil {
		return fmt.Errorf("row %.12s: kept positions: %w", id, err)
	}
	a.kept.Rows = append(a.kept.Rows, r)
	return nil
}

// write stores what the caches of a sample's answers kept.
func (k *keeping) write(a *asked) error {
	if k == nil {
		return nil
	}
	return k.Write(a.kept)
}

func (k *keeping) close() {
	if k != nil {
		k.Close()
	}
}
