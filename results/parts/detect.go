package parts

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/results"
)

// Environment returns a variable of the environment and whether it is set, as
// os.LookupEnv does.
type Environment func(name string) (value string, ok bool)

// Variables that snapbench's own jobs set.
const (
	PartVariable    = "SNAPBENCH_SHARD"   // the part, as 3/16
	CountVariable   = "SNAPBENCH_SHARDS"  // the number of parts, where the engine knows the index alone
	ListVariable    = "SNAPBENCH_PARTS"   // which parts a job's indexes stand for, as 1,5,7; all where it is not set
	AttemptVariable = "SNAPBENCH_ATTEMPT" // names the attempt
)

// source is an engine's way to say which part a process is.
type source struct {
	name  string
	index string // a variable
	first string // variable of the lowest index; empty: 0
	count string // variable of the number of parts
}

// sources in the order in which they are asked. Each engine's documentation names its
// variables: Slurm's sbatch ("job array", "output environment variables") and srun,
// Kubernetes' Indexed Jobs, AWS Batch's array jobs, SkyPilot's distributed jobs, and
// torchrun's, which MPI launchers follow.
var sources = []source{
	{name: "a Slurm array", index: "SLURM_ARRAY_TASK_ID", first: "SLURM_ARRAY_TASK_MIN", count: "SLURM_ARRAY_TASK_COUNT"},
	{name: "Slurm's srun", index: "SLURM_PROCID", count: "SLURM_NTASKS"},
	{name: "a Kubernetes Indexed Job", index: "JOB_COMPLETION_INDEX", count: CountVariable},
	{name: "an AWS Batch array", index: "AWS_BATCH_JOB_ARRAY_INDEX", count: "AWS_BATCH_JOB_ARRAY_SIZE"},
	{name: "SkyPilot", index: "SKYPILOT_NODE_RANK", count: "SKYPILOT_NUM_NODES"},
	{name: "torchrun", index: "RANK", count: "WORLD_SIZE"},
}

// Find returns the part that a text asks for: I/N, "auto" for the one that the
// environment says, or nothing for the zero Part. How tells what of the environment said
// it; it is empty otherwise.
func Find(text string, env Environment) (p Part, how string, err error) {
	switch text {
	case "":
		return Part{}, "", nil
	case "auto":
		if p, how, err = Detect(env); err != nil {
			err = fmt.Errorf("auto: %w", err)
		}
		return p, how, err
	}
	p, err = Parse(text)
	return p, "", err
}

// Detect returns the part that this process is by its environment, and which variables
// said so.
func Detect(env Environment) (p Part, how string, err error) {
	if text, ok := env(PartVariable); ok {
		p, err := Parse(text)
		if err != nil {
			return Part{}, "", fmt.Errorf("%s=%w", PartVariable, err)
		}
		return p, fmt.Sprintf("%s=%s", PartVariable, text), nil
	}
	var asked []string
	for _, s := range sources {
		asked = append(asked, s.index)
		text, ok := env(s.index)
		if !ok {
			continue
		}
		p, err := s.part(env, text)
		if err != nil {
			return Part{}, "", err
		}
		return p, fmt.Sprintf("%s, %s=%s", s.name, s.index, text), nil
	}
	return Part{}, "", fmt.Errorf("the environment does not say which part this is: none of %s, %s is set", PartVariable, strings.Join(asked, ", "))
}

// part reads a source's variables.
func (s source) part(env Environment, index string) (Part, error) {
	number := func(variable, text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, fmt.Errorf("%s=%q: want a number", variable, text)
		}
		return n, nil
	}
	i, err := number(s.index, index)
	if err != nil {
		return Part{}, err
	}
	text, ok := env(s.count)
	if !ok {
		return Part{}, fmt.Errorf("%s=%s without %s, which says how many parts there are", s.index, index, s.count)
	}
	n, err := number(s.count, text)
	if err != nil {
		return Part{}, err
	}
	first := 0
	if s.first != "" {
		text, ok := env(s.first)
		if !ok {
			return Part{}, fmt.Errorf("%s=%s without %s, which says where the parts begin", s.index, index, s.first)
		}
		if first, err = number(s.first, text); err != nil {
			return Part{}, err
		}
	}
	if s.count == CountVariable {
		if i, err = listed(env, i); err != nil {
			return Part{}, err
		}
	}
	p, err := check(i-first, n)
	if err != nil {
		return Part{}, fmt.Errorf("%s=%s, %s: %w", s.index, index, s.count, err)
	}
	return p, nil
}

// listed returns the part that a job's index stands for.
func listed(env Environment, index int) (int, error) {
	text, ok := env(ListVariable)
	if !ok {
		return index, nil
	}
	list := strings.Split(text, ",")
	if index < 0 || index >= len(list) {
		return 0, fmt.Errorf("%s=%q has no index %d", ListVariable, text, index)
	}
	i, err := strconv.Atoi(list[index])
	if err != nil {
		return 0, fmt.Errorf("%s=%q: want numbers separated by commas", ListVariable, text)
	}
	return i, nil
}

// AttemptName returns the name of this process's attempt: what its job says, else the
// Slurm job and how often it was started again, else this machine with random digits.
func AttemptName(env Environment) (string, error) {
	if name, ok := env(AttemptVariable); ok {
		if err := checkName(name); err != nil {
			return "", fmt.Errorf("%s=%q: %w", AttemptVariable, name, err)
		}
		return name, nil
	}
	if id, ok := env("SLURM_JOB_ID"); ok && checkName(id) == nil {
		restart, ok := env("SLURM_RESTART_COUNT")
		if !ok {
			restart = "0"
		}
		name := "slurm-" + id + "." + restart
		// Several processes of one job are several attempts.
		if process, ok := env("SLURM_PROCID"); ok && process != "0" {
			name += "." + process
		}
		if checkName(name) == nil {
			return name, nil
		}
	}
	return results.Host() + "-" + results.Random(4), nil
}

// checkName refuses what is no plain name of a folder on every system.
func checkName(name string) error {
	const most = 200
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || slices.Contains([]rune("._-"), r)
	}
	switch {
	case name == "" || len(name) > most:
		return fmt.Errorf("want 1 to %d characters", most)
	case name[0] == '.' || strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }):
		return errors.New("want letters, digits, dots, hyphens and underscores, and no dot first")
	}
	return nil
}
