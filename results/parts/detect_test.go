package parts

import (
	"fmt"
	"maps"
	"strings"
	"testing"
)

func environment(m map[string]string) Environment {
	return func(name string) (string, bool) { v, ok := m[name]; return v, ok }
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"0/1": "", "3/16": "", "99999/100000": "",
		"16/16": "has 0 to 15", "-1/4": "counted from 0", "0/0": "want 1 to", "0/100001": "want 1 to",
		"": "I/N", "3": "I/N", "a/4": "I/N", "1/4/8": "I/N", "1/ 4": "I/N",
	} {
		p, err := Parse(text)
		if want == "" {
			if err != nil || p.String() != text {
				t.Errorf("%q: %v, %v", text, p, err)
			}
			if back, ok := parseFolder(p.folder()); !ok || back != p {
				t.Errorf("%q: folder %q is read as %v, %v", text, p.folder(), back, ok)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for _, name := range []string{"3-of-16.bak", "03-of-16", "3-of", "a-of-b", "16-of-16", ""} {
		if p, ok := parseFolder(name); ok {
			t.Errorf("folder %q is read as %v", name, p)
		}
	}
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		env       map[string]string
		part, how string // or an error
	}{
		{map[string]string{"SNAPBENCH_SHARD": "3/16", "SLURM_ARRAY_TASK_ID": "1"}, "3/16", "SNAPBENCH_SHARD=3/16"},
		{map[string]string{"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "2", "SLURM_ARRAY_TASK_COUNT": "8", "SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, "3/8", "a Slurm array"},
		{map[string]string{"SLURM_PROCID": "2", "SLURM_NTASKS": "4"}, "2/4", "srun"},
		{map[string]string{"JOB_COMPLETION_INDEX": "2", "SNAPBENCH_SHARDS": "4"}, "2/4", "Kubernetes"},
		{map[string]string{"JOB_COMPLETION_INDEX": "1", "SNAPBENCH_SHARDS": "9", "SNAPBENCH_PARTS": "1,5,7"}, "5/9", "Kubernetes"},
		{map[string]string{"AWS_BATCH_JOB_ARRAY_INDEX": "7", "AWS_BATCH_JOB_ARRAY_SIZE": "8"}, "7/8", "AWS Batch"},
		{map[string]string{"SKYPILOT_NODE_RANK": "0", "SKYPILOT_NUM_NODES": "2"}, "0/2", "SkyPilot"},
		{map[string]string{"RANK": "1", "WORLD_SIZE": "2"}, "1/2", "torchrun"},
		{map[string]string{}, "", "none of SNAPBENCH_SHARD, SLURM_ARRAY_TASK_ID"},
		{map[string]string{"SNAPBENCH_SHARD": "4/4"}, "", "has 0 to 3"},
		{map[string]string{"SNAPBENCH_SHARD": ""}, "", `SNAPBENCH_SHARD=""`},
		{map[string]string{"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "8"}, "", "SLURM_ARRAY_TASK_MIN"},
		{map[string]string{"JOB_COMPLETION_INDEX": "2"}, "", "SNAPBENCH_SHARDS"},
		{map[string]string{"JOB_COMPLETION_INDEX": "3", "SNAPBENCH_SHARDS": "9", "SNAPBENCH_PARTS": "1,5,7"}, "", "no index 3"},
		{map[string]string{"JOB_COMPLETION_INDEX": "0", "SNAPBENCH_SHARDS": "9", "SNAPBENCH_PARTS": "x"}, "", "numbers"},
		{map[string]string{"RANK": "one", "WORLD_SIZE": "2"}, "", `RANK="one"`},
		{map[string]string{"RANK": "2", "WORLD_SIZE": "2"}, "", "has 0 to 1"},
	} {
		p, how, err := Detect(environment(c.env))
		switch {
		case c.part == "" && (err == nil || !strings.Contains(err.Error(), c.how)):
			t.Errorf("%v: %v, want %q", c.env, err, c.how)
		case c.part != "" && (err != nil || p.String() != c.part || !strings.Contains(how, c.how)):
			t.Errorf("%v: %v by %q, %v; want %s", c.env, p, how, err, c.part)
		}
	}
}

// A part is named, found in the environment, or not asked for.
func TestFind(t *testing.T) {
	env := environment(map[string]string{"RANK": "1", "WORLD_SIZE": "2"})
	for text, want := range map[string]string{
		"": "0/0  <nil>", "3/4": "3/4  <nil>", "auto": "1/2 torchrun, RANK=1 <nil>",
		"4/4": "0/0  part 4 of 4: parts are counted from 0, so this run has 0 to 3",
	} {
		p, how, err := Find(text, env)
		if got := fmt.Sprint(p, " ", how, " ", err); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
	if _, _, err := Find("auto", environment(nil)); err == nil || !strings.HasPrefix(err.Error(), "auto: the environment does not say") {
		t.Errorf("an environment without a part: %v", err)
	}
}

func TestAttemptName(t *testing.T) {
	slurm := map[string]string{"SLURM_JOB_ID": "12"}
	again := map[string]string{"SLURM_JOB_ID": "12", "SLURM_RESTART_COUNT": "3"}
	third := maps.Clone(again)
	third["SLURM_PROCID"] = "2"
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{slurm, "slurm-12.0"}, {again, "slurm-12.3"}, {third, "slurm-12.3.2"},
		{map[string]string{"SNAPBENCH_ATTEMPT": "pod-x.1", "SLURM_JOB_ID": "12"}, "pod-x.1"},
	} {
		if got, err := AttemptName(environment(c.env)); err != nil || got != c.want {
			t.Errorf("%v: %q, %v; want %q", c.env, got, err, c.want)
		}
	}
	for _, bad := range []string{"", ".", "..", "a/b", ".hidden", "a b", strings.Repeat("x", 201)} {
		if got, err := AttemptName(environment(map[string]string{"SNAPBENCH_ATTEMPT": bad})); err == nil {
			t.Errorf("%q became %q", bad, got)
		}
	}
	a, err := AttemptName(environment(nil))
	b, err2 := AttemptName(environment(nil))
	if err != nil || err2 != nil || a == b || checkName(a) != nil {
		t.Errorf("%q and %q, %v, %v", a, b, err, err2)
	}
}
