"""Comparisons between rows of a table: only over the same seeds and the same examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from statistics import fmean, harmonic_mean, median

from iamm.record.address import PLACES, drop_keys
from iamm.record.run_folder import Result
from iamm.table.migration import COMPARED, MIGRATED
from iamm.table.plan import Column, TablePlan
from iamm.table.selection import Choices
from iamm.table.statistics import PAIRED_TESTS, estimate, holm, paired_t
from iamm.table.table import Difference

ALPHA = 0.05
"""Level of the tests, after Holm's correction."""

Differences = dict[tuple[str, Column], Difference]
"""By row and bare column."""


def value_of(column: Column, result: Result) -> float | None:
    """Return the measure of a run, before scaling; None where it has no such scene or measure."""
    if column.over and column.measure in MIGRATED:
        return MIGRATED[column.measure](result)
    scenes = tuple(result["quality"]) if column.scene is None else (column.scene,)
    if column.epoch is not None:
        values = [in_epoch(result, scene, column.measure, column.epoch) for scene in scenes]
    else:
        values = [measure_of(result, scene, column.measure) for scene in scenes]
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(scenes) else None


def in_epoch(result: Result, scene: str, measure: str, epoch: int) -> float | None:
    """Return a measure after an epoch; None where the run did not come so far, or measured no curve."""
    curve = result.get("curve", {}).get(scene, [])
    return curve[epoch - 1].get(measure) if epoch <= len(curve) else None


def measure_of(result: Result, scene: str, measure: str) -> float | None:
    if measure == "quality":
        return result["quality"].get(scene)
    if measure == "weight":
        return received_weight(result, scene)
    if measure == "weights_kept":
        return weights_kept(result, scene)
    reports = [result.get(key, {}).get(scene, {}) for key in ("test", "missing", "attacked", "augmented")]
    return next((report[measure] for report in reports if measure in report), None)


def received_weight(result: Result, scene: str) -> float | None:
    """Return the mean weight w that the other scenes' examples give to a scene; None where there is none."""
    weights = [given[scene] for name, given in result["scene_weights"].items() if name != scene and scene in given]
    return fmean(weights) if weights else None


def weights_kept(result: Result, scene: str) -> float | None:
    """Return 1 − ½ Σ_i |w_i − v_i|, of a scene's mean weights w at the end, on test, and v after the first phase.

    v are those of the phase's best validation, since only the end is measured on test.

    None where the run has no phases, or the first one no weights of the scene.
    """
    first = (result.get("phases") or [{}])[0].get("scene_weights", {}).get(scene)
    now = result["scene_weights"].get(scene)
    return 1 - sum(abs(now[name] - first.get(name, 0.0)) for name in now) / 2 if first and now else None


def measured(column: Column, row: str, choices: Choices) -> dict[int, float] | None:
    """Return a row's values by seed, as shown; None where its runs have no such scene, or it is `minus` itself."""
    values = raw_values(column, row, choices)
    if column.minus == row or (choices[row, column.setting].results and not values):
        return None
    if column.minus is None:
        return values
    return {seed: value - other for seed, (other, value) in paired(column, column.minus, row, choices).items()}


def raw_values(column: Column, row: str, choices: Choices) -> dict[int, float]:
    """Return values by seed, with nothing subtracted: the weighted sum over the column's settings."""
    if column.harmonic:
        each = [raw_values(part, row, choices) for part in column.harmonic]
        shared = [seed for seed in each[0] if all(seed in values for values in each)]
        return {seed: harmonic_mean([max(values[seed], 0.0) for values in each]) for seed in shared}
    parts = [(weight, values_in(setting, column, row, choices)) for setting, weight in column.parts]
    shared = [seed for seed in parts[0][1] if all(seed in values for _, values in parts)]
    return {seed: sum(weight * values[seed] for weight, values in parts) for seed in shared}


def values_in(setting: str, column: Column, row: str, choices: Choices) -> dict[int, float]:
    """Return values by seed in one setting. A mean over scenes needs all scenes of the setting."""
    results = choices[row, setting].results
    if column.scene is None and not column.over:
        scenes = all_scenes(setting, choices)
        results = {seed: result for seed, result in results.items() if set(result["quality"]) == scenes}
    compared = COMPARED.get(column.measure) if column.over else None
    values = {
        seed: compared(results[seed], seed, choices) if compared else value_of(column, results[seed])
        for seed in sorted(results)
    }
    return {seed: column.scale * value for seed, value in values.items() if value is not None}


def all_scenes(setting: str, choices: Choices) -> set[str]:
    """Collect the scenes of all rows; a row has the same ones with every seed."""
    results = (next(iter(choice.results.values()), None) for place, choice in choices.items() if place[1] == setting)
    return {scene for result in results if result is not None for scene in result["quality"]}


def paired(column: Column, first: str, row: str, choices: Choices) -> dict[int, tuple[float, float]]:
    """Return both rows' values for each seed that both have finished on the same examples."""
    before, after = (raw_values(column, label, choices) for label in (first, row))
    pairs = [[choices[label, setting].results for label in (first, row)] for setting, _ in column.parts]
    shared = [
        seed for seed in before if seed in after and all(same_examples(one[seed], other[seed]) for one, other in pairs)
    ]
    return {seed: (before[seed], after[seed]) for seed in shared}


def same_examples(one: Result, other: Result) -> bool:
    """Return whether each shared data set gave the same examples: equal checksums, or equal settings but for views."""
    shared = one["data"].keys() & other["data"].keys()
    unequal = [name for name in shared if one["data"][name] != other["data"][name]]
    return bool(shared) and all(other_views(one, other, name) for name in unequal)


def other_views(one: Result, other: Result, name: str) -> bool:
    """Return whether both configure the data set alike except for its views."""
    first, second = (result["config"]["dataset"].get(name, {}) for result in (one, other))
    left_out = ("views", *PLACES)
    return first.get("views") != second.get("views") and drop_keys(first, left_out) == drop_keys(second, left_out)


def differences(plan: TablePlan, choices: Choices) -> Differences:
    """Compare each row with the first one in each measure; p is corrected for all of these together (Holm 1979)."""
    compared = [column for column in plan.columns if column.compared]
    places = [(row, column) for column in dict.fromkeys(map(bare, compared)) for row in plan.rows[1:]]
    pairs = {(row, column): paired(column, plan.rows[0], row, choices) for row, column in places}
    tested = {place: tuple(zip(*both.values(), strict=True)) for place, both in pairs.items() if both}
    test = partial(paired_t, overlap=plan.overlap) if plan.overlap else PAIRED_TESTS[plan.test]
    raw = [test(first, second) if len(first) > 1 else math.nan for first, second in tested.values()]
    return {
        place: difference(place[1], [b - a for a, b in pairs[place].values()], p, adjusted, plan.overlap)
        for place, p, adjusted in zip(tested, raw, holm(raw), strict=True)
    }


def bare(column: Column) -> Column:
    """Return the tested measure. A row that is subtracted from both cancels, so that each measure is tested once."""
    return replace(column, label="", minus=None)


def difference(column: Column, changes: Sequence[float], p: float, adjusted: float, overlap: float) -> Difference:
    return Difference(estimate(changes, overlap=overlap), p, adjusted, verdict(column, changes, adjusted))


def verdict(column: Column, changes: Sequence[float], p: float) -> str:
    """Word the result of a test. A rank test can separate rows against their means, by one outlier: that is a tie."""
    if math.isnan(p):
        return "untested"
    mean = fmean(changes)
    if p >= ALPHA or mean * median(changes) < 0:
        return "tie"
    return "better" if (mean < 0) == column.lower_is_better else "worse"
