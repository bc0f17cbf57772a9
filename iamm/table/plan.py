"""The plan of a comparison table: rows, columns, and the runs that it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from iamm.errors import ConfigError, nearest
from iamm.measure import Measure, undeclared

QUOTIENTS = ("kept", "adaptation", "elasticity", "robustness")
"""Measures that are shown in percent and may exceed 100."""


@dataclass(frozen=True)
class Column:
    """A column of a table: a measure of a scene.

    Args:
        label: the heading.
        measure: one of the scene's test measures, or `quality`: the measure that its head selects by, turned so that
            higher is better. Of a migration also those of `iamm.table.migration`.
        scene: None for the mean over all scenes of the setting, which rows that lack one of them do not have.
        setting: in which it is measured.
        minus: label of the row whose value of the same seed is subtracted, as for transfer.
        declared: the measure as the runs' results declare it; None before there is such a result.
        over: settings and weights: the value is the weighted sum over these, each seed by itself; empty: that in
            `setting`.
        harmonic: columns whose harmonic mean it is, each seed by itself; a negative value counts as 0.
        compared: whether rows are tested in it against the first one; if not, it is shown only.
        epoch: of the curve of a run with `log.test`, whose measure it is then; None: at the end.
    """

    label: str
    measure: str
    scene: str | None
    setting: str
    minus: str | None = None
    declared: Measure | None = None
    over: tuple[tuple[str, float], ...] = ()
    harmonic: tuple[Column, ...] = ()
    compared: bool = True
    epoch: int | None = None

    @property
    def parts(self) -> tuple[tuple[str, float], ...]:
        """The settings in which it is measured, and their weights."""
        parts = tuple(part for column in self.harmonic for part in column.parts)
        return parts or self.over or ((self.setting, 1.0),)

    @property
    def kind(self) -> Measure:
        return self.declared or undeclared(self.measure)

    @property
    def scale(self) -> float:
        """The factor from a value to the one that is shown."""
        return self.kind.factor

    @property
    def is_share(self) -> bool:
        """Whether every value, and so every mean, lies within 0 to 100."""
        return self.kind.scale == "percent" and self.minus is None and self.measure not in QUOTIENTS

    @property
    def lower_is_better(self) -> bool:
        return self.kind.lower_is_better


@dataclass(frozen=True)
class PlannedRun:
    """One training: row, setting, learning rate, seed, its folder's name in `output_dir`, and its configuration."""

    row: str
    setting: str
    rate: float
    seed: int
    folder: str
    values: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def at_rate(self) -> tuple[str, str, float]:
        return self.row, self.setting, self.rate


@dataclass(frozen=True)
class Claims:
    """The claims of a document: its place, and row → column → figure as printed there."""

    place: str
    figures: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class TablePlan:
    """A table before its runs are made.

    Args:
        name: as in `table=`.
        title: above the table.
        about: a paragraph on the data and whatever else a reader must know.
        rows: labels; the first row is compared with each other.
        columns: in order.
        settings: names; a row is trained once in each, for every rate and seed.
        seeds: of all rows.
        rates: learning rates that are tried; validation chooses one for each row and setting.
        choose_seeds: seeds, the first ones, over which it chooses; the others are run at the chosen rate alone.
        budget: other values that all rows share, by their names.
        tolerance: largest share by which a row's parameters may differ from the first row's; None: any.
        test: `t` or `wilcoxon`, paired over seeds.
        overlap: ρ of `paired_t`.
        seconds: that one run is expected to take; None where unknown.
        claims: of a document, if any.
        runs: every run that may be needed, in the order of running.
        shots: labels of each class, of a table of migrations; the first columns are of these.
        judges: setting → the setting in whose runs its learning rate is chosen, where that is another one.
    """

    name: str
    title: str
    about: str
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    settings: tuple[str, ...]
    seeds: tuple[int, ...]
    rates: tuple[float, ...]
    choose_seeds: int
    budget: Mapping[str, Any]
    tolerance: float | None
    test: str
    seconds: float | None
    claims: Claims | None
    runs: tuple[PlannedRun, ...]
    shots: tuple[int, ...] = ()
    judges: Mapping[str, str] = field(default_factory=dict)
    overlap: float = 0.0


def compared_in(columns: Sequence[Column], labels: Sequence[str] | None) -> tuple[Column, ...]:
    """Return the columns, of which those of the given labels are compared; None: all of them."""
    known = [column.label for column in columns]
    for label in labels or ():
        if label not in known:
            raise ConfigError(f"`compare` names columns. Found {label}. {nearest(label, known)}")
    return tuple(replace(column, compared=labels is None or column.label in labels) for column in columns)
