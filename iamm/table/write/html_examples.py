"""Values for what runs wrote and attended to, in an HTML report: sentences beside their references, and pictures."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from iamm.errors import BadDataError
from iamm.files import read_file
from iamm.record.run_folder import RunFolder
from iamm.table.table import Cost, Table
from iamm.table.write.wording import places

MOST = 30 * 2**20
"""Bytes of pictures in a report."""

Pairs = dict[str, list[tuple[str, str]]]
"""Per scene: written, reference."""
References = list[tuple[str, list[tuple[str, str]]]]
"""A reference, and what was written in its place: row, sentence."""


class AttentionMaps(NamedTuple):
    """The pictures of a row: those inside the report (name, base64) and links to the others (name, path)."""

    label: str
    images: list[tuple[str, str]]
    left_out: list[tuple[str, str]]


def sentences(table: Table, output_dir: Path) -> dict[str, References]:
    """Collect what the first finished seed of each row wrote in the test, by scene and setting."""
    collected = {}
    for setting in table.plan.settings:
        folders = {row.label: first_finished(output_dir, row.costs[setting]) for row in table.rows}
        written = {row: read_pairs(folder.examples) for row, folder in folders.items() if folder}
        for scene in dict.fromkeys(scene for pairs in written.values() for scene in pairs):
            place = f"{scene}, {setting}" if len(table.plan.settings) > 1 else scene
            collected[place] = by_reference(written, scene)
    return collected


def first_finished(output_dir: Path, cost: Cost) -> RunFolder | None:
    """Return the folder of the first seed whose run is finished."""
    finished = next((run for run in cost.runs if run.state == "finished"), None)
    return finished and RunFolder(output_dir / finished.planned.folder)


def read_pairs(path: Path) -> Pairs:
    """Read a run's sentences; none where the file is missing or damaged."""
    try:
        texts = json.loads(read_file(path))
        return {scene: [(str(one), str(other)) for one, other in pairs] for scene, pairs in texts.items()}
    except (OSError, BadDataError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def by_reference(written: dict[str, Pairs], scene: str) -> References:
    """Group the rows that wrote for the same example."""
    groups: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for row, pairs in written.items():
        for number, (sentence, reference) in enumerate(pairs.get(scene, ())):
            groups.setdefault((number, reference), []).append((row, sentence))
    return [(reference, rows) for (_, reference), rows in sorted(groups.items())]


def attention_maps(table: Table, output_dir: Path) -> list[AttentionMaps]:
    """Read the pictures of each row's first finished seed; all together take no more than `MOST` bytes."""
    folders = [(label, first_finished(output_dir, cost)) for label, cost in places(table)]
    files = {label: sorted(pictures(folder), key=natural) for label, folder in folders if folder}
    filled = {label: drawn for label, drawn in files.items() if drawn}
    return [maps(label, drawn, MOST // len(filled)) for label, drawn in filled.items()]


def pictures(folder: RunFolder) -> list[Path]:
    return [] if folder.pictures.is_symlink() else list(folder.pictures.glob("*.png"))


def natural(path: Path) -> list[tuple[int, str]]:
    """Sort 2 before 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def maps(label: str, files: Sequence[Path], most: int) -> AttentionMaps:
    """Read as many pictures as fit into `most` bytes of the report; what is no plain file is left out."""
    result, used = AttentionMaps(label, [], []), 0
    for file in files:
        try:
            picture = base64.b64encode(read_file(file)).decode()
        except (OSError, BadDataError):
            continue
        if used + len(picture) <= most:
            used += len(picture)
            result.images.append((file.stem, picture))
        else:
            result.left_out.append((file.stem, "/".join(file.parts[-3:])))
    return result
