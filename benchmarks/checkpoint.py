"""What it costs to keep a run: milliseconds a checkpoint, and the share of training time with one every 30 s.

python benchmarks/checkpoint.py
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from iamm.engine.checkpoint import save_checkpoint
from iamm.engine.plan import RunState

ROUNDS = 50
INTERVAL = 30.0


def parts(megabytes: float) -> dict[str, object]:
    """A model and its Adam, whose three copies of the parameters make a checkpoint of about this size."""
    model = nn.Linear(1000, int(megabytes * 1e6 / 3 / 4 / 1000))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.rand(2, 1000)).sum().backward()
    optimizer.step()
    return {"model": model, "optimizer": optimizer}


def milliseconds(folder: Path, megabytes: float) -> list[float]:
    content, times = parts(megabytes), []
    for step in range(ROUNDS):
        started = time.perf_counter()
        save_checkpoint(folder / "last.pt", RunState(step), content, previous=folder / "previous.pt")
        times.append(1e3 * (time.perf_counter() - started))
    return sorted(times)


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'MB':>6} {'median ms':>10} {'worst ms':>9} {'every 30 s':>11}")
    for megabytes in (1, 5, 20, 100):
        with tempfile.TemporaryDirectory() as folder:
            times = milliseconds(Path(folder), megabytes)
            size = (Path(folder) / "last.pt").stat().st_size / 1e6
        median = statistics.median(times)
        print(f"{size:6.1f} {median:10.1f} {times[-1]:9.1f} {median / 1e3 / INTERVAL:11.3%}")


if __name__ == "__main__":
    main()
