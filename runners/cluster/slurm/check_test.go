package slurm

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFits(t *testing.T) {
	const config = "Configuration data as of 2026-11-29T18:48:18\nMaxArraySize            = 1001\nMaxJobCount             = 10000\n"
	w := someWork()
	w.Count = 5000
	w.Parts = []int{0, 1000}
	if err := fits(config, w); err != nil {
		t.Error(err)
	}
	w.Parts = []int{0, 1001}
	if err := fits(config, w); err == nil || !strings.Contains(err.Error(), "part 1001 of 5000: this cluster's arrays end at 1000 (its MaxArraySize is 1001)") {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"", "MaxArraySize = many\n", "MaxArraySizes = 1\n"} {
		if err := fits(bad, w); err == nil || !strings.Contains(err.Error(), "MaxArraySize") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	const good = "prolog says hello\nn2|yes|yes|00ff\nn1|yes|yes|00ff \n"
	list, bad := parseAnswers(good)
	if bad != "" || len(list) != 2 || list[0].node != "n1" || judge(list, someWork()) != nil {
		t.Errorf("%+v, %q, %v", list, bad, judge(list, someWork()))
	}
	for text, want := range map[string]string{
		"n1|yes|yes|00ff\nn2|no|yes|cat: /shared/runs/lb/.snapbench-folder: No such file or directory": "node n2 does not see the run's folder, which must be one that all nodes share: cat: /shared",
		"n1|yes|yes|00fe": `node n1 has another folder under the name of the run's, which must be one that all nodes share: /shared/runs/lb/.snapbench-folder is "00fe" there, want "00ff"`,
		"n1|yes|no|00ff":  "node n1 has no program /opt/snapbench",
		"n1|yes|yes|a|b":  `is "a|b" there`,
	} {
		list, bad := parseAnswers(text)
		if err := judge(list, someWork()); err == nil || !strings.Contains(err.Error(), want) || bad != "" {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	for _, text := range []string{"nothing of the kind\n", "n1|maybe|yes|x\n", "|yes|yes|x\n"} {
		if list, bad := parseAnswers(text); bad != text || list != nil {
			t.Errorf("%q: %v, %q", text, list, bad)
		}
	}
}

// What a job around this process, or a user's defaults, say must not reach the parts.
func TestEnvironment(t *testing.T) {
	got := environment([]string{"PATH=/bin", "SLURM_CONF=/c", "SLURM_JOB_ID=7", "SLURM_ARRAY_TASK_ID=1", "SBATCH_PARTITION=gpu", "SBATCH_ARRAY_INX=0-9", "SBATCH_WAIT=1", "SQUEUE_PARTITION=gpu", "SLURM_PARTITION=gpu"})
	if want := []string{"PATH=/bin", "SLURM_CONF=/c", "SBATCH_PARTITION=gpu", "SLURM_PARTITION=gpu"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := (engine{}).Check(t.Context(), someWork()); err == nil || !strings.Contains(err.Error(), "sbatch is not here: run this on a machine from which jobs are submitted") {
		t.Errorf("%v", err)
	}
}

// Where no controller answers, what Slurm says of that is the error.
func TestNoController(t *testing.T) {
	if err := installed("scontrol"); err != nil {
		t.Skip("no scontrol")
	}
	conf := filepath.Join(t.TempDir(), "slurm.conf")
	text := "ClusterName=gone\nSlurmctldHost=localhost\nSlurmctldPort=1\nMessageTimeout=1\nNodeName=n1\nPartitionName=p Nodes=n1\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SLURM_CONF", conf)
	if _, err := (engine{}).Check(t.Context(), someWork()); err == nil || !strings.Contains(err.Error(), "the controller does not answer: scontrol show config: exit status 1: ") {
		t.Errorf("%v", err)
	}
}
