package slurm

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/snapbench/snapbench/results/parts"
	"github.com/snapbench/snapbench/runners/cluster"
)

// longestGrace is what sbatch takes, in seconds.
const longestGrace = 65535 * time.Second

// Render returns a script for sbatch, with its options. One without a token is for a
// person to submit, and the run's folder may not be there yet: its logs are in the
// working directory.
func (engine) Render(w cluster.Work) (string, error) {
	if len(w.Parts) == 0 {
		return "", errors.New("no parts to run")
	}
	if w.Grace < 2*time.Second || w.Grace > longestGrace {
		return "", fmt.Errorf("%v before a time limit a part is asked to end: want 2s to %v", w.Grace, longestGrace)
	}
	user, err := parseOptions(w.EngineArgs)
	if err != nil {
		return "", err
	}
	array := ranges(w.Parts)
	if w.AtOnce > 0 {
		array += fmt.Sprintf("%%%d", w.AtOnce)
	}
	log, err := logPattern("the run's folder", w.Out, logFolder, "%A_%a.log")
	if err == nil && w.Token == "" {
		log, err = logPattern("the working directory", w.Dir, "slurm-%A_%a.log")
	}
	if err != nil {
		return "", err
	}
	if err := plain("the working directory", w.Dir); err != nil {
		return "", err
	}
	grace := int(w.Grace / time.Second)

	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("#!/bin/sh")
	for _, option := range []string{
		"--job-name=" + w.Name, "--array=" + array, "--chdir=" + w.Dir, "--output=" + log, "--open-mode=append", "--requeue",
		fmt.Sprintf("--signal=B:USR1@%d", grace),
	} {
		line("#SBATCH %s", directive(option))
	}
	for _, o := range user {
		line("#SBATCH %s", o.directive())
	}
	line("")
	line("# An attempt at a part is named by its job and by how often that was started again.")
	line("unset %s", parts.AttemptVariable)
	line("export %s=\"$SLURM_ARRAY_TASK_ID/%d\"", parts.PartVariable, w.Count)
	if w.Token != "" {
		line("# By this a node knows the run's folder from one of its own under the same name.")
		line("export %s=%s", parts.TokenVariable, quote(w.Token))
	} else {
		line("unset %s", parts.TokenVariable)
	}
	line("echo \"$(date): part $%s on $SLURMD_NODENAME, job $SLURM_JOB_ID, start $((${SLURM_RESTART_COUNT:-0} + 1))\"", parts.PartVariable)
	line("")
	var words []string
	for _, word := range w.Command("auto") {
		words = append(words, quote(word))
	}
	fmt.Fprintf(&b, body, grace-margin(grace), strings.Join(words, " "), cluster.Again)
	return b.String(), nil
}

// logPattern is the path of the logs, in which Slurm fills in %A and %a, the numbers of the
// job and of the part.
func logPattern(what, dir string, names ...string) (string, error) {
	if err := plain(what, dir); err != nil {
		return "", err
	}
	if strings.Contains(dir, `\`) {
		return "", fmt.Errorf("%s %q: a backslash in the name of a log means something else to Slurm: choose another folder", what, dir)
	}
	return filepath.Join(slices.Concat([]string{strings.ReplaceAll(dir, "%", "%%")}, names)...), nil
}

// margin is how long before Slurm kills a part, in seconds, a sample is cut short which
// has not ended since the part was asked to.
func margin(grace int) int { return min(15, (grace+3)/4) }

// body of the script; its arguments are the seconds of a sample's grace, the command,
// and the status of a part that wants to be started again.
const body = `# Slurm's signal that the time limit is near. It is passed on until it is heard, and a
# sample that takes too long is cut short: it is asked again by the next start.
near() {
	signalled=yes
	[ -z "$timer" ] || return 0
	{
		left=%d
		while [ $left -gt 0 ]; do
			kill -USR1 "$pid" || exit 0
			sleep 1
			left=$((left - 1))
		done
		kill -TERM "$pid"
	} 2>/dev/null &
	timer=$!
}
timer= early= signalled=
trap 'early=yes' USR1
# SIGTERM (scancel, preemption) reaches every process of the job; this shell waits for the other.
trap 'signalled=yes' TERM

%s &
pid=$!
trap near USR1
[ -z "$early" ] || near

# A signal ends wait, not the command.
wait "$pid"
status=$?
while [ -n "$signalled" ]; do
	signalled=
	wait "$pid"
	again=$?
	[ $again -eq 127 ] || status=$again
done
[ -z "$timer" ] || kill "$timer" 2>/dev/null

# The part is named by the array's number and its own: the array's alone may mean all parts.
if [ $status -eq %d ]; then
	if scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; then
		exit 0
	fi
	echo "part $SNAPBENCH_SHARD could not be queued again: submit it again" >&2
fi
exit $status
`

// ranges writes ascending numbers as Slurm takes them: 0-2,5,7-8.
func ranges(list []int) string {
	var b strings.Builder
	for i := 0; i < len(list); {
		last := i
		for last+1 < len(list) && list[last+1] == list[last]+1 {
			last++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, list[i])
		if last > i {
			fmt.Fprintf(&b, "-%d", list[last])
		}
		i = last + 1
	}
	return b.String()
}

// quote makes one word of a shell's command line.
func quote(word string) string {
	if word != "" && !strings.ContainsFunc(word, special) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// directive makes one word of a line of #SBATCH, which knows quotes and backslashes, and
// comments.
func directive(word string) string {
	if word != "" && !strings.ContainsFunc(word, special) {
		return word
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(word) + `"`
}

// special says that a character may mean something to a shell.
func special(r rune) bool {
	return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("-_./,:=+@%", r))
}

// plain refuses what would end a line of the script's head.
func plain(what, text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s %q has a control character", what, text)
	}
	return nil
}
