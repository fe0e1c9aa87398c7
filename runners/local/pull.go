package local

import (
	"context"
	"io"

	"github.com/snapbench/snapbench/runners"
	"github.com/snapbench/snapbench/runners/hub"
)

// PullModel brings a model, ORG/NAME or ORG/NAME@REVISION, into the hub's cache. It says on
// w what it replaced there, and how far it is unless quiet.
func PullModel(ctx context.Context, name string, w io.Writer, quiet bool) (hub.Repo, hub.Snapshot, error) {
	client, err := Hub()
	if err != nil {
		return hub.Repo{}, hub.Snapshot{}, err
	}
	repo, err := hub.ParseRepo(hub.Model, name)
	if err != nil {
		return repo, hub.Snapshot{}, runners.Mistake(err)
	}
	snapshot, err := pull(ctx, client, repo, w, quiet, hub.ModelFiles...)
	return repo, snapshot, err
}

// pull brings files of a repository into the hub's cache.
func pull(ctx context.Context, client *hub.Client, repo hub.Repo, w io.Writer, quiet bool, files ...string) (hub.Snapshot, error) {
	if !quiet {
		client.Progress = ReportBytes(SayTo(w))
	}
	snapshot, err := client.Pull(ctx, repo, files...)
	if err != nil {
		return snapshot, err
	}
	SayReplaced(w, snapshot)
	return snapshot, nil
}
