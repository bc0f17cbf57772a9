"""Where the figures of an HTML report come from: configurations, runs, and what they were computed with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from iamm.record.run_folder import PLACES, Result, drop_keys
from iamm.table.table import Cost, Run, Table
from iamm.table.write.html_results import linked
from iamm.table.write.page import bullets, details, escaped, grid, terms
from iamm.table.write.wording import number, run_groups


class Configuration(NamedTuple):
    """A run's choices, group by group, and its values, key by key."""

    choices: Mapping[str, Any]
    values: Mapping[str, str]


def configurations(table: Table) -> str:
    """Each row's configuration in each setting, of its first finished seed, what is unlike the first row's on top."""
    found = {
        (row.label, setting): Configuration(result.get("choices", {}), flat(result["config"]))
        for row in table.rows
        for setting, cost in row.costs.items()
        if (result := a_result(cost)) is not None
    }
    parts = []
    for row in table.rows:
        bodies = {setting: configuration(found, row.label, table.rows[0].label, setting) for setting in row.costs}
        inside = [
            details(escaped(setting), body) if len(row.costs) > 1 else body for setting, body in bodies.items() if body
        ]
        parts += [details(escaped(row.label), "".join(inside))] if inside else []
    return "".join(parts)


def a_result(cost: Cost) -> Result | None:
    return next((run.result for run in cost.runs if run.result is not None), None)


def configuration(found: Mapping[tuple[str, str], Configuration], row: str, first: str, setting: str) -> str:
    """Empty where the row has no finished run."""
    own, other = found.get((row, setting)), found.get((first, setting))
    if own is None:
        return ""
    text = "\n".join(f"{name}: {value}" for name, value in own.values.items())
    compared = "" if other is None or row == first else changes(own, other)
    return compared + details("The whole configuration", f"<pre>{escaped(text)}</pre>")


def changes(own: Configuration, first: Configuration) -> str:
    """Choices, then values, that are not those of the first row."""
    rows = [
        [f"<code>{escaped(name)}</code>", shown(ours, name), shown(theirs, name)]
        for ours, theirs in zip(own, first, strict=True)
        for name in {**theirs, **ours}
        if not name.endswith("seed") and ours.get(name) != theirs.get(name)
    ]
    return grid("What differs from the first row.", ["key", "here", "first row"], rows) or "<p>As the first row.</p>"


def shown(values: Mapping[str, Any], name: str) -> str:
    return f"<code>{escaped(values[name])}</code>" if name in values else "<em>not there</em>"


def flat(config: Mapping[str, Any]) -> dict[str, str]:
    """`optimizer.lr` → `0.001`; without places and devices."""
    return dict(leaves(drop_keys(config, PLACES)))


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from leaves(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def runs(table: Table, links: str) -> str:
    """Every planned run, a line for each row, setting and learning rate: how it validated, whether it was taken."""
    several = len(table.plan.settings) > 1
    heads = ["row", *(["setting"] if several else []), "learning rate", "validation", "taken", "seeds"]
    rows = [
        [
            escaped(row.label),
            *([escaped(setting)] if several else []),
            f"{rate:g}",
            number(percent(row.costs[setting].validation.get(rate)), 2),
            "✓" if rate == row.costs[setting].rate else "",
            ", ".join(linked(run, links) for run in group),
        ]
        for row, setting, rate, group in run_groups(table)
    ]
    states = Counter(run.state for run in table.runs)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    said = (
        f"{len(table.runs)} runs: {counts}. Validation: mean quality over the finished seeds, in percent points. "
        "The rate with the most finished seeds is taken and, among such, the one that validates best."
    )
    failed = [f"<code>{escaped(run.planned.folder)}</code>: {escaped(run.reason)}" for run in table.runs if run.reason]
    return grid(said, heads, rows) + bullets(failed)


def percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def provenance(table: Table) -> str:
    """Commits, versions, threads, devices and data of the finished runs, and how to make the table again."""
    results = [run.result for run in table.runs if run.result is not None]
    packages = sorted({name for result in results for name in result["versions"]})
    facts = {
        "commit": [str(result["commit"] or "unknown") for result in results],
        **{name: [str(result["versions"].get(name, "unknown")) for result in results] for name in packages},
        "threads": [str(result["threads"]) for result in results],
        "device": [str(result["device"]) for result in results],
        "BLEU": [result["bleu_signature"] for result in results if result.get("bleu_signature")],
    }
    name = escaped(table.plan.name)
    commands = [
        ("train what is missing, then build", f"<code>iamm-table table={name}</code>"),
        ("build only", f"<code>iamm-table table={name} run=false</code>"),
    ]
    seeds = ("seeds", ", ".join(map(str, table.plan.seeds)))
    return terms([*commands, seeds, *((escaped(key), counted(found)) for key, found in facts.items())]) + data(
        table.runs
    )


def counted(values: list[str]) -> str:
    """The value that all have, or each value with how many runs have it."""
    counts = Counter(values)
    if len(counts) == 1:
        return f"<code>{escaped(values[0])}</code>"
    return ", ".join(f"<code>{escaped(value)}</code> ({count} runs)" for value, count in sorted(counts.items()))


def data(runs: Sequence[Run]) -> str:
    """Sums over the data that the runs saw, with the seeds that saw them."""
    found: dict[tuple[str, str], set[int]] = {}
    for run in runs:
        for name, total in run.result["data"].items() if run.result is not None else ():
            found.setdefault((name, str(total)), set()).add(run.planned.seed)
    rows = [
        [escaped(name), ", ".join(map(str, sorted(seeds))), f"<code>{escaped(total)}</code>"]
        for (name, total), seeds in sorted(found.items(), key=lambda item: (item[0][0], sorted(item[1])))
    ]
    return grid("SHA-256 of the data.", ["data set", "seeds", "sum"], rows)
