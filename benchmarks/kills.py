"""Random kills in a sweep of 24 runs: is a finished run repeated, a cell lost, a byte of the table changed?

    python benchmarks/kills.py            # 20 kills, SIGKILL, of runs and of the command itself
    python benchmarks/kills.py 50 7       # 50 kills, drawn from seed 7

The table is built once undisturbed, then again in another folder with kills; after the last kill the command is given
once more and left alone.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

TABLE = """# A small table to be killed.
title: To be killed
about: Small shapes.
shared:
  - dim=8
  - dataset.shapes.train=1024
  - dataset.shapes.validation=64
  - dataset.shapes.test=64
  - encoder.image.channels=[8,8]
  - head.generation.max_length=3
rows:
  IAMM: [model=iamm]
  none: [fusion=none]
  shared: [fusion=shared]
columns:
  accuracy: {scene: shapes_image, measure: accuracy}
  loss: {scene: shapes_text, measure: loss}
seeds: [0, 1, 2, 3]
budget: {epochs: 4, learning_rates: [1.0e-3, 1.0e-2], parameters: 0.5}
test: t
seconds: 4
"""
FILES = ("table.md", "table.csv", "table.tex", "table.json", "table.png", "report.html")


def command(folder: Path, output: str) -> subprocess.Popen[bytes]:
    """`iamm-table` over the small table, in a session of its own."""
    words = ["--config-dir", "mine", "table=killed", f"output_dir={output}", "costs=false"]
    call = [sys.executable, "-m", "iamm.cli.table", *words]
    log = (folder / f"{output}.log").open("ab")
    return subprocess.Popen(call, cwd=folder, stdout=log, stderr=log, start_new_session=True)


def runs_of(driver: int) -> list[int]:
    """Processes of runs: those that the driver's fork server started."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            found[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
    servers = {process for process, parent in found.items() if parent == driver}
    return sorted(process for process, parent in found.items() if parent in servers)


def finished(output: Path) -> dict[str, int]:
    """Run → when its result was written."""
    return {file.parent.name: file.stat().st_mtime_ns for file in output.glob("*/result.json")}


def kill_some(folder: Path, kills: int, draw: random.Random) -> tuple[Counter[str], int]:
    """How many of each kind were killed, and how many finished runs were written again."""
    output, done, repeated = folder / "killed", Counter[str](), 0
    seen: dict[str, int] = {}
    driver = command(folder, "killed")
    while done.total() < kills:
        time.sleep(draw.uniform(0.2, 6.0))
        if driver.poll() is not None:
            if len(finished(output)) == 24:
                break
            driver = command(folder, "killed")
            continue
        whole = draw.random() < 0.4
        victims = [driver.pid] if whole else runs_of(driver.pid)
        if victims:
            os.kill(draw.choice(victims), signal.SIGKILL)
            done["command" if whole else "run"] += 1
        now = finished(output)
        repeated += sum(now.get(run) != moment for run, moment in seen.items())
        seen = now
    driver.wait()
    command(folder, "killed").wait()
    now = finished(output)
    return done, repeated + sum(now.get(run) != moment for run, moment in seen.items())


def main() -> None:
    given = [int(word) for word in sys.argv[1:]]
    kills, seed = [*given, *(20, 0)[len(given) :]]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "mine" / "table").mkdir(parents=True)
        (folder / "mine" / "table" / "killed.yaml").write_text(TABLE, encoding="utf-8")
        assert command(folder, "whole").wait() == 0, (folder / "whole.log").read_text()
        done, repeated = kill_some(folder, kills, random.Random(seed))
        names = [set(finished(folder / output)) for output in ("whole", "killed")]
        same = [
            (folder / "whole" / "tables" / "killed" / name).read_bytes()
            == (folder / "killed" / "tables" / "killed" / name).read_bytes()
            for name in FILES
        ]
        print(f"kills: {dict(done)}; finished runs written again: {repeated}; cells lost: {len(names[0] - names[1])}")
        print(
            "same bytes: "
            + ", ".join(f"{name} {'yes' if equal else 'NO'}" for name, equal in zip(FILES, same, strict=True))
        )


if __name__ == "__main__":
    main()
