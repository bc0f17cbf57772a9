"""How long an answer takes that needs no training: CPU-seconds (user and system) of whole processes, medians of 10.

`python benchmarks/startup.py` prints them, and the milliseconds a job that composing and checking a sweep of 500 takes.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile

TIMES = 10
TRAIN, TABLE = (sys.executable, "-m", "iamm.cli.train"), (sys.executable, "-m", "iamm.cli.table")
ANSWERS = {
    "python alone": (sys.executable, "-c", "pass"),
    "--help": (*TRAIN, "--help"),
    "--cfg job": (*TRAIN, "--cfg", "job"),
    "completion of a choice": (*TRAIN, "--complete", "iamm-train attention=ad"),
    "completion of a key": (*TRAIN, "--complete", "iamm-train "),
    "unknown key": (*TRAIN, "epoch=3"),
    "unknown choice": (*TRAIN, "attention=additve"),
    "wrong value": (*TRAIN, "epochs=x"),
    "unreadable word": (*TRAIN, "epochs=[3"),
    "wrong choice in a sweep": (*TRAIN, "-m", "seed=0,1", "attention=additive,additve"),
    "iamm-table --help": (*TABLE, "--help"),
    "iamm-table, unknown key": (*TABLE, "table=image", "lisst=true"),
}
SWEEP = ("attention=additive,multi_head", "fusion=none,shared,interest_guidance", "dim=64,128", "seed=range(42)")
PLANNED = """
import sys, time
from iamm.config.compose import composed
from iamm.config.command_line import Line
from iamm.sweep.jobs import checked
begin = time.process_time()
names = [checked(each).name for each in composed(Line(tuple(sys.argv[1:]), sweeping=True))]
print(len(names), time.process_time() - begin)
"""


def cpu_seconds(call: tuple[str, ...], folder: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(call, cwd=folder, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def planned(folder: str) -> tuple[int, float]:
    """Jobs of the sweep, and CPU-seconds until all are composed, checked and named."""
    call = [sys.executable, "-c", PLANNED, *SWEEP]
    said = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    return int(said[0]), float(said[1])


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, call in ANSWERS.items():
            seconds = statistics.median(cpu_seconds(call, folder) for _ in range(TIMES))
            print(f"{name:<24} {seconds:6.3f} s")
        found = [planned(folder) for _ in range(TIMES)]
        jobs, seconds = found[0][0], statistics.median(seconds for _, seconds in found)
        print(f"{f'sweep of {jobs} jobs':<24} {1000 * seconds / jobs:6.2f} ms a job")


if __name__ == "__main__":
    main()
