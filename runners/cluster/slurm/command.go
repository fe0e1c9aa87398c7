package slurm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/runners/server/process"
)

// command runs one of Slurm's commands and returns what it prints.
func command(ctx context.Context, stdin, name string, args ...string) (string, error) {
	if err := installed(name); err != nil {
		return "", err
	}
	c := exec.CommandContext(ctx, name, args...)
	// srun gives back its nodes when it is asked to end, not when it is killed.
	c.Cancel = func() error { return interrupt(c.Process) }
	c.WaitDelay = 5 * time.Second
	c.Env = environment(os.Environ())
	c.Stdin = strings.NewReader(stdin)
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	process.OwnGroup(c) // a Ctrl-C in the terminal is for us, who decide what it ends
	err := c.Run()
	if err == nil {
		return out.String(), nil
	}
	failed := &commandError{Line: strings.Join(append([]string{name}, args...), " "), Said: strings.TrimSpace(said.String()), err: err}
	if ctx.Err() != nil {
		failed.err = ctx.Err()
	}
	return out.String(), failed
}

// commandError is a command that failed.
type commandError struct {
	Line string
	Said string // on standard error
	err  error
}

func (e *commandError) Error() string {
	if e.Said == "" {
		return fmt.Sprintf("%s: %v", e.Line, e.err)
	}
	return fmt.Sprintf("%s: %v: %s", e.Line, e.err, e.Said)
}

// unanswered says that a command failed without the controller's word on what it asked: it
// was ended, or the answer was lost.
func unanswered(err error) bool {
	var failed *commandError
	if !errors.As(err, &failed) {
		return false
	}
	var exit *exec.ExitError
	if ended := errors.As(failed.err, &exit) && !exit.Exited(); ended || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, exec.ErrWaitDelay) {
		return true
	}
	return strings.Contains(failed.Said, "timed out") || strings.Contains(failed.Said, "Zero Bytes were transmitted or received")
}

func (e *commandError) Unwrap() error { return e.err }

// installed is an error where a command is not there.
func installed(name string) error {
	_, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%s is not here: run this on a machine from which jobs are submitted, such as a login node "+
			"(its commands are the package slurm-client of Debian and Ubuntu, slurm of Fedora and EPEL)", name)
	}
	return err
}

// asked are variables by which a user tells Slurm's commands where to submit. Others of
// SLURM_ describe a job that this process runs in: srun would take them as a wish to run
// inside of that job, and the parts would inherit them.
var asked = []string{"SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_CLUSTERS", "SLURM_ACCOUNT", "SLURM_PARTITION", "SLURM_QOS", "SLURM_RESERVATION", "SLURM_CONSTRAINT", "SLURM_JWT"}

// decided are variables that would override what the script says of things that are not
// the user's to choose. (Those of squeue hide jobs.)
var decided = []string{"SBATCH_ARRAY_INX", "SBATCH_CLUSTERS", "SBATCH_ERROR", "SBATCH_JOB_NAME", "SBATCH_NO_REQUEUE", "SBATCH_OPEN_MODE", "SBATCH_OUTPUT", "SBATCH_REQUEUE", "SBATCH_SIGNAL", "SBATCH_WAIT"}

func environment(all []string) (list []string) {
	for _, entry := range all {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "SLURM_") && !slices.Contains(asked, name) || slices.Contains(decided, name) || strings.HasPrefix(name, "SQUEUE_") {
			continue
		}
		list = append(list, entry)
	}
	return list
}
