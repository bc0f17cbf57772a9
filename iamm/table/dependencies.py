"""Rows that begin from what another row has learnt: `from=<row>`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from iamm.errors import ConfigError
from iamm.run.planned import Cell
from iamm.table.plan import PlannedRun

Place = tuple[str, str, float, int]
"""Row, setting, learning rate and seed of a run."""


def linked(found: Sequence[tuple[PlannedRun, Cell]]) -> list[tuple[PlannedRun, Cell]]:
    """The same runs; one whose `from` is a row begins from that row's run of the same setting, rate and seed, and
    stands behind it. Any other `from` is the folder of a run that is there already.

    Raises:
        ConfigError: rows that begin from each other.
    """
    planned: dict[Place, tuple[PlannedRun, Cell]] = {
        (run.row, run.setting, run.rate, run.seed): (run, cell) for run, cell in found
    }
    done: dict[Place, tuple[PlannedRun, Cell]] = {}

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
            cell = replace(cell, values={**cell.values, "from": str(done[source][1].folder.path)})
            run = replace(run, folder=cell.name)
        done[place] = run, cell

    for place in planned:
        add(place, ())
    return list(done.values())
