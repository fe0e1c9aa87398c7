package cluster

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/runners/server/process"
)

// Asked is a placement in a user's words: which engine, how many parts, and what the machines
// find there. Errors name the flags of snapbench.
type Asked struct {
	On         string // the engine's name
	EngineArgs string // as one types them in a shell
	Program    string // on the machines; empty: this one, or the image's
	Image      string
	Claim      string
	Shards     int // parts
	AtOnce     int
	Grace      time.Duration

	Command   string   // the first word of what a part is asked
	Arguments []string // the others
	Out       string   // the run's folder; empty: one named by what is asked
	Date      string   // that the user gave, in Arguments too; empty: parts are told today's
	Retry     bool
}

// Check refuses an engine that there is none of, and numbers that place nothing.
func (a Asked) Check() error {
	_, err := Open(a.On)
	switch {
	case err != nil:
		return fmt.Errorf("--on: %w", err)
	case a.Shards < 1:
		return fmt.Errorf("--shards %d: of how many parts is the run to be made? want 1 or more", a.Shards)
	case a.AtOnce < 0 || a.Grace < 0:
		return fmt.Errorf("--at-once %d, --grace %v: want neither below 0", a.AtOnce, a.Grace)
	}
	return nil
}

// Placement is what the engine is to place: the command, in parts, into a folder.
func (a Asked) Placement() (p *Placement, err error) {
	p = &Placement{On: a.On, Retry: a.Retry}
	if p.Engine, err = Open(a.On); err != nil {
		return nil, fmt.Errorf("--on: %w", err)
	}
	w := &p.Work
	w.Arguments = slices.Concat([]string{a.Command}, a.Arguments)
	if a.Out == "" {
		a.Out = filepath.Join("runs", fmt.Sprintf("%s-%.6x", a.Command, sha256.Sum256([]byte(strings.Join(w.Arguments, "\x00")))))
	}
	if err := NoObjectStore(a.Out); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	if a.Date == "" { // parts that begin on either side of midnight must be told the same day
		w.Arguments = slices.Insert(w.Arguments, 1, "--date="+time.Now().Format(time.DateOnly))
	}
	if w.Dir, err = os.Getwd(); err != nil {
		return nil, err
	}
	if p.Dir, err = filepath.Abs(a.Out); err != nil {
		return nil, err
	}
	switch {
	case a.Program != "":
		w.Program = a.Program
	case a.Image != "":
		w.Program = "snapbench"
	default:
		if w.Program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if w.EngineArgs, err = process.Words(a.EngineArgs); err != nil {
		return nil, fmt.Errorf("--engine-args %q: %w", a.EngineArgs, err)
	}
	w.Name, w.Out, w.Count, w.AtOnce = JobName(p.Dir), p.Dir, a.Shards, a.AtOnce
	w.Grace, w.Image, w.Claim = a.Grace, a.Image, a.Claim
	if placer, ok := p.Engine.(Placer); ok {
		err = placer.Place(p.Dir, w)
	}
	return p, err
}
