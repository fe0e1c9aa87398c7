package local

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/snapbench/snapbench/runners/hub"
)

// longBench is where the benchmark's authors publish it, in one archive.
var longBench = hub.Repo{Kind: hub.Dataset, ID: "THUDM/LongBench"}

const longBenchArchive = "data.zip"

// CachedLongBench finds LongBench's archive in the hub's cache.
func CachedLongBench() (path string, err error) {
	client, err := Hub()
	if err != nil {
		return "", err
	}
	snapshot, err := client.Cached(longBench, longBenchArchive)
	if err != nil {
		return "", fmt.Errorf("%w; snapbench datasets pull longbench brings it, --data DIR names another place", err)
	}
	return filepath.Join(snapshot.Dir, longBenchArchive), nil
}

// PullLongBench brings LongBench's archive into the hub's cache. It says on w what it
// replaced there, and how far it is unless quiet.
func PullLongBench(ctx context.Context, w io.Writer, quiet bool) (path string, err error) {
	client, err := Hub()
	if err != nil {
		return "", err
	}
	snapshot, err := pull(ctx, client, longBench, w, quiet, longBenchArchive)
	if err != nil {
		return "", err
	}
	return filepath.Join(snapshot.Dir, longBenchArchive), nil
}
