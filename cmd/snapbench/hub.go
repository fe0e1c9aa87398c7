package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/snapbench/snapbench/runners/hub"
)

func newHub() (*hub.Client, error) { return hub.FromEnv(os.Getenv) }

// isRepo tells org/name[@revision] from a path: nothing of that name lies here.
func isRepo(name string) bool {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, err := hub.ParseRepo(hub.Model, name)
	return err == nil && strings.Count(name, "/") == 1 && !strings.HasPrefix(name, ".")
}

// findModel brings a model of the hub into the cache, unless it is there.
func findModel(ctx context.Context, name string, say func(string, ...any)) (hub.Snapshot, error) {
	client, err := newHub()
	if err != nil {
		return hub.Snapshot{}, err
	}
	client.Progress = reportBytes(say)
	repo, err := hub.ParseRepo(hub.Model, name)
	if err != nil {
		return hub.Snapshot{}, usage(err)
	}
	return client.Ensure(ctx, repo, hub.ModelFiles...)
}

// reportBytes says every twentieth of a download.
func reportBytes(say func(string, ...any)) func(hub.Progress) {
	told := int64(-1)
	return func(p hub.Progress) {
		if p.Total == 0 {
			return
		}
		if step := 20 * p.AllDone / p.Total; step != told {
			told = step
			waiting := ""
			if p.Waiting {
				waiting = ", another process is downloading it"
			}
			say("downloading: %d %% of %.2f GB, %s%s", 5*step, float64(p.Total)/1e9, p.File, waiting)
		}
	}
}

func sayTo(w interface{ Write([]byte) (int, error) }) func(string, ...any) {
	return func(format string, arguments ...any) { fmt.Fprintf(w, format+"\n", arguments...) }
}
