"""Values for the origin of an HTML report's figures: configurations, versions and data of the runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from iamm.record.address import PLACES, drop_keys
from iamm.record.run_folder import Result
from iamm.table.table import Cost, Table

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
    first = table.rows[0]
    results = {
        row.label: {setting: result for setting, cost in row.costs.items() if (result := first_result(cost))}
        for row in table.rows
    }
    return {
        row: {
            setting: configuration(result, None if row == first.label else results[first.label].get(setting))
            for setting, result in by_setting.items()
        }
        for row, by_setting in results.items()
    }


def first_result(cost: Cost) -> Result | None:
    return next((run.result for run in cost.runs if run.result is not None), None)


def configuration(result: Result, first: Result | None) -> Configuration:
    """Compare choices, then values, with those of the first row; seeds do not count."""
    text = "\n".join(f"{key}: {value}" for key, value in flat(result["config"]).items())
    if first is None:
        return Configuration(text, False, ())
    pairs = zip(*((one.get("choices", {}), flat(one["config"])) for one in (result, first)), strict=True)
    changes = [
        (key, here, there)
        for here, there in pairs
        for key in {**there, **here}
        if not key.endswith("seed") and here.get(key) != there.get(key)
    ]
    return Configuration(text, True, changes)


def flat(config: Values) -> dict[str, str]:
    """Return `optimizer.lr` → `0.001` for each value, without places and devices."""
    return dict(leaves(drop_keys(config, PLACES)))


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from leaves(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def origins(table: Table) -> dict[str, Counter[str]]:
    """Count the finished runs by commit, by the version of each package, by threads, device and BLEU signature."""
    results = [run.result for run in table.runs if run.result is not None]
    packages = sorted({name for result in results for name in result["versions"]})
    return {
        "commit": Counter(str(result["commit"] or "unknown") for result in results),
        **{name: Counter(str(result["versions"].get(name, "unknown")) for result in results) for name in packages},
        "threads": Counter(str(result["threads"]) for result in results),
        "device": Counter(str(result["device"]) for result in results),
        "BLEU": Counter(result["bleu_signature"] for result in results if result.get("bleu_signature")),
    }


def checksums(table: Table) -> list[tuple[str, list[int], str]]:
    """Collect the data sets, the seeds whose runs read the same data, and the checksum of that data."""
    found: dict[tuple[str, str], set[int]] = {}
    for run in table.runs:
        for name, total in run.result["data"].items() if run.result is not None else ():
            found.setdefault((name, str(total)), set()).add(run.planned.seed)
    return sorted((name, sorted(seeds), total) for (name, total), seeds in found.items())
