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

// OpenConfig finds a model's sizes alone: of one of the hub its small files are brought, no weights. The name is what rows
// would call the model.
func OpenConfig(ctx context.Context, model string, say func(string, ...any)) (c models.Config, name string, err error) {
	if shape, ok := strings.CutPrefix(model, shapePrefix); ok {
		files, err := models.OpenShape(shape)
		if err != nil {
			return c, "", runners.Mistake(err)
		}
		return files.Config, model, nil
	}
	if isRepo(model) {
		client, err := Hub()
		if err != nil {
			return c, "", err
		}
		client.Progress = ReportBytes(say)
		repo, err := hub.ParseRepo(hub.Model, model)
		if err != nil {
			return c, "", runners.Mistake(err)
		}
		snapshot, err := client.Ensure(ctx, repo, hub.TextFiles...)
		if err != nil {
			return c, "", err
		}
		c, err = models.ReadConfig(snapshot.Dir)
		return c, repo.ID, err
	}
	if info, err := os.Stat(model); err == nil && info.IsDir() {
		c, err = models.ReadConfig(model)
		return c, filepath.Base(filepath.Clean(model)), err
	}
	at, err := Locate(ctx, model, say)
	if err != nil {
		return c, "", err
	}
	files, err := at.Open()
	if err != nil {
		return c, "", err
	}
	defer files.Close()
	return files.Config, at.Name, nil
}
