package ray

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster"
)

//go:embed driver.py
var driver string

//go:embed probe.py
var prober string

// specVariable holds, in JSON, what a job is to do.
const specVariable = "SNAPBENCH_RAY"

// longest is the largest variable that Linux hands to a program, its name included.
const longest = 128<<10 - 1

// request is a job as Ray's REST interface takes it.
type request struct {
	ID         string            `json:"submission_id"`
	Entrypoint string            `json:"entrypoint"`
	Runtime    runtimeEnv        `json:"runtime_env"`
	Metadata   map[string]string `json:"metadata"`
}

type runtimeEnv struct {
	Env map[string]string `json:"env_vars"`
}

// jobSpec is what driver.py reads.
type jobSpec struct {
	Job             string            `json:"job"`
	Argv            []string          `json:"argv"`  // of a part, which follows
	Parts           string            `json:"parts"` // 1,5-7
	Count           int               `json:"count"`
	AtOnce          int               `json:"at_once"`
	Resources       map[string]any    `json:"resources"` // as Ray's options of a task
	Environment     map[string]string `json:"environment"`
	AttemptVariable string            `json:"attempt_variable"`
	Dir             string            `json:"dir"`
	Out             string            `json:"out"`
	Logs            string            `json:"logs"`
}

// jobOf returns the job that runs the work's parts.
func jobOf(w cluster.Work, o options, id string) (request, error) {
	command := w.Command("")
	environment := map[string]string{parts.TokenVariable: w.Token}
	if o.threads {
		// Ray counts CPUs, and does not keep a task from using others.
		environment["GOMAXPROCS"] = strconv.Itoa(max(1, int(o.cpus)))
	}
	if o.gpus == 0 && !o.onGPU {
		// Some versions of Ray show a task that asks for no GPU all of them.
		environment["CUDA_VISIBLE_DEVICES"] = ""
	}
	for name, value := range o.env {
		environment[name] = value
	}
	resources := map[string]any{"num_cpus": o.cpus, "num_gpus": o.gpus}
	if len(o.resources) > 0 {
		resources["resources"] = o.resources
	}
	r, err := newRequest(id, driver, w, jobSpec{
		Job: id, Argv: command[:len(command)-1], Parts: ranges(w.Parts), Count: w.Count, AtOnce: w.AtOnce,
		Resources: resources, Environment: environment, AttemptVariable: parts.AttemptVariable,
		Dir: w.Dir, Out: w.Out, Logs: logDir(w, id),
	})
	if n := len(specVariable) + 1 + len(r.Runtime.Env[specVariable]); err == nil && n > longest {
		return r, fmt.Errorf("the command and the numbers of its %d parts take %d bytes, of which a job may have %d: run fewer parts at a time", len(w.Parts), n, longest)
	}
	return r, err
}

// probeSpec is what probe.py reads.
type probeSpec struct {
	TokenFile string             `json:"token_file"`
	Program   string             `json:"program"`
	Dir       string             `json:"dir"`
	Needs     map[string]float64 `json:"needs"`
	Seconds   float64            `json:"seconds"`
}

// probeOf returns the job that asks the nodes what they see.
func probeOf(w cluster.Work, o options, id string) (request, error) {
	return newRequest(id, prober, w, probeSpec{filepath.Join(w.Out, parts.TokenFile), w.Program, w.Dir, o.total(), probeWait.Seconds()})
}

func newRequest(id, program string, w cluster.Work, spec any) (request, error) {
	text, err := json.Marshal(spec)
	if err != nil {
		return request{}, err
	}
	return request{
		ID:         id,
		Entrypoint: "python3 -c '" + program + "'", // the programs have no quotes of this kind
		Runtime:    runtimeEnv{map[string]string{specVariable: string(text)}},
		Metadata:   map[string]string{"snapbench": w.Out},
	}, nil
}

// script returns a shell script that submits the job with Ray's own command.
func (r request) script(address string) string {
	encode := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // of maps of strings there is always JSON
		}
		return quote(string(text))
	}
	return fmt.Sprintf(`#!/bin/sh
# Submits parts of a run of snapbench to a Ray cluster. Ray refuses a second job of this
# name, so the script does nothing when it runs again.
exec ray job submit --no-wait --address %s --submission-id %s \
  --metadata-json %s \
  --runtime-env-json %s \
  -- %s
`, quote(address), quote(r.ID), encode(r.Metadata), encode(r.Runtime), r.Entrypoint)
}

// quote quotes a text for a shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// ranges writes 1, 5, 6, 7 as 1,5-7.
func ranges(numbers []int) string {
	var list []string
	for i := 0; i < len(numbers); {
		last := i
		for last+1 < len(numbers) && numbers[last+1] == numbers[last]+1 {
			last++
		}
		item := strconv.Itoa(numbers[i])
		if last > i {
			item += "-" + strconv.Itoa(numbers[last])
		}
		list = append(list, item)
		i = last + 1
	}
	return strings.Join(list, ",")
}
