package local

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/hub"
	"github.com/snapbench/snapbench/runners/models"
)

// OpenConfig finds a model's sizes: of one of the hub its small files are brought, no weights, and the files that are returned
// have a configuration and no source. Of a GGUF file or a shape they have, which says how tensors are stored. The name is
// what rows would call the model.
func OpenConfig(ctx context.Context, model string, say func(string, ...any)) (files *models.Files, name string, err error) {
	if shape, ok := strings.CutPrefix(model, shapePrefix); ok {
		files, err := models.OpenShape(shape)
		if err != nil {
			return nil, "", runners.Mistake(err)
		}
		return files, model, nil
	}
	if isRepo(model) {
		client, err := Hub()
		if err != nil {
			return nil, "", err
		}
		client.Progress = ReportBytes(say)
		repo, err := hub.ParseRepo(hub.Model, model)
		if err != nil {
			return nil, "", runners.Mistake(err)
		}
		snapshot, err := client.Ensure(ctx, repo, hub.TextFiles...)
		if err != nil {
			return nil, "", err
		}
		c, err := models.ReadConfig(snapshot.Dir)
		return &models.Files{Config: c, Path: snapshot.Dir}, repo.ID, err
	}
	if info, err := os.Stat(model); err == nil && info.IsDir() {
		c, err := models.ReadConfig(model)
		return &models.Files{Config: c, Path: model}, filepath.Base(filepath.Clean(model)), err
	}
	at, err := Locate(ctx, model, say)
	if err != nil {
		return nil, "", err
	}
	if files, err = at.Open(); err != nil {
		return nil, "", err
	}
	return files, at.Name, nil
}
