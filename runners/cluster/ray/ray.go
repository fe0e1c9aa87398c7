// Package ray places the parts of a run on a Ray cluster, through the REST interface of its
// jobs: nothing of Ray is needed on this machine. One job stands for the run; its driver
// (driver.py) makes a task of each part, and another where a node dies.
package ray

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/results"
	"github.com/snapbench/snapbench/runners/cluster"
)

func init() {
	cluster.Register(cluster.Definition{
		Name: "ray",
		Help: "a Ray cluster, by its jobs' address in " + addressVariable + " or --address=http://HOST:8265; also " + strings.Join(optionNames()[1:], ", "),
		New:  func() cluster.Engine { return &engine{env: os.LookupEnv} },
	})
}

type engine struct {
	env func(string) (string, bool)
}

// newID returns a name that no other job of the cluster has.
func newID(w cluster.Work) string {
	return cmp.Or(w.Name, "snapbench") + "-" + results.Random(4)
}

// connect reads the engine's arguments, and returns a client of the cluster they name.
func (e *engine) connect(w cluster.Work) (*client, options, error) {
	o, err := parseOptions(w, e.env)
	if err != nil {
		return nil, o, err
	}
	return newClient(o.address), o, nil
}

// Render returns a shell script with Ray's own command, which submits what Submit does.
func (e *engine) Render(w cluster.Work) (string, error) {
	o, err := parseOptions(w, e.env)
	if err != nil {
		return "", err
	}
	r, err := jobOf(w, o, newID(w))
	if err != nil {
		return "", err
	}
	return r.script(o.address), nil
}

// Submit gives the cluster one job for all parts.
func (e *engine) Submit(ctx context.Context, w cluster.Work) (string, error) {
	c, o, err := e.connect(w)
	if err != nil {
		return "", err
	}
	r, err := jobOf(w, o, newID(w))
	if err != nil {
		return "", err
	}
	err = c.submit(ctx, r)
	var unsure *unsureError
	if err != nil && !errors.As(err, &unsure) {
		return "", err
	}
	return r.ID, err
}

// States returns where the parts of a job are.
func (e *engine) States(ctx context.Context, id string, w cluster.Work) (map[int]cluster.State, error) {
	c, _, err := e.connect(w)
	if err != nil {
		return nil, err
	}
	info, known, err := c.job(ctx, id)
	if err != nil || !known {
		return nil, err
	}
	states := map[int]cluster.State{}
	for _, i := range w.Parts {
		states[i] = cluster.Waiting
	}
	if info.Status != pending {
		log, err := c.log(ctx, id)
		if err != nil {
			return nil, err
		}
		for i, e := range lastEvents(log, w.Count) {
			if _, ours := states[i]; ours {
				states[i] = e.state()
			}
		}
	}
	if info.over() {
		// Whatever had not ended then was stopped with the job, or died with its driver.
		for i, s := range states {
			if s.Live() {
				states[i] = cluster.Failed
			}
		}
	}
	return states, nil
}

// Advice says how to follow and stop a job, with Ray's command and without.
func (e *engine) Advice(id string, w cluster.Work) []string {
	o, err := parseOptions(w, e.env)
	if err != nil {
		return []string{err.Error()}
	}
	return []string{
		fmt.Sprintf("the outputs of the parts are in %s", logDir(w, id)),
		fmt.Sprintf("follow: ray job logs --address %s --follow %s", o.address, id),
		fmt.Sprintf("stop:   ray job stop --address %s %s", o.address, id),
		fmt.Sprintf("without Ray's command: curl -X POST %s/api/jobs/%s/stop", o.address, id),
	}
}

// logEnd is how many bytes of a log are shown.
const logEnd = 4000

// Log returns the end of the output of a part's latest attempt, or why there is none.
func (e *engine) Log(ctx context.Context, id string, w cluster.Work, part int) string {
	c, _, err := e.connect(w)
	if err != nil {
		return err.Error()
	}
	info, known, err := c.job(ctx, id)
	if err != nil {
		return err.Error()
	}
	if !known {
		return fmt.Sprintf("%s knows no job %s any more", c.base, id)
	}
	log, err := c.log(ctx, id)
	if err != nil {
		return err.Error()
	}
	last, ok := lastEvents(log, w.Count)[part]
	switch {
	case last.Text != "":
		return last.Text
	case ok && !w.Unseen:
		if end, err := partLog(w, id, part, last.Attempt); err == nil && end != "" {
			return end
		}
	}
	text := fmt.Sprintf("job %s is %s", id, info.Status)
	if info.Message != "" {
		text += ": " + info.Message
	}
	if !ok && info.over() { // the driver's own end says more
		text += "\n" + tail(plain(log), logEnd)
	}
	return text
}

// logDir is where the driver writes the outputs of a job's parts.
func logDir(w cluster.Work, id string) string { return filepath.Join(w.Out, "logs", id) }

// partLog returns the end of the file into which an attempt's output goes.
func partLog(w cluster.Work, id string, part int, attempt string) (string, error) {
	if strings.Trim(attempt, "0123456789abcdef") != "" {
		return "", fmt.Errorf("attempt %q is none of the driver's", attempt)
	}
	f, err := inputs.Open(filepath.Join(logDir(w, id), fmt.Sprintf("%d-of-%d.%s.log", part, w.Count, attempt)))
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	data, err := io.ReadAll(io.NewSectionReader(f, max(0, info.Size()-logEnd), logEnd))
	return string(data), err
}

// tail returns the end of a text, whole characters of it.
func tail(text string, most int) string {
	if len(text) > most {
		text = strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return text
}

// Check asks each node that could run a part whether it sees the run's folder and program.
func (e *engine) Check(ctx context.Context, w cluster.Work) (remarks []string, err error) {
	c, o, err := e.connect(w)
	if err != nil {
		return nil, err
	}
	version, err := c.version(ctx)
	if err != nil {
		return nil, err
	}
	if o.autoDevice {
		remarks = append(remarks, "no --device is given: Ray shows the parts no GPU, and they run on CPUs; --device cuda asks Ray for a GPU for each")
	}
	seen, err := c.probe(ctx, w, o)
	if err != nil {
		return nil, err
	}
	if len(seen) == 0 {
		return append(remarks, fmt.Sprintf("no node of %s has %s now: parts wait until one comes", c.base, o.needs())), nil
	}
	var bad, silent, elsewhere []string
	good := 0
	for _, n := range seen {
		switch {
		case n.Silent:
			silent = append(silent, n.String())
			continue
		case n.Error != "":
			bad = append(bad, fmt.Sprintf("%s: %s", n, n.Error))
		case n.Token != w.Token:
			bad = append(bad, fmt.Sprintf("%s: %q in its folder, want %q", n, n.Token, w.Token))
		case !n.Program:
			bad = append(bad, fmt.Sprintf("%s: no program %s", n, w.Program))
		default:
			good++
			if w.Dir != "" && !n.Dir {
				elsewhere = append(elsewhere, n.String())
			}
		}
	}
	if len(bad) > 0 {
		slices.Sort(bad)
		const most = 10
		more := ""
		if n := len(bad) - most; n > 0 {
			bad, more = bad[:most], fmt.Sprintf("\n  and %d more", n)
		}
		return nil, fmt.Errorf("%d of %d nodes of %s cannot run parts in %s, which must be a folder that all share, as the program must be:\n  %s%s",
			len(seen)-good-len(silent), len(seen), c.base, w.Out, strings.Join(bad, "\n  "), more)
	}
	remarks = append(remarks, fmt.Sprintf("Ray %s at %s: %d nodes have %s and see %s", version.Ray, c.base, good, o.needs(), w.Out))
	if len(silent) > 0 {
		remarks = append(remarks, fmt.Sprintf("%d nodes did not say in %v whether they see it: %s", len(silent), probeWait, some(silent)))
	}
	if len(elsewhere) > 0 {
		remarks = append(remarks, fmt.Sprintf("%d nodes have no folder %s: there the parts start in %s, and relative paths are meant from there: %s", len(elsewhere), w.Dir, w.Out, some(elsewhere)))
	}
	return remarks, nil
}

// some names a few of many.
func some(names []string) string {
	const most = 3
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// probeWait is how long nodes may take to say what they see.
const probeWait = time.Minute

// probe runs a job that asks each node with room for a part what it sees. Where it returns an
// error, no such job is left running.
func (c *client) probe(ctx context.Context, w cluster.Work, o options) ([]node, error) {
	r, err := probeOf(w, o, newID(w)+"-check")
	if err != nil {
		return nil, err
	}
	over := false
	defer func() {
		if !over {
			c.giveUp(ctx, r.ID)
		}
	}()
	if err := c.submit(ctx, r); err != nil {
		return nil, err
	}
	for start := time.Now(); ; {
		info, known, err := c.job(ctx, r.ID)
		switch {
		case err != nil:
			return nil, err
		case !known:
			return nil, fmt.Errorf("%s knows nothing any more of job %s, which was to ask its nodes what they see", c.base, r.ID)
		case info.over():
			over = true
			log, err := c.log(ctx, r.ID)
			if err != nil {
				return nil, err
			}
			if info.Status != succeeded {
				return nil, fmt.Errorf("%s: the job that asks the nodes what they see is %s: %s\n%s", c.base, info.Status, info.Message, tail(plain(log), logEnd))
			}
			return nodes(log), nil
		case time.Since(start) > 3*probeWait:
			return nil, fmt.Errorf("%s: the job that asks the nodes what they see is still %s after %v", c.base, info.Status, 3*probeWait)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// giveUp stops a job that nobody waits for any more. It has done no harm where the cluster
// does not hear it.
func (c *client) giveUp(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = c.stop(ctx, id)
}

var errNoAddress = errors.New("which Ray cluster? give its jobs' address, as " + addressVariable + "=http://HOST:8265, or by --address=http://HOST:8265 among the engine's arguments")
