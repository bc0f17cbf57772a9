"""Every attention on a picture, a text and a generation scene: a table and pictures from finished runs.

    for scene in image text_classification generation; do
        iamm-train -m +experiment=$scene model=fam 'attention=glob(*)' seed=0,1,2 log.attention=true output_dir=variants
    done
    python benchmarks/variants.py variants                  # the table, as Markdown
    python benchmarks/variants.py variants docs/attention   # and pictures of what each looked at, into that folder

Quality in %, mean over seeds ± half a 95 % interval (Student's t); time and memory are means over seeds and scenes.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scipy.stats import t as student

QUALITY = ("accuracy", "bleu")


def results(folder: Path) -> list[Mapping[str, Any]]:
    found = [
        json.loads(file.read_text(encoding="utf-8")) | {"folder": file.parent} for file in folder.glob("*/result.json")
    ]
    return sorted(found, key=lambda result: (result["choices"]["attention"], result["seed"]))


def quality(result: Mapping[str, Any]) -> tuple[str, float]:
    """The run's one scene and what it is judged by."""
    ((scene, measures),) = result["test"].items()
    return scene, 100 * next(measures[name] for name in QUALITY if name in measures)


def interval(values: list[float]) -> str:
    """Mean ± half of the 95 % interval of the mean."""
    if len(values) < 2:
        return f"{values[0]:.1f} (n = 1)"
    half = student.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return f"{statistics.mean(values):.1f} ± {half:.1f}"


def table(runs: Iterable[Mapping[str, Any]]) -> str:
    by_name: dict[str, dict[str, list[Mapping[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        by_name[run["choices"]["attention"]][quality(run)[0]].append(run)
    scenes = sorted({scene for found in by_name.values() for scene in found})
    head = [f"{scene}: quality | parameters | s | MiB" for scene in scenes]
    rows = [f"| attention | {' | '.join(head)} |", "| --- |" + " --- |" * (4 * len(scenes))]
    for name, found in by_name.items():
        rows.append(f"| `{name}` | {' | '.join(cells(found.get(scene, [])) for scene in scenes)} |")
    return "\n".join(rows)


def cells(runs: list[Mapping[str, Any]]) -> str:
    if not runs:
        return "missing | | | "
    seconds, memory = (statistics.mean(run[key] for run in runs) for key in ("seconds", "peak_memory_mib"))
    found = interval([quality(run)[1] for run in runs])
    return f"{found} | {runs[0]['parameters']:,} | {seconds:.1f} | {memory:.0f}"


def main() -> None:
    runs = results(Path(sys.argv[1]))
    print(table(runs))


if __name__ == "__main__":
    main()
