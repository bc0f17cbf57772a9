"""Every attention on a picture, a text and a generation scene: a table and pictures from finished runs.

    for scene in image text_classification generation; do
        iamm-train -m +experiment=$scene model=fam 'attention=glob(*)' seed=0,1,2 log.attention=true output_dir=variants
    done
    python benchmarks/variants.py variants          # the table, as Markdown
    python benchmarks/variants.py variants docs     # and pictures of what each looked at, docs/attention_<scene>.png

Quality in %, mean over seeds ± half a 95 % interval (Student's t); time and memory are means over seeds.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import t as student
from torch import Tensor

from iamm.record.figure import image, map_shape, words_figure

QUALITY = ("accuracy", "bleu")
COLUMNS = 9


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


Looks = Mapping[str, Mapping[str, Any]]
"""By attention: what its first run's head looked at in the first example drawn, from `pictures/attention.json`."""


def looks(runs: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By scene, then by attention."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for run in runs:
        file, scene = run["folder"] / "pictures" / "attention.json", quality(run)[0]
        if file.exists() and run["choices"]["attention"] not in found[scene]:
            examples = json.loads(file.read_text(encoding="utf-8")).get(scene, [])
            if examples and "head" in examples[0]:
                found[scene][run["choices"]["attention"]] = {**examples[0], "config": run["config"]}
    return found


def weights_of(look: Mapping[str, Any]) -> Tensor:
    """Mean over heads.  # (Q, K)"""
    return torch.tensor(look["head"]).mean(dim=0)


def pooled_words(found: Looks) -> Figure:
    """A row an attention, a column a word."""
    rows = torch.cat([weights_of(look) for look in found.values()])  # (attentions, K)
    return words_figure(rows, list(found), next(iter(found.values()))["places"])


def grid(found: Looks, wide: float, high: float) -> tuple[Figure, list[Axes]]:
    count = -(-len(found) // COLUMNS)
    figure = Figure(figsize=(wide * COLUMNS, high * count), layout="constrained")
    axes = list(figure.subplots(count, COLUMNS).flat)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)
    for axis, (name, look) in zip(axes, found.items(), strict=False):
        axis.set_title(f"{name}\n{' '.join(look['asked'])}" if len(look["asked"]) == 1 else name, fontsize=8)
    return figure, axes


def places(found: Looks) -> Figure:
    """The same picture for each, bright where the weight is high; each with a scale of its own."""
    figure, axes = grid(found, 1.3, 1.6)
    for axis, look in zip(axes, found.values(), strict=False):
        picture = first_picture(look["config"])
        shape = map_shape(weights_of(look).shape[1], *picture.shape[1:])
        axis.imshow(image(picture), cmap="gray", extent=(0, 1, 0, 1))
        axis.imshow(weights_of(look).view(shape).numpy(), cmap="inferno", alpha=0.6, extent=(0, 1, 0, 1))
    return figure


def first_picture(config: Mapping[str, Any]) -> Tensor:
    (dataset,) = (instantiate(part) for part in config["dataset"].values())
    return dataset.scenes[0].splits["validation"].inputs["image"][0] / 255


def matrices(found: Looks) -> Figure:
    """Written words in rows, read words in columns; each with a scale of its own, from 0."""
    figure, axes = grid(found, 2.1, 2.1)
    for number, (axis, look) in enumerate(zip(axes, found.values(), strict=False)):
        axis.imshow(weights_of(look).numpy(), cmap="viridis", vmin=0, aspect="auto")
        if number % COLUMNS == 0:
            axis.set_yticks(range(len(look["asked"])), labels=look["asked"], fontsize=5)
        if number >= len(found) - COLUMNS:
            axis.set_xticks(range(len(look["places"])), labels=look["places"], fontsize=5, rotation=90)
    return figure


def draw(found: Mapping[str, Looks], folder: Path) -> None:
    for scene, each in found.items():
        first = next(iter(each.values()))
        if len(first["asked"]) > 1:
            figure = matrices(each)
        else:
            figure = places(each) if first["places"][0] == "0,0" else pooled_words(each)
        figure.savefig(folder / f"attention_{scene}.png", dpi=80)


def main() -> None:
    runs = results(Path(sys.argv[1]))
    print(table(runs))
    if len(sys.argv) > 2:
        draw(looks(runs), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
