"""Dependencies between rows: a row with `from=<row>` begins from the model of that row's run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from iamm.errors import ConfigError
from iamm.run.planned import Cell
from iamm.table.plan import PlannedRun

Pair = tuple[PlannedRun, Cell]
"""A run of a table, and what it computes."""
Place = tuple[str, str, float, int]
"""Row, setting, learning rate and seed of a run."""


def linked(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the runs, each behind the run that it begins from: that of the same setting, rate and seed.

    A `from` that is no row is the folder of a run that is there already.

    Raises:
        ConfigError: rows that begin from each other.
    """
    planned: dict[Place, Pair] = {(*run.at_rate, run.seed): (run, cell) for run, cell in pairs}
    done: dict[Place, Pair] = {}

    def add(place: Place, above: tuple[str, ...]) -> None:
        if place in done:
            return
        if place[0] in above:
            raise ConfigError(
                f"A row begins from one that does not begin from it. Found from={' → '.join((*above, place[0]))}: "
                "leave one out."
            )
        run, cell = planned[place]
        source = (str(cell.values["from"]), *place[1:])
        if source in planned:
            add(source, (*above, place[0]))
            cell = replace(cell, values={**cell.values, "from": str(done[source][1].path)})
            run = replace(run, folder=cell.name)
        done[place] = run, cell

    for place in planned:
        add(place, ())
    return list(done.values())


def require_every_rate(budget: Mapping[str, Any], rows: Collection[str], begins: Iterable[str | None]) -> None:
    """Require all learning rates at all seeds where a row begins from another: that run has the same rate and seed."""
    if "choose_seeds" in budget and any(start in rows for start in begins):
        raise ConfigError(
            "A row that begins from another needs it at every learning rate and seed. Found `budget.choose_seeds` too: "
            "leave it out."
        )
