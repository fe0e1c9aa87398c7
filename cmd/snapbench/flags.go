package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/snapbench/snapbench/runners/local"
	"github.com/snapbench/snapbench/runners/models"
)

// modelFlags say which model runs on which devices.
type modelFlags struct {
	model, device, dtype, rope, tokenizer, stage string
}

func (f *modelFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.model, "model", local.DefaultModel, "model: "+local.ModelForms)
	s.StringVar(&f.device, "device", "auto", "device: auto, "+strings.Join(local.DeviceNames(), ", ")+"; samples are spread over several: cuda:0,cuda:1")
	s.StringVar(&f.dtype, "dtype", "auto", "number format of weights and cache: auto, float32, float16, bfloat16")
	registerRope(cmd, &f.rope)
	s.StringVar(&f.tokenizer, "tokenizer", "native", "tokenizer backend: native, sugarme")
	s.StringVar(&f.stage, "stage", "", "folder on a local disk: the model's files are copied there first, once for all processes of a machine, and read there")
}

func registerRope(cmd *cobra.Command, rope *string) {
	cmd.Flags().StringVar(rope, "rope", "", "scaling of the rotation in place of the model's own, and the context that follows: "+models.RopeForms)
}

// options returns how to open the model. It needs a tokenizer where it reads text, which
// it does not when speed is measured.
func (f *modelFlags) options(text bool) local.Options {
	o := local.Options{Model: f.model, Device: f.device, DType: f.dtype, Rope: f.rope, Stage: f.stage}
	if text {
		o.Tokenizer = f.tokenizer
	}
	return o
}

// runFlags are the flags of every command that runs a model over samples.
type runFlags struct {
	out       string
	json      bool
	quiet     bool
	maxNew    int
	limit     int
	fidelity  bool
	positions bool
	evidence  bool
	retry     bool
	date      string
	shard     string
}

func (f *runFlags) register(cmd *cobra.Command) {
	s := cmd.Flags()
	s.StringVar(&f.out, "out", "", "folder for results; the same command continues in it (default runs/TASK-HASH of what is asked)")
	s.BoolVar(&f.json, "json", false, "print the summary as JSON")
	s.BoolVar(&f.quiet, "quiet", false, "no progress")
	s.IntVar(&f.maxNew, "max-new", 0, "most new tokens, below the task's own number")
	s.IntVar(&f.limit, "limit", 0, "only the first samples of each task")
	s.BoolVar(&f.retry, "retry", false, "when continuing, also run samples again whose rows have an error")
	s.StringVar(&f.date, "date", "", "day that the model's chat template sees as today, where it asks for one, as 2026-01-02 (default: today, or the day on which the folder's run began)")
	s.StringVar(&f.shard, "shard", "", "answer a part of the samples only: I/N, part I of N counted from 0, or auto, which asks the environment of Slurm, Kubernetes, AWS Batch, SkyPilot, torchrun; the part that ends last joins all")
	s.BoolVar(&f.fidelity, "fidelity", false, "also compare next-token distributions with the full cache's, along its answer")
	s.BoolVar(&f.evidence, "evidence", false, "also audit what each cache kept of the value or answer, needle, instruction and question, and why an answer was lost")
	s.BoolVar(&f.positions, "keep-positions", false, "also store which tokens of the prompt each cache kept, for the report's view of a sample; rows are the same without")
}
