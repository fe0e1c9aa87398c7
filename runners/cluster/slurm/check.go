package slurm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster"
)

const (
	// A controller that is up answers in milliseconds; one that is down makes Slurm's
	// commands try for longer than a person waits.
	answerWithin = 30 * time.Second
	// How many nodes are asked for the folder, and how long one must have to be free.
	mostAsked  = 8
	freeWithin = 5 * time.Second
	// How long nodes that were free may take to read a file.
	readWithin = 30 * time.Second
)

// Check asks the controller how long an array may be, and some nodes that are free now
// whether they see the run's folder and the program.
func (engine) Check(ctx context.Context, w cluster.Work) (remarks []string, err error) {
	for _, name := range []string{"sbatch", "squeue", "scontrol", "srun"} {
		if err := installed(name); err != nil {
			return nil, err
		}
	}
	options, err := parseOptions(w.EngineArgs)
	if err != nil {
		return nil, err
	}
	answer, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	said, err := command(answer, "", "scontrol", "show", "config")
	if err != nil {
		return nil, fmt.Errorf("the controller does not answer: %w", err)
	}
	if err := fits(said, w); err != nil {
		return nil, err
	}
	return askNodes(ctx, w, options)
}

// fits is an error where the array would be longer than the cluster allows.
func fits(config string, w cluster.Work) error {
	for line := range strings.Lines(config) {
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.TrimSpace(name) != "MaxArraySize" {
			continue
		}
		most, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil {
			return fmt.Errorf("scontrol show config: MaxArraySize is %q: want a number", strings.TrimSpace(value))
		}
		if last := slices.Max(w.Parts); last >= most {
			return fmt.Errorf("part %d of %d: this cluster's arrays end at %d (its MaxArraySize is %d): make at most %d parts of the run", last, w.Count, most-1, most, most)
		}
		return nil
	}
	return errors.New("scontrol show config does not name MaxArraySize: is this Slurm?")
}

// question is what a node runs: it prints its name, what the file of the first argument
// holds or why it cannot be read, and whether there is a program as the second.
const question = `if text=$(cat "$1" 2>&1); then read=yes; else read=no; fi
if command -v "$2" >/dev/null; then program=yes; else program=no; fi
printf '%s|%s|%s|%s\n' "${SLURMD_NODENAME:-$(hostname)}" $read $program "$(printf %s "$text" | tr '\n' ' ')"`

// askNodes is an error where a node that is free now does not see the run's folder. It
// asks as many as are free, some at most, in one job of a few seconds.
func askNodes(ctx context.Context, w cluster.Work, options []option) (remarks []string, err error) {
	args := []string{"--quiet", "--job-name=" + w.Name + "-check", fmt.Sprintf("--immediate=%d", freeWithin/time.Second),
		fmt.Sprintf("--nodes=1-%d", mostAsked), "--mem=64", "--chdir=/"}
	for _, o := range options {
		if slices.Contains(selecting, o.name) {
			args = append(args, o.words...)
		}
	}
	args = append(args, "--time=1", "sh", "-c", question, "sh", filepath.Join(w.Out, parts.TokenFile), w.Program)
	asking, cancel := context.WithTimeout(ctx, freeWithin+readWithin)
	defer cancel()
	said, err := command(asking, "", "srun", args...)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	answers, bad := parseAnswers(said)
	if err := judge(answers, w); err != nil {
		return nil, err
	}
	const later = "each part checks it when it starts"
	var failed *commandError
	switch {
	case errors.As(err, &failed) && errors.Is(err, context.DeadlineExceeded):
		return []string{fmt.Sprintf("whether nodes see %s could not be asked: no answer within %v; %s", w.Out, freeWithin+readWithin, later)}, nil
	case errors.As(err, &failed):
		why := failed.Said[strings.LastIndexByte(failed.Said, '\n')+1:]
		return []string{fmt.Sprintf("whether nodes see %s could not be asked now (%s); %s", w.Out, strings.TrimPrefix(why, "srun: error: "), later)}, nil
	case err != nil:
		return nil, err
	case bad != "":
		return nil, fmt.Errorf("srun printed %q: want what nodes say of the run's folder", bad)
	}
	var names []string
	for _, a := range answers {
		names = append(names, a.node)
	}
	return []string{fmt.Sprintf("%s is seen by %s; every other node checks it when it gets a part", w.Out, strings.Join(names, ", "))}, nil
}

// answer is what a node says.
type answer struct {
	node          string
	read, program bool
	text          string
}

// parseAnswers reads what nodes print. A line that is no answer, such as one of a
// prolog's, is returned only where there is no answer at all.
func parseAnswers(text string) (list []answer, bad string) {
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), "|", 4)
		yesNo := func(s string) bool { return s == "yes" || s == "no" }
		if len(f) != 4 || f[0] == "" || !yesNo(f[1]) || !yesNo(f[2]) {
			bad = line
			continue
		}
		list = append(list, answer{f[0], f[1] == "yes", f[2] == "yes", strings.TrimSpace(f[3])})
	}
	slices.SortFunc(list, func(a, b answer) int { return strings.Compare(a.node, b.node) })
	if len(list) > 0 {
		return list, ""
	}
	if bad == "" {
		bad = text
	}
	return nil, bad
}

// judge is an error of the first node that cannot run a part.
func judge(answers []answer, w cluster.Work) error {
	path := filepath.Join(w.Out, parts.TokenFile)
	for _, a := range answers {
		switch {
		case !a.read:
			return fmt.Errorf("node %s does not see the run's folder, which must be one that all nodes share: %s", a.node, a.text)
		case a.text != w.Token:
			return fmt.Errorf("node %s has another folder under the name of the run's, which must be one that all nodes share: %s is %q there, want %q", a.node, path, a.text, w.Token)
		case !a.program:
			return fmt.Errorf("node %s has no program %s: put it where all nodes see it", a.node, w.Program)
		}
	}
	return nil
}
