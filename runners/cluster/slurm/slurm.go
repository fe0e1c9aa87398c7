// Package slurm places the parts of a run as one job array of Slurm, by the commands that
// a login node has: sbatch, squeue, scontrol, srun. Slurm gives a part to another node
// when its own dies; what the package adds is that a part which nears its time limit ends
// at a sample's end and queues up again.
package slurm

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/snapbench/snapbench/inputs"
	"github.com/snapbench/snapbench/runners/cluster"
)

func init() {
	cluster.Register(cluster.Definition{
		Name: "slurm",
		Help: "a job array, by sbatch, squeue and scontrol of a machine from which jobs are submitted",
		New:  func() cluster.Engine { return engine{} },
	})
}

type engine struct{}

// logFolder is, in a run's folder, what the jobs print.
const logFolder = "job"

// logFile is what a part's job prints, of all its attempts.
func logFile(id string, w cluster.Work, part int) string {
	return filepath.Join(w.Out, logFolder, fmt.Sprintf("%s_%d.log", id, part))
}

// Submit makes the folder of the logs, without which Slurm could not start a part, and
// submits the script.
func (e engine) Submit(ctx context.Context, w cluster.Work) (string, error) {
	script, err := e.Render(w)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(w.Out, logFolder), 0o755); err != nil {
		return "", fmt.Errorf("the folder of the jobs' logs, which Slurm does not make: %w", err)
	}
	said, err := command(ctx, script, "sbatch", "--parsable")
	// On a federation of clusters the name of the one that took the job follows.
	id, _, _ := strings.Cut(strings.TrimSpace(said), ";")
	switch {
	case isNumber(id): // also where it was ended just then
		return id, nil
	case err == nil:
		return "", fmt.Errorf("sbatch --parsable printed %q: want the number of a job", said)
	case unanswered(err):
		return "", fmt.Errorf("%w; a job may have been submitted all the same: squeue --name=%s lists it, and scancel ends it before the same command submits another", err, w.Name)
	}
	return "", err
}

// Advice names the commands to follow and to stop a job.
func (engine) Advice(id string, w cluster.Work) []string {
	return []string{
		"squeue -r -j " + id + "   # where each part is",
		"tail -F " + quote(filepath.Join(w.Out, logFolder)+"/") + id + "_*.log   # what they print",
		"scancel " + id + "   # stops them all, and " + id + "_3 only part 3",
	}
}

// Log returns the end of what a part's job printed.
func (engine) Log(_ context.Context, id string, w cluster.Work, part int) string {
	const most = 4 << 10
	f, err := inputs.Open(logFile(id, w, part))
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	from := max(0, info.Size()-most)
	text, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if err != nil {
		return ""
	}
	if from > 0 { // begin with a whole line
		if _, after, ok := strings.Cut(string(text), "\n"); ok {
			return after
		}
	}
	return string(text)
}

func isNumber(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}
