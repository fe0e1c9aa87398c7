"""The job that snapbench gives a Ray cluster: one task for each part of a run.

A part is given to another node when its worker or node dies; one that fails does not stop
the others. What becomes of parts is printed in lines of MARK and JSON, which snapbench reads
in the log of the job.

There is no single quote in this file, so that a shell takes it in a pair of them.
"""
import collections
import json
import os
import secrets
import subprocess
import sys

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

MARK = "snapbench-part "

# What ends a task without a fault of the part.
DIED = (
    ray.exceptions.LocalRayletDiedError,
    ray.exceptions.NodeDiedError,
    ray.exceptions.OutOfMemoryError,
    ray.exceptions.WorkerCrashedError,
)

AGAIN = 5  # exit status of a part that ended early as it was asked to
MOST_STARTS = 20  # of one part, or memory that never suffices would keep a node busy for ever
MOST_SUBMITTED = 2000  # tasks that Ray knows of at the same time
END = 2000  # bytes of the output of a failed part that are told,
MOST_ENDS = 50  # of so many parts: where all of many fail, they do so alike

# Starts a program that the kernel ends with the worker that started it: a task that Ray
# gave up must not go on beside its successor. An interpreter of its own does that, since
# a process with threads, as a worker is, can run next to nothing between fork and exec.
TIED = """
import ctypes, os, signal, sys
if ctypes.CDLL(None).prctl(1, signal.SIGKILL) != 0:
    sys.exit("prctl: the system refuses to tie the part to its worker")
if os.getppid() != int(sys.argv[1]):
    sys.exit("the worker is gone")
os.execvp(sys.argv[2], sys.argv[2:])
"""


class Board:
    """Remembers which tasks have begun until the driver takes note of it.

    Nothing else says so to a driver. It lives on the same node, so that neither outlives
    the other for long.
    """

    def __init__(self):
        self.news = []

    def begun(self, part, attempt, node):
        self.news.append((part, attempt, node))

    def take(self):
        news, self.news = self.news, []
        return news


def run_part(board, spec, part):
    """Runs a part to its end. Returns its state, and a text for people where it failed."""
    attempt = secrets.token_hex(4)
    # Not waited for: while a task waits for another, Ray gives its CPU to a third.
    board.begun.remote(part, attempt, ray.get_runtime_context().get_node_id())
    log = os.path.join(spec["logs"], "%d-of-%d.%s.log" % (part, spec["count"], attempt))
    os.makedirs(spec["logs"], exist_ok=True)
    environment = dict(os.environ, **spec["environment"])
    environment[spec["attempt_variable"]] = "%s.%s" % (spec["job"], attempt)
    # The folder in which the command was given may be one of that machine alone.
    folder = spec["dir"] if os.path.isdir(spec["dir"]) else spec["out"]
    command = [sys.executable, "-c", TIED, str(os.getpid()), *spec["argv"], "%d/%d" % (part, spec["count"])]
    with open(log, "wb") as output:
        status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=folder, env=environment).returncode
    if status == 0:
        return "ended", ""
    if status == AGAIN:
        return "again", ""
    with open(log, "rb") as output:
        output.seek(max(0, os.path.getsize(log) - END))
        end = output.read().decode(errors="replace")
    how = "exit status %d" % status if status > 0 else "killed by signal %d" % -status
    return "failed", "%s; the end of %s:\n%s" % (how, log, end)


def tell(part, state, **more):
    os.write(1, (MARK + json.dumps({"part": part, "state": state, **more}) + "\n").encode())


def numbers(ranges):
    """Reads 1,5-7 as 1, 5, 6, 7."""
    for item in ranges.split(","):
        first, _, last = item.partition("-")
        yield from range(int(first), int(last or first) + 1)


def main():
    spec = json.loads(os.environ["SNAPBENCH_RAY"])
    # What workers print would come between the lines here; the outputs of parts have files.
    ray.init(address="auto", log_to_driver=False)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    board = ray.remote(Board).options(num_cpus=0, scheduling_strategy=here).remote()
    # Ray would not try again a task on a node that hangs and counts as dead, while the
    # connection to its worker stands. So the driver tries again, and Ray never.
    task = ray.remote(run_part).options(max_retries=0, scheduling_strategy="SPREAD", **spec["resources"])
    most = min(spec["at_once"] or MOST_SUBMITTED, MOST_SUBMITTED)
    waiting = collections.deque(numbers(spec["parts"]))
    submitted, running, starts, failed = {}, {}, collections.Counter(), 0
    while waiting or submitted:
        while waiting and len(submitted) < most:
            part = waiting.popleft()
            starts[part] += 1
            submitted[task.remote(board, spec, part)] = part
        done, _ = ray.wait(list(submitted), num_returns=len(submitted), timeout=1)
        tasks = {part: ref for ref, part in submitted.items()}
        again = []
        for part, attempt, node in ray.get(board.take.remote()):
            if part not in tasks:
                continue  # it ended before this was heard of
            running[part] = node
            tell(part, "running", attempt=attempt, node=node)
        for ref in done:
            part = submitted.pop(ref)
            running.pop(part, None)
            try:
                state, text = ray.get(ref)
            except DIED as e:
                state, text = "again", str(e)[-END:]
            except ray.exceptions.RayError as e:  # this file went wrong, or Ray will not run it
                state, text = "failed", str(e)[-END:]
            if state == "again" and starts[part] >= MOST_STARTS:
                state, text = "failed", "begun %d times, and never brought to its end: %s" % (starts[part], text)
            if state == "again":
                again.append(part)
            elif state == "failed":
                failed += 1
                tell(part, "failed", text=text if failed <= MOST_ENDS else text.split("\n")[0])
            else:
                tell(part, state)
        alive = {n["NodeID"] for n in ray.nodes() if n["Alive"]}
        for part in [p for p, node in running.items() if node not in alive]:
            del running[part], submitted[tasks[part]]
            again.append(part)
        for part in again:
            waiting.append(part)
            tell(part, "waiting")
    sys.exit(1 if failed else 0)


main()
