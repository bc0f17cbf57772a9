"""A sweep of 1,000 short cells, of which 5 % are killed at their first start: is one lost, is one made twice?

    python benchmarks/thousand.py              # 1,000 cells, 5 %
    python benchmarks/thousand.py 100 0.2 7    # 100 cells, 20 %, drawn from seed 7

The pool is that of `iamm-train -m` and `iamm-table`: a process, a folder and a result for each cell. Only the training
is replaced, by a cell that computes nothing, so that the seconds are those of the pool. The sweep is started again, as
a user would, until every cell is finished. `benchmarks/kills.py` kills real trainings and the command itself.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from iamm.config.command_line import plain_line
from iamm.config.compose import composed, named_choices
from iamm.processors import processors
from iamm.record.checksummed import write_checksummed
from iamm.run.planned import Cell
from iamm.sweep import pool

STARTS, DOOMED = "starts", "doomed"
"""Files of a cell's folder: a byte for each start; and there if the first start is to be killed."""


def short(cell: Cell, environment: Mapping[str, str]) -> None:
    """In place of a training: be killed, or write a result."""
    with open(cell.path / STARTS, "ab") as starts:
        starts.write(b".")
    if (cell.path / DOOMED).exists() and (cell.path / STARTS).stat().st_size == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    write_checksummed(cell.folder.result, {"test": {}, "config": cell.values})


def planned(count: int, output: Path) -> list[Cell]:
    """Cells that differ in their seed."""
    (one,) = composed(plain_line([f"output_dir={output}", "device=cpu"]))
    choices = named_choices(one.chosen, one.values)
    return [Cell({**one.values, "seed": seed}, choices) for seed in range(count)]


def main() -> None:
    words = sys.argv[1:]
    count, share, seed = [*words, *("1000", "0.05", "0")[len(words) :]]
    pool.run_alone = short
    with tempfile.TemporaryDirectory() as place:
        cells = planned(int(count), Path(place))
        doomed = random.Random(seed).sample(cells, round(float(share) * len(cells)))
        for cell in doomed:
            cell.path.mkdir()
            (cell.path / DOOMED).touch()
        begun, sweeps, failed = time.perf_counter(), 0, [0]
        while sweeps == 0 or failed[-1]:
            outcomes: list[pool.ProcessOutcome] = []
            failed.append(len(pool.run_cells(cells, processors(), 60.0, outcomes.append)))
            sweeps += 1
            print(f"sweep {sweeps}: {failed[-1]} failed, {sum(one.reused for one in outcomes)} reused")
        seconds = time.perf_counter() - begun
        starts = {cell.name: (cell.path / STARTS).stat().st_size for cell in cells}
        lost = sum(not cell.folder.finished() for cell in cells)
        doubled = sum(starts[cell.name] > 1 + (cell in doomed) for cell in cells)
        used = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        print(f"{len(cells)} cells, {len(doomed)} killed: {lost} lost, {doubled} doubled")
        print(f"{1000 * seconds / len(cells):.1f} ms and {1000 * used / len(cells):.1f} CPU-ms of the command a cell")


if __name__ == "__main__":
    main()
