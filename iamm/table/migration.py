"""Tables of migrations: their settings and columns, and what is measured of a transfer beside the target's quality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from math import log2, nan
from statistics import fmean

from iamm.measure import Measure
from iamm.record.run_folder import Result
from iamm.table.plan import Column
from iamm.table.selection import Choices
from iamm.table.table import Table

MEASURES: Mapping[str, str] = {
    "target": "quality of the target",
    "kept": "share of the known scenes' quality that is left",
    "adaptation": "Σ (quality − F) / Σ (C − F) over the targets, F the share of a target's most frequent class, C the "
    "quality of the first row's model that knows this scene with all its labels",
    "labels": "labels a class with which training from scratch is as good, at most as many as it was given",
    "elasticity": "2AR / (A + R) of adaptation A and kept R",
}
"""The measures of a migration, and what they are."""
LABELS = Measure("labels", "count")
Shares = dict[str, dict[str, float]]
"""Target → scene → share."""


def migration_settings(targets: Sequence[str], shots: Sequence[int], shared: Sequence[str]) -> dict[str, list[str]]:
    """Return the overrides of each pair of a target and a number of labels."""
    return {setting(target, k): [*shared, f"target={target}", f"shots={k}"] for target in targets for k in shots}


def migration_judges(targets: Sequence[str], shots: Sequence[int]) -> dict[str, str]:
    """Return the setting that chooses the learning rate of each: as many labels of the next target, in a circle."""
    return {setting(one, k): setting(other, k) for one, other in pairwise([*targets, targets[0]]) for k in shots}


def setting(target: str, shots: int) -> str:
    return f"{target}, {shots} labels a class"


def migration_columns(targets: Sequence[str], shots: Sequence[int], *, scratch: bool = False) -> tuple[Column, ...]:
    """Return a column for each number of labels, then what sums them up: each is a mean over the targets.

    Args:
        targets: of the table. With one alone nothing says what all of its labels give, so there is no adaptation.
        shots: numbers of labels of each class; with one alone there is no curve.
        scratch: whether a row trains a model from scratch.
    """

    def mean(label: str, measure: str, weights: Mapping[int, float]) -> Column:
        """Σ_t Σ_k weight_k / T × the measure for target t with k labels."""
        over = tuple((setting(target, k), weight / len(targets)) for target in targets for k, weight in weights.items())
        return Column(label, measure, None, over[0][0], declared=LABELS if measure == "labels" else None, over=over)

    curve = [mean(f"{k} labels" if k else "no label", "target", {k: 1.0}) for k in shots]
    kept = mean(f"kept, {max(shots)} labels", "kept", {max(shots): 1.0})
    if len(shots) < 2:
        return *curve, kept
    columns = [*curve, mean("area", "target", area_weights(shots)), kept]
    if len(targets) > 1:
        adaptation = mean("adaptation", "adaptation", area_weights(shots))
        columns += [adaptation, Column("elasticity", "elasticity", None, kept.setting, harmonic=(adaptation, kept))]
    if scratch:
        columns.append(mean("worth in labels", "labels", {min(shots): 1.0}))
    return tuple(columns)


def area_weights(shots: Sequence[int]) -> dict[int, float]:
    """Return the weights of the trapezoidal rule over u = log₂(1 + k), whose sum is 1.

    Σ_k weight_k v_k is the area under the curve through the points (u_k, v_k), over the width of u.
    """
    weights = dict.fromkeys(sorted(shots), 0.0)
    width = log2(1 + max(shots)) - log2(1 + min(shots))
    for one, other in pairwise(weights):
        for k in (one, other):
            weights[k] += (log2(1 + other) - log2(1 + one)) / 2 / width
    return weights


def adaptation(result: Result, seed: int, choices: Choices) -> float | None:
    """Return (M − F) / R: F is the share of the target's most frequent class, R the mean of C − F over the targets.

    So the mean over targets is Σ (M − F) / Σ (C − F), in which a target that leaves little room counts little. C is
    the mean quality of the first row's models of the same seed that know a target, which are those that the table
    carries over to other targets. There is no value without such runs, where R is not above 0, and of a quality that is
    not accuracy.
    """
    target, first = result["migration"]["target"], next(iter(choices))[0]
    if result["test"][target].get("accuracy") != result["quality"][target]:
        return None
    results = [choice.results[seed] for (row, _), choice in choices.items() if row == first and seed in choice.results]
    rooms = [room(other, results) for other in {other["migration"]["target"]: other for other in results}.values()]
    if not rooms or None in rooms or (mean_room := fmean(each or 0.0 for each in rooms)) <= 0:
        return None
    return (result["quality"][target] - floor(result)) / mean_room


def floor(result: Result) -> float:
    """Return F of a migration's target."""
    counts = [each["count"] for each in result["details"][result["migration"]["target"]]["classes"].values()]
    return max(counts) / sum(counts)


def room(result: Result, results: Sequence[Result]) -> float | None:
    """Return C − F of a migration's target; None where no result knows it."""
    target = result["migration"]["target"]
    known = [other["migration"]["before"][target] for other in results if target in other["migration"]["known"]]
    return fmean(known) - floor(result) if known else None


def labels(result: Result, seed: int, choices: Choices) -> float | None:
    """Return the labels a class with which a model from scratch is as good; None before there is one of this seed."""
    target, curve = result["migration"]["target"], dict[int, float]()
    for other in (choice.results[seed] for choice in choices.values() if seed in choice.results):
        if "from" not in other and other["migration"]["target"] == target:
            curve[other["migration"]["shots"]] = other["quality"][target]
    return equivalent(result["quality"][target], curve) if curve else None


def equivalent(quality: float, curve: Mapping[int, float]) -> float:
    """Return the k at which a curve first reaches a quality, linear in log₂(1 + k); its ends where it is beyond them.

    Args:
        quality: to be reached.
        curve: number of labels → quality; only points that are better than all before them count.
    """
    import numpy as np

    points = sorted(curve.items())
    best, places = np.unique(np.maximum.accumulate([value for _, value in points]), return_index=True)
    return float(2 ** np.interp(quality, best, np.log2([1 + points[place][0] for place in places])) - 1)


def read_weights(table: Table) -> Shares:
    """Return the weights w of what each target reads of each scene.

    What the known scenes leave to 1 is that of the target's own example.
    """
    weights = mean_shares(table, lambda result: result["scene_weights"].get(result["migration"]["target"], {}))
    return aligned({target: row | {target: 1 - sum(row.values())} for target, row in weights.items()})


def recognised_scenes(table: Table) -> Shares:
    """Return the mean p of each known scene over each target's examples: from which scenes its interest comes."""
    return aligned(mean_shares(table, lambda result: result["migration"].get("recognised", {})))


def mean_shares(table: Table, shares: Callable[[Result], Mapping[str, float]]) -> Shares:
    """Return target → scene → mean share over seeds, of the first row with the fewest labels.

    A target without shares is left out.
    """
    means: Shares = {}
    for name in table.plan.settings[:: len(table.plan.shots)]:
        results = list(table.rows[0].costs[name].results.values())
        each = [shares(result) for result in results]
        if each and all(each):
            means[results[0]["migration"]["target"]] = {scene: fmean(row[scene] for row in each) for scene in each[0]}
    return means


def aligned(shares: Shares) -> Shares:
    """Give all targets the same scenes; one that a target has no share of, such as another view of its own, has nan."""
    scenes = dict.fromkeys(scene for row in shares.values() for scene in row)
    return {target: {scene: row.get(scene, nan) for scene in scenes} for target, row in shares.items()}


MIGRATED: Mapping[str, Callable[[Result], float | None]] = {
    "target": lambda result: result["quality"][result["migration"]["target"]],
    "kept": lambda result: result["migration"]["kept"] if "from" in result else None,  # from scratch nothing is kept
}
"""What a migration measures by itself."""
COMPARED: Mapping[str, Callable[[Result, int, Choices], float | None]] = {"adaptation": adaptation, "labels": labels}
"""What it measures beside the table's other migrations of its seed."""
