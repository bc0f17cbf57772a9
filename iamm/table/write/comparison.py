"""A table's runs in TensorBoard as one comparison: a folder of links to their event files, under readable names."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

from iamm.files import require_no_link, shortened
from iamm.output import printable
from iamm.table.table import Run, Table

EVENTS = "events.out.tfevents."
"""The beginning of event files' names."""


def compare_in_tensorboard(table: Table, folder: Path, output_dir: Path) -> str:
    """Make `folder` anew: the runs of the chosen learning rates that have events, finished or not.

    Args:
        table: whose runs are compared.
        folder: of this comparison alone; an earlier one is removed.
        output_dir: where the run folders lie.

    Returns:
        The line to print: the command that opens it or, where no links can be made, the reason.
    """
    require_no_link(folder.parent)
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for name, run in named_runs(table, output_dir):
            link_events(output_dir.resolve() / run.planned.folder, folder / name)
    except OSError as error:
        return (
            f"A comparison in TensorBoard needs a folder that takes symbolic links. Found {folder}: {error.strerror}."
        )
    return f"tensorboard --logdir {shlex.quote(str(folder))}"


def named_runs(table: Table, output_dir: Path) -> Iterator[tuple[str, Run]]:
    """Yield readable names and runs, in the table's order: `ours/seed0`; with one of several settings or rates."""
    plan = table.plan
    for row in table.rows:
        for setting, cost in row.costs.items():
            for run in cost.runs:
                parts = [row.label, *([setting] if len(plan.settings) > 1 else [])]
                parts += [f"lr{run.planned.rate}"] if cost.rate is None and len(plan.rates) > 1 else []
                if any((output_dir / run.planned.folder).glob(f"{EVENTS}*")):
                    yield "/".join(map(file_name, (*parts, f"seed{run.planned.seed}"))), run


def file_name(label: str) -> str:
    """Return the label with look-alikes in place of slashes and a leading dot, cut where it is too long."""
    return shortened(re.sub(r"^\.", "·", printable(label).replace("/", "∕")))


def link_events(run: Path, place: Path) -> None:
    """Make relative links to a run's event files: the output folder may be moved as a whole."""
    place.mkdir(parents=True)
    for file in sorted(run.glob(f"{EVENTS}*")):
        (place / file.name).symlink_to(os.path.relpath(file, place.resolve()))
