"""Where the figures of an HTML report come from: configurations, runs, and what they were computed with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from iamm.report.html_results import linked, places
from iamm.report.page import bullets, details, escaped, grid, terms
from iamm.report.records import PLACES, drop_keys
from iamm.report.table import Cost, Table
from iamm.report.transfer import Result
from iamm.report.wording import run_groups


def configurations(table: Table) -> str:
    """Each row's configuration, what differs from the first row's before the whole; of its first finished seed."""
    first = table.rows[0]
    parts = []
    for row, setting, shown in places(table):
        own, other = a_result(row.costs[setting]), a_result(first.costs[setting])
        if own is not None:
            compared = changes(own, other) if row is not first and other is not None else ""
            whole = details("The whole configuration", f"<pre>{escaped(text(own['config']))}</pre>")
            parts.append(details(shown, compared + whole))
    return "".join(parts)


def a_result(cost: Cost) -> Result | None:
    return next((run.result for run in cost.runs if run.result is not None), None)


def changes(own: Result, other: Result) -> str:
    """Choices, then values, that are not those of the first row."""
    ours, theirs = ({**result["choices"], **flat(result["config"])} for result in (own, other))
    names = [name for name in {**theirs, **ours} if not name.endswith("seed") and ours.get(name) != theirs.get(name)]
    rows = [[f"<code>{escaped(name)}</code>", shown(ours, name), shown(theirs, name)] for name in names]
    return grid("What differs from the first row.", ["key", "here", "first row"], rows) or "<p>As the first row.</p>"


def shown(values: Mapping[str, Any], name: str) -> str:
    return f"<code>{escaped(values[name])}</code>" if name in values else "<em>not there</em>"


def flat(config: Mapping[str, Any]) -> dict[str, str]:
    """`optimizer.lr` → `0.001`; without places and devices."""
    return dict(leaves(drop_keys(config, PLACES)))


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from leaves(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def text(config: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in flat(config).items())


def runs(table: Table, links: str) -> str:
    """Every planned run, a line for each row, setting and learning rate; why, of those that failed."""
    several = len(table.plan.settings) > 1
    heads = ["row", *(["setting"] if several else []), "learning rate", "seeds"]
    rows = [
        [
            escaped(row.label),
            *([escaped(setting)] if several else []),
            f"{rate:g}",
            ", ".join(linked(run, links) for run in group),
        ]
        for row, setting, rate, group in run_groups(table)
    ]
    states = Counter(run.state for run in table.runs)
    said = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    failed = [f"<code>{escaped(run.planned.folder)}</code>: {escaped(run.reason)}" for run in table.runs if run.reason]
    return grid(f"{len(table.runs)} runs: {said}.", heads, rows) + bullets(failed)


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
    return terms([*commands, seeds, *((escaped(key), counted(found)) for key, found in facts.items())]) + data(results)


def counted(values: list[str]) -> str:
    """The value that all have, or each value with how many runs have it."""
    counts = Counter(values)
    if len(counts) == 1:
        return f"<code>{escaped(values[0])}</code>"
    return ", ".join(f"<code>{escaped(value)}</code> ({count} runs)" for value, count in sorted(counts.items()))


def data(results: list[Result]) -> str:
    """Sums over the data that the runs saw, with the seeds that saw them."""
    found: dict[tuple[str, str], set[int]] = {}
    for result in results:
        for name, total in result["data"].items():
            found.setdefault((name, str(total)), set()).add(result["seed"])
    rows = [
        [escaped(name), ", ".join(map(str, sorted(seeds))), f"<code>{escaped(total)}</code>"]
        for (name, total), seeds in sorted(found.items())
    ]
    return grid("SHA-256 of the data.", ["data set", "seeds", "sum"], rows)
