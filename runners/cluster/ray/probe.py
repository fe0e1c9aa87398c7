"""The job by which snapbench asks each node of a Ray cluster what it sees.

It prints a line of MARK and JSON for each node that could run a part, and for no other.
There is no single quote in this file, so that a shell takes it in a pair of them.
"""
import json
import os
import shutil

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

MARK = "snapbench-node "


def look(spec):
    seen = {"program": shutil.which(spec["program"]) is not None, "dir": os.path.isdir(spec["dir"])}
    try:
        with open(spec["token_file"]) as f:
            seen["token"] = f.read(1000).strip()
    except OSError as e:
        seen["error"] = str(e)
    return seen


def main():
    spec = json.loads(os.environ["SNAPBENCH_RAY"])
    ray.init(address="auto", log_to_driver=False)
    asked = {}
    for node in ray.nodes():
        has = node["Resources"]
        if not node["Alive"] or any(has.get(name, 0) < n for name, n in spec["needs"].items()):
            continue
        # No CPU is asked for, so that busy nodes answer, too.
        there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        task = ray.remote(look).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        asked[task.remote(spec)] = {"id": node["NodeID"], "address": node["NodeManagerAddress"], "host": node["NodeManagerHostname"]}
    done, silent = ray.wait(list(asked), num_returns=len(asked), timeout=spec["seconds"]) if asked else ([], [])
    for ref in silent:
        asked[ref]["silent"] = True
    for ref in done:
        try:
            asked[ref].update(ray.get(ref))
        except ray.exceptions.RayError as e:
            asked[ref].update(silent=True, error=str(e)[-500:])
    for node in asked.values():
        os.write(1, (MARK + json.dumps(node) + "\n").encode())


main()
