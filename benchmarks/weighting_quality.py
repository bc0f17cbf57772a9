"""What each weighting makes of the small world's two scenes, and what learning them together gave or took.

    for related in 1 0.5 0; do
        same="+experiment=weighting optimizer.lr=4e-3,8e-3 seed=0,1,2 output_dir=runs"
        same="$same dataset.shapes.relatedness=$related"
        iamm-train -m $same 'weighting=glob(*,exclude=fixed)'
        iamm-train -m $same weighting=fixed 'weighting.values=simplex(2,4)'
        iamm-train -m $same 'dataset.shapes.views=[image],[text]'
    done
    python benchmarks/weighting_quality.py runs          # a table for each relatedness, as Markdown

Quality (accuracy, BLEU), transfer (together minus alone, seed by seed) and the mean over scenes beside that of `equal`
(seed by seed too) in points of 100 on test, mean over seeds ± half a 95 % interval (Student's t): a row whose interval
holds 0 is a tie. The learning rate of each row is the one with the best mean validation quality.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import t as student

from iamm.report.transfer import Result, transfer


def results(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*/result.json"))]


def row_of(result: Result) -> str:
    """The weighting, with its values where they are fixed; one scene alone by its name."""
    if len(result["quality"]) == 1:
        return f"{next(iter(result['quality']))} alone"
    values = result["config"]["weighting"].get("values")
    return result["choices"]["weighting"] + ("" if values is None else f" {values}")


def grouped(runs: Iterable[Result], key: Callable[[Result], Any]) -> dict[Any, list[Result]]:
    found: dict[Any, list[Result]] = defaultdict(list)
    for run in runs:
        found[key(run)].append(run)
    return found


def chosen(runs: Sequence[Result]) -> list[Result]:
    """The runs of one row with the learning rate that validates best in the mean over seeds."""
    rates = grouped(runs, lambda run: run["config"]["optimizer"]["lr"])
    return max(rates.values(), key=lambda group: statistics.mean(run["validation_quality"] for run in group))


def interval(values: Sequence[float]) -> str:
    """Mean ± half of the 95 % interval of the mean, in points."""
    points = [100 * value for value in values]
    if len(points) < 2:
        return f"{points[0]:.1f} (n = 1)"
    half = student.ppf(0.975, len(points) - 1) * statistics.stdev(points) / len(points) ** 0.5
    return f"{statistics.mean(points):.1f} ± {half:.1f}"


def table(runs: Sequence[Result]) -> str:
    rows = {name: chosen(group) for name, group in grouped(runs, row_of).items()}
    alone = [run for name, group in rows.items() if name.endswith(" alone") for run in group]
    scenes = sorted({scene for run in alone for scene in run["quality"]})
    head = " | ".join(f"{scene} | transfer" for scene in scenes)
    lines = [f"| weighting | lr | n | {head} | mean | minus equal | s |", "| --- |" + " --- |" * (2 * len(scenes) + 5)]
    for name, group in sorted(rows.items(), key=lambda item: -mean_quality(item[1])):
        cells = [cell for scene in scenes for cell in scene_cells(group, alone, scene)]
        seconds = statistics.mean(run["seconds"] for run in group)
        together = not name.endswith(" alone")
        whole = f"{100 * mean_quality(group):.1f}" if together else ""
        beside = interval(differences(group, rows["equal"])) if together and name != "equal" and "equal" in rows else ""
        rate = group[0]["config"]["optimizer"]["lr"]
        lines.append(
            f"| `{name}` | {rate:g} | {len(group)} | {' | '.join(cells)} | {whole} | {beside} | {seconds:.1f} |"
        )
    return "\n".join(lines)


def mean_quality(group: Sequence[Result]) -> float:
    return statistics.mean(statistics.mean(run["quality"].values()) for run in group)


def differences(group: Sequence[Result], rivals: Sequence[Result]) -> list[float]:
    """Mean quality over scenes, each run minus the rivals' run of the same seed."""
    by_seed = {run["seed"]: mean_quality([run]) for run in rivals}
    return [mean_quality([run]) - by_seed[run["seed"]] for run in group if run["seed"] in by_seed]


def scene_cells(group: Sequence[Result], alone: Sequence[Result], scene: str) -> tuple[str, str]:
    if scene not in group[0]["quality"]:
        return "", ""
    quality = interval([run["quality"][scene] for run in group])
    if len(group[0]["quality"]) == 1:
        return quality, ""
    return quality, interval([transfer(run, alone)[scene] for run in group])


def main() -> None:
    runs = results(Path(sys.argv[1]))
    for related, group in sorted(grouped(runs, lambda run: run["config"]["dataset"]["shapes"]["relatedness"]).items()):
        print(f"\nrelatedness {related:g}\n\n{table(group)}")


if __name__ == "__main__":
    main()
