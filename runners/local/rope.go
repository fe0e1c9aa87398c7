package local

import (
	"fmt"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/models"
)

// parseRope reads --rope, nil where none is given.
func parseRope(text string) (*models.RopeSetting, error) {
	if text == "" {
		return nil, nil
	}
	s, err := models.ParseRope(text)
	if err != nil {
		return nil, runners.Mistake(fmt.Errorf("--%w", err))
	}
	return &s, nil
}

// OpenAs opens the model's files with a scaling of the rotation in place of its own, as
// [models.ParseRope] reads it, and the context that follows. Empty text leaves the model as it
// is. set is the scaling with what the text left out.
func (l Located) OpenAs(rope string, say func(string, ...any)) (files *models.Files, set string, err error) {
	setting, err := parseRope(rope)
	if err != nil {
		return nil, "", err
	}
	if files, err = l.Open(); err != nil || setting == nil {
		return files, "", err
	}
	before := files.Config.Context
	applied, err := setting.Apply(&files.Config)
	if err != nil {
		files.Close()
		return nil, "", runners.Mistake(fmt.Errorf("--%w", err))
	}
	say("%s: rope %s in place of the model's own, a context of %d tokens in place of %d", l.Name, applied, files.Config.Context, before)
	return files, applied.String(), nil
}
