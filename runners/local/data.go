package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/snapbench/snapbench/datasets"
	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/hub"
)

// dataRepo is where the rows of a family that the user brings are published.
func dataRepo(c *datasets.Copy) hub.Repo { return hub.Repo{Kind: hub.Dataset, ID: c.Repo} }

// dataPath is what --data takes of a snapshot: its folder, or the one file that holds all.
func dataPath(c *datasets.Copy, s hub.Snapshot) string {
	return filepath.Join(s.Dir, filepath.FromSlash(c.Archive))
}

// CachedData finds a family's rows in the hub's cache.
func CachedData(d datasets.Definition) (path string, err error) {
	client, err := Hub()
	if err != nil {
		return "", err
	}
	c := d.Copy()
	snapshot, err := client.Cached(dataRepo(c), c.Files...)
	if err != nil {
		return "", fmt.Errorf("%w; snapbench datasets pull %s brings it, --data DIR names another place", err, d.Family)
	}
	return dataPath(c, snapshot), nil
}

// PullData brings a family's rows into the hub's cache. It says on w what it replaced there, and how far it is unless
// quiet.
func PullData(ctx context.Context, d datasets.Definition, w io.Writer, quiet bool) (path string, err error) {
	client, err := Hub()
	if err != nil {
		return "", err
	}
	c := d.Copy()
	snapshot, err := pull(ctx, client, dataRepo(c), w, quiet, c.Files...)
	if err != nil {
		return "", err
	}
	return dataPath(c, snapshot), nil
}

// Catalogue describes families of tasks, all of them where none is named, and what of them is on this machine: in data
// or, where that is empty, in the hub's cache. The rows of those named are checked. Data alone is LongBench's.
func Catalogue(families []string, data string) (datasets.Catalogue, error) {
	if data != "" && len(families) == 0 {
		families = []string{"longbench"}
	}
	if data != "" && len(families) > 1 {
		return nil, runners.Mistake(fmt.Errorf("--data: %d data sets at once: want one", len(families)))
	}
	list, err := datasets.NewCatalogue(families)
	if err != nil {
		return nil, runners.Mistake(err)
	}
	for i := range list {
		e := &list[i]
		c := e.Definition.Copy()
		if c == nil && data != "" {
			return nil, runners.Mistake(fmt.Errorf("--data: %s has no rows to bring", e.Family))
		}
		if c == nil {
			continue
		}
		here := data
		if here == "" {
			if here, err = CachedData(e.Definition); errors.Is(err, hub.ErrNotCached) {
				continue
			} else if err != nil {
				return nil, err
			}
		}
		e.Here = here
		if len(families) > 0 {
			if err := e.Check(); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}
