"""Values for the origin of an HTML report's figures: configurations, versions and data of the runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from iamm.config.check.run_keys import leaves
from iamm.record.address import PLACES, drop_keys
from iamm.record.run_folder import Result
from iamm.table.table import Table

Values = Mapping[str, Any]
"""Choices or values of a configuration by their keys."""


class Configuration(NamedTuple):
    """A row's configuration in a setting.

    Args:
        text: a line for each value.
        compared: whether it stands beside that of the first row.
        changes: key, values here, values of the first row, for each key whose values differ.
    """

    text: str
    compared: bool
    changes: Sequence[tuple[str, Values, Values]]


def configurations(table: Table) -> dict[str, dict[str, Configuration]]:
    """Collect the configuration of each row's first finished run, by row and setting."""
    first = {setting: cost.first_result for setting, cost in table.rows[0].costs.items()}
    return {
        row.label: {
            setting: configuration(cost.first_result, None if row is table.rows[0] else first[setting])
            for setting, cost in row.costs.items()
            if cost.first_result
        }
        for row in table.rows
    }


def configuration(result: Result, first: Result | None) -> Configuration:
    """Compare choices, then values, with those of the first row; seeds do not count."""
    text = "\n".join(f"{key}: {value}" for key, value in flat(result["config"]).items())
    if first is None:
        return Configuration(text, False, ())
    pairs = zip(*((each.get("choices", {}), flat(each["config"])) for each in (result, first)), strict=True)
    changes = [
        (key, here, there)
        for here, there in pairs
        for key in {**there, **here}
        if not key.endswith("seed") and here.get(key) != there.get(key)
    ]
    return Configuration(text, True, changes)


def flat(config: Values) -> dict[str, str]:
    """Return `optimizer.lr` → `0.001` for each value, without places and devices."""
    values = {path: value for path, _, value in leaves(drop_keys(config, PLACES))}
    return {
        path: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for path, value in values.items()
    }


def checksums(table: Table) -> list[tuple[str, list[int], str]]:
    """Collect the data sets, the seeds whose runs read the same data, and the checksum of that data."""
    seeds: dict[tuple[str, str], set[int]] = {}
    for run in table.runs:
        for name, checksum in run.result["data"].items() if run.result is not None else ():
            seeds.setdefault((name, str(checksum)), set()).add(run.planned.seed)
    return sorted((name, sorted(group), checksum) for (name, checksum), group in seeds.items())
