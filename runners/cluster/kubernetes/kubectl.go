package kubernetes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/snapbench/snapbench/runners/server/process"
)

// kubectl is the program, with the flags that say which cluster and namespace are meant.
type kubectl struct{ flags []string }

// patience is how long one answer of the API may take.
const patience = time.Minute

// find refuses where there is no kubectl.
func (kubectl) find() error {
	if _, err := exec.LookPath("kubectl"); err != nil {
		return errors.New("kubectl is not on the PATH: snapbench reaches Kubernetes through it; https://kubernetes.io/docs/tasks/tools says how to install it, and `kubectl get nodes` whether it reaches your cluster")
	}
	return nil
}

// run runs kubectl with what it reads and returns what it printed.
func (k kubectl) run(ctx context.Context, stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var out bytes.Buffer
	err := k.stream(ctx, stdin, &out, args...)
	return out.String(), err
}

// stream is run without a limit of its own.
func (k kubectl) stream(ctx context.Context, stdin string, stdout io.Writer, args ...string) error {
	if err := k.find(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "kubectl", append(append([]string{}, k.flags...), args...)...)
	cmd.WaitDelay = time.Second
	process.OwnGroup(cmd) // a Ctrl-C in the terminal is for us, who decide what it ends
	if stdin != "" {
		cmd.Stdin = strings.NewReader(stdin)
	}
	var told bytes.Buffer
	cmd.Stdout, cmd.Stderr = stdout, &told
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no answer in time: %w", err)
		}
	}
	return &kubectlError{k.line(args...), strings.TrimSpace(told.String()), err}
}

// line is the command as a person types it.
func (k kubectl) line(args ...string) string {
	return strings.Join(append(append([]string{"kubectl"}, k.flags...), args...), " ")
}

// kubectlError is a command that failed, with what it told.
type kubectlError struct {
	line, told string
	err        error
}

func (e *kubectlError) Error() string {
	if e.told == "" {
		return fmt.Sprintf("%s: %v", e.line, e.err)
	}
	return fmt.Sprintf("%s: %s", e.line, e.told)
}

func (e *kubectlError) Unwrap() error { return e.err }

// notFound says that the API answered, and does not have the thing.
func notFound(err error) bool {
	var failed *kubectlError
	return errors.As(err, &failed) && strings.Contains(failed.told, "(NotFound)")
}
