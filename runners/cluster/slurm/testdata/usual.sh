#!/bin/sh
#SBATCH --job-name=snapbench-lb
#SBATCH --array=0-2,5,7-8%4
#SBATCH --chdir=/home/me
#SBATCH --output=/shared/runs/lb/job/%A_%a.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@60
#SBATCH --partition=gpu
#SBATCH --gres gpu:1
#SBATCH -t 4:00:00

# An attempt at a part is named by its job and by how often that was started again.
unset SNAPBENCH_ATTEMPT
export SNAPBENCH_SHARD="$SLURM_ARRAY_TASK_ID/9"
# By this a node knows the run's folder from one of its own under the same name.
export SNAPBENCH_FOLDER=00ff
echo "$(date): part $SNAPBENCH_SHARD on $SLURMD_NODENAME, job $SLURM_JOB_ID, start $((${SLURM_RESTART_COUNT:-0} + 1))"

# Slurm's signal that the time limit is near. It is passed on until it is heard, and a
# sample that takes too long is cut short: it is asked again by the next start.
near() {
	signalled=yes
	[ -z "$timer" ] || return 0
	{
		left=45
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

/opt/snapbench longbench --model org/M --budgets full,1024 --out /shared/runs/lb --shard auto &
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
if [ $status -eq 5 ]; then
	if scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; then
		exit 0
	fi
	echo "part $SNAPBENCH_SHARD could not be queued again: submit it again" >&2
fi
exit $status
