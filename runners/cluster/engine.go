// Package cluster places the parts of a run (package parts) on many machines, by an
// engine that a cluster has already: it submits, follows, and joins. It schedules
// nothing itself. What a part does, and what a join refuses, is the same on every engine
// and by hand.
//
// An engine is one package below this one, which registers a [Definition].
package cluster

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/inputs/lookup"
)

// Again is the exit status of a part that ended early because SIGUSR1 asked it to, with
// something done: whoever started it starts it again.
const Again = 5

// Engine starts a run's parts on the machines that it has.
type Engine interface {
	// Render returns what is submitted, as a person may submit it with the engine's own
	// tools: a job script, a manifest.
	Render(w Work) (string, error)
	// Check reports, before anything is submitted, whether the engine can be reached and
	// its machines see the run's folder: each of those that it asked must read w.Token in
	// the file parts.TokenFile of w.Out. What it could not find out, such as where no machine
	// is free now, is a remark for the user.
	Check(ctx context.Context, w Work) (remarks []string, err error)
	// Submit places the work, and returns the name by which the engine knows it. A name
	// beside an error is that of work that may have been placed all the same.
	Submit(ctx context.Context, w Work) (id string, err error)
	// States returns where the parts of submitted work are; parts that the engine does
	// not know any more are absent.
	States(ctx context.Context, id string, w Work) (map[int]State, error)
	// Advice says by which commands a person follows and stops submitted work.
	Advice(id string, w Work) []string
	// Log returns the end of a part's output, for a person; empty where there is none.
	Log(ctx context.Context, id string, w Work, part int) string
}

// Fetcher is an engine whose folder this machine may not see (Work.Unseen): it brings a
// run that is joined there.
type Fetcher interface {
	// Fetch copies run.json, results.parquet and the summaries of w.Out into a folder
	// here. It is an error of fs.ErrNotExist where the run is not joined yet.
	Fetch(ctx context.Context, id string, w Work, dir string) error
}

// Placer is an engine whose machines see folders of this machine under other names, or
// not at all.
type Placer interface {
	// Place sets w.Out and w.Unseen for a run's folder here, by w.Claim.
	Place(dir string, w *Work) error
}

// State is where a part is, by its engine.
type State int

// States of a part. One that failed is not started again by the engine; a node's death
// or a time limit brings a part back to Waiting.
const (
	Waiting State = iota + 1
	Running
	Ended
	Failed
)

func (s State) String() string {
	return [...]string{"unknown", "waiting", "running", "ended", "failed"}[s]
}

// Live says that the engine will still do something about the part.
func (s State) Live() bool { return s == Waiting || s == Running }

// Work is what an engine places: some or all of a run's parts.
type Work struct {
	Name      string   // for the engine's listings: lower-case letters, digits, hyphens; at most 40
	Program   string   // path of snapbench on the machines
	Arguments []string // of snapbench: the command and its flags, without --out and --shard
	Dir       string   // in which the command was given: its relative paths are meant from there
	Out       string   // the run's folder as the machines see it: an absolute path
	Unseen    bool     // this machine does not see Out
	Parts     []int    // those to run, in order
	Count     int      // of how many the run is made
	AtOnce    int      // most parts at the same time; 0: as many as the engine likes
	Token     string   // what parts.TokenFile holds; parts get it as parts.TokenVariable
	// Grace is how long before a time limit a part is asked to end at a sample's end.
	Grace time.Duration
	// Arguments of the engine's own, as given by the user.
	EngineArgs []string
	Image      string // of containers, where the engine starts any
	Claim      string // of a volume that all machines may write, where the engine mounts one
}

// Command is snapbench's command line for one part: the program, its arguments, --out and
// --shard. The part is as package parts reads it: "3/16", or "auto".
func (w Work) Command(part string) []string {
	return slices.Concat([]string{w.Program}, w.Arguments, []string{"--out", w.Out, "--shard", part})
}

// Definition is an engine that can be chosen.
type Definition struct {
	Name string
	Help string // in a line: how it is reached, what it needs
	New  func() Engine
}

var definitions []Definition

// Register adds an engine. Its package calls it once, as the program starts.
func Register(d Definition) {
	definitions = append(definitions, d)
	slices.SortFunc(definitions, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
}

// Definitions returns the engines that can be chosen, by name.
func Definitions() []Definition { return slices.Clone(definitions) }

// Names returns the engines' names.
func Names() (names []string) {
	for _, d := range definitions {
		names = append(names, d.Name)
	}
	return names
}

// Open returns the engine of a name.
func Open(name string) (Engine, error) {
	for _, d := range definitions {
		if d.Name == name {
			return d.New(), nil
		}
	}
	return nil, lookup.Unknown("engine", name, Names()...)
}
