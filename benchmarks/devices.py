"""Wall time of a training by one process and by several, of one thread each, and how far their curves are apart.

    python benchmarks/devices.py                                        # fashion_mnist, one process and two
    python benchmarks/devices.py 4 dataset=cifar10 model=attention_prediction steps=20

The batch of a step is the same, and is divided among the processes. Seconds are those of the training alone, from
`result.json`; the machine must be idle for them to mean anything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from iamm.record.run_folder import RunFolder, read_result

WORDS = ("device=cpu", "threads=1", "epochs=2", "log.every=1", "log.pictures=0", "dropout=0")
DEFAULT = ("dataset=fashion_mnist", "model=cnn", "steps=100", "batch_size=256")


def train(count: int, words: list[str], output: Path) -> tuple[float, list[float]]:
    """The seconds of a training by `count` processes, and its losses step by step."""
    command = [sys.executable, "-m", "iamm.cli.train", *WORDS, *words, f"devices={count}", f"output_dir={output}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    (path,) = output.iterdir()
    records = [json.loads(line) for line in RunFolder(path).read_records().splitlines()]
    values = [record["values"] for record in records if record["kind"] == "train"]
    return read_result(path)["seconds"], [
        value for row in values for tag, value in row.items() if tag.startswith("train/loss/")
    ]


def main() -> None:
    count, *words = sys.argv[1:] or ["2"]
    with tempfile.TemporaryDirectory() as place:
        (alone, losses), (together, others) = (
            train(each, words or list(DEFAULT), Path(place) / str(each)) for each in (1, int(count))
        )
    apart = max(abs(one - other) / abs(one) for one, other in zip(losses, others, strict=True))
    print(f"1 process {alone:.1f} s, {count} processes {together:.1f} s: {alone / together:.2f} times as fast")
    print(f"{len(losses)} losses, {losses[0]:.4f} to {losses[-1]:.4f}, apart by {apart:.1e} of their value at most")


if __name__ == "__main__":
    main()
