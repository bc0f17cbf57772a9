"""What runs wrote and what they looked at, in an HTML report: sentences beside their references, and pictures."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

from iamm.report.html_results import places
from iamm.report.page import block, details, escaped, figure, grid, link
from iamm.report.records import RunFolder
from iamm.report.table import Run, Table

MOST = 30 * 2**20
"""Bytes of pictures in a report."""

Pairs = dict[str, list[tuple[str, str]]]
"""Per scene: written, reference."""


def examples(table: Table, output_dir: Path) -> str:
    """Some sentences of test: what each row wrote, of its first finished seed that wrote any, below the reference."""
    parts = []
    for setting in table.plan.settings:
        written = {
            row.label: pairs
            for row in table.rows
            if (
                pairs := next(
                    filter(None, (read_pairs(output_dir, run) for run in finished(row.costs[setting].runs))), None
                )
            )
        }
        scenes = dict.fromkeys(scene for pairs in written.values() for scene in pairs)
        for scene in scenes:
            place = f"{scene}, {setting}" if len(table.plan.settings) > 1 else scene
            parts.append(f"<h3>{escaped(place)}</h3>" + by_reference(written, scene))
    return "".join(parts)


def finished(runs: tuple[Run, ...]) -> Iterator[Run]:
    return (run for run in runs if run.state == "finished")


def read_pairs(output_dir: Path, run: Run) -> Pairs:
    path = RunFolder(output_dir / run.planned.folder).examples
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def by_reference(written: dict[str, Pairs], scene: str) -> str:
    """The rows that wrote for the same example stand together; the first example is open."""
    groups: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for row, pairs in written.items():
        for number, (said, reference) in enumerate(pairs.get(scene, ())):
            groups.setdefault((number, reference), []).append((row, said))
    return "".join(
        details(f"Reference: <q>{escaped(reference)}</q>", sentences(rows, reference), shown=place == 0)
        for place, ((_, reference), rows) in enumerate(sorted(groups.items()))
    )


def sentences(rows: list[tuple[str, str]], reference: str) -> str:
    shown = [
        [escaped(row), escaped(said) or "<em>nothing</em>", "✓ as the reference" if said == reference else ""]
        for row, said in rows
    ]
    return grid("", ["row", "written", ""], shown)


def pictures(table: Table, output_dir: Path, links: str) -> str:
    """What each row looked at, of its first finished seed that drew any; links where they are too large."""
    found = [
        (shown, files)
        for row, setting, shown in places(table)
        if (files := first_pictures(output_dir, row.costs[setting].runs))
    ]
    share = MOST // len(found) if found else 0
    return "".join(
        details(f"{shown}: {len(files)} pictures", album(shown, files, share, links), shown=number == 0)
        for number, (shown, files) in enumerate(found)
    )


def first_pictures(output_dir: Path, runs: tuple[Run, ...]) -> list[Path]:
    """In the order of their names, 2 before 10."""
    folders = (RunFolder(output_dir / run.planned.folder).pictures for run in finished(runs))
    albums = (sorted(folder.glob("*.png"), key=natural) for folder in folders)
    return next(filter(None, albums), [])


def natural(path: Path) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def album(shown: str, files: list[Path], most: int, links: str) -> str:
    """As many pictures as fit into so many bytes of the report; the others as links."""
    inside, outside, used = [], [], 0
    for file in files:
        size = 4 * ((file.stat().st_size + 2) // 3)
        if used + size <= most:
            used += size
            inside.append(picture(file, shown))
        else:
            target = f"{links}/{file.parent.parent.name}/{file.parent.name}/{file.name}"
            outside.append(link(target, file.stem))
    rest = f"<p>Left out for their size: {', '.join(outside)}.</p>" if outside else ""
    return block("pictures", "".join(inside)) + rest


def picture(file: Path, shown: str) -> str:
    content = base64.b64encode(file.read_bytes()).decode()
    name = escaped(file.stem)
    return figure(f'<img src="data:image/png;base64,{content}" alt="{shown}: {name}">', name)
