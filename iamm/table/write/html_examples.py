"""What runs wrote and what they looked at, in an HTML report: sentences beside their references, and pictures."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

from iamm.record.run_folder import RunFolder
from iamm.table.table import Cost, Table
from iamm.table.write.html_results import places
from iamm.table.write.page import block, details, escaped, figure, grid, link

MOST = 30 * 2**20
"""Bytes of pictures in a report."""

Pairs = dict[str, list[tuple[str, str]]]
"""Per scene: written, reference."""


def examples(table: Table, output_dir: Path) -> str:
    """Some sentences of test: what each row wrote, with its first finished seed, below the reference."""
    parts = []
    for setting in table.plan.settings:
        folders = {row.label: first_finished(output_dir, row.costs[setting]) for row in table.rows}
        written = {row: read_pairs(folder) for row, folder in folders.items() if folder}
        scenes = dict.fromkeys(scene for pairs in written.values() for scene in pairs)
        for scene in scenes:
            place = f"{scene}, {setting}" if len(table.plan.settings) > 1 else scene
            parts.append(f"<h3>{escaped(place)}</h3>" + by_reference(written, scene))
    return "".join(parts)


def first_finished(output_dir: Path, cost: Cost) -> RunFolder | None:
    """The folder of the first seed whose run is finished."""
    found = next((run for run in cost.runs if run.state == "finished"), None)
    return found and RunFolder(output_dir / found.planned.folder)


def read_pairs(folder: RunFolder) -> Pairs:
    path = folder.examples
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
    """What each row looked at, with its first finished seed; links to what would make the file too large."""
    folders = [(shown, first_finished(output_dir, row.costs[setting])) for row, setting, shown in places(table)]
    albums = [(shown, sorted(folder.pictures.glob("*.png"), key=natural)) for shown, folder in folders if folder]
    found = [(shown, files) for shown, files in albums if files]
    share = MOST // max(1, len(found))
    return "".join(
        details(f"{shown} ({len(files)})", album(shown, files, share, links), shown=number == 0)
        for number, (shown, files) in enumerate(found)
    )


def natural(path: Path) -> list[tuple[int, str]]:
    """2 before 10."""
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
