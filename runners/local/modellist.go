package local

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/runners/hub"
	"github.com/snapbench/snapbench/runners/models"
	"github.com/snapbench/snapbench/runners/models/embedded"
)

// Models are the models that --model may name without a path or a download.
type Models struct {
	Cache  string        `json:"cache"` // the hub's, a folder
	Cached []CachedModel `json:"models"`
	Kept   []KeptModel   `json:"files"` // in the user's cache
	Shapes []string      `json:"shapes"`
}

// CachedModel is a snapshot of a model in the hub's cache.
type CachedModel struct {
	Model  string   `json:"model"`
	Commit string   `json:"commit"`
	Refs   []string `json:"refs"`
	Bytes  int64    `json:"bytes"`
}

// ListModels lists the models. An error may stand beside a list: it says what of the cache could
// not be read.
func ListModels() (*Models, error) {
	client, err := Hub()
	if err != nil {
		return nil, err
	}
	m := &Models{Cache: client.Cache, Cached: []CachedModel{}, Shapes: models.Shapes()}
	repos, err := client.List()
	var failed error
	m.Kept, failed = KeptModels()
	err = errors.Join(err, failed)
	for _, r := range repos {
		if r.Repo.Kind != hub.Model {
			continue
		}
		for _, s := range r.Snapshots {
			m.Cached = append(m.Cached, CachedModel{r.Repo.ID, s.Commit, s.Refs, s.Bytes})
		}
	}
	return m, err
}

// Print writes a line for each cached model, and the others by their names.
func (m *Models) Print(w io.Writer) error {
	fmt.Fprintf(w, "in %s:\n", m.Cache)
	for _, l := range m.Cached {
		fmt.Fprintf(w, "  %-40s %s %s %.2f GB\n", l.Model, l.Commit[:12], strings.Join(l.Refs, ","), float64(l.Bytes)/1e9)
	}
	if len(m.Cached) == 0 {
		fmt.Fprintln(w, "  none; snapbench models pull org/name brings one")
	}
	if len(m.Kept) > 0 {
		fmt.Fprintf(w, "in %s, by name:\n", filepath.Dir(m.Kept[0].Path))
		for _, k := range m.Kept {
			fmt.Fprintf(w, "  %-40s %.2f GB\n", k.Model, float64(k.Bytes)/1e9)
		}
	}
	fmt.Fprintf(w, "inside this program: %s\n", embedded.Name)
	_, err := fmt.Fprintf(w, "shapes with random weights, for speed: shape:%s\n", strings.Join(m.Shapes, ", shape:"))
	return err
}

// ModelNames are the models that a name alone finds.
func ModelNames() []string {
	names := []string{DefaultModel}
	for _, shape := range models.Shapes() {
		names = append(names, "shape:"+shape)
	}
	kept, err := KeptModels()
	if err != nil {
		return names // a shell that completes has nobody to tell
	}
	for _, k := range kept {
		names = append(names, k.Model)
	}
	return names
}
