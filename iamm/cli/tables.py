"""Hydra's side of `iamm-table`: plan the table, run what is missing, build it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from iamm import __version__
from iamm.config.groups import configs_folder
from iamm.config.limits import guarded
from iamm.config.mistakes import explained, refuse_dashes
from iamm.config.mistakes_table import EXPLAINED, check_options, known_keys, name_of, refuse_sweeps
from iamm.errors import FailedCellError, UserError
from iamm.files import writable, write_text
from iamm.processors import processors
from iamm.run.finished import finished
from iamm.run.planned import Cell, cell_of
from iamm.sweep.launch import launcher_words
from iamm.sweep.sweep import sweep
from iamm.table.plan import Plan, read_plan, write_plan
from iamm.table.planning import plan_table

ASIDE = ("run", "list", "costs", "device", "sweep")
"""Options that change nothing of what is planned."""


@dataclass(frozen=True)
class Work:
    """What a command line of `iamm-table` comes to.

    Args:
        options: of the command, plain.
        folder: of the table's own files.
        plan: of the table.
        kept: file of the planned runs, a line each.
        launcher: words that choose another launcher of Hydra's; none: side by side on this machine.
    """

    options: dict[str, Any]
    folder: Path
    plan: Plan
    kept: Path
    launcher: tuple[str, ...]

    @property
    def output_dir(self) -> Path:
        return Path(self.options["output_dir"])


def run_command_line() -> int:
    """The exit code: 3 if a run of the table failed in this call."""
    work = prepared()
    if work is None:
        return 0
    waiting = missing(work)
    if work.options["list"]:
        from iamm.table.listing import show_listing

        show_listing(work.plan, work.output_dir, work.options["sweep"]["jobs"] or processors())
        return 0
    failed = sweep(waiting, work.launcher) if waiting and work.options["run"] else []
    from iamm.table.building import build

    with writable(work.folder, what="A table's folder"):
        build(work.plan, work.output_dir, work.folder, costs=work.options["costs"])
    return FailedCellError.exit_code if failed else 0


def prepared() -> Work | None:
    """The work, checked and planned whole; none where Hydra was only asked to show something.

    Raises:
        UserError: of the command line, the table, or a run that it needs; kept here rather than raised through Hydra,
            which would print lines of its own.
    """
    found: list[Work] = []
    mistakes: list[UserError] = []

    @hydra.main(version_base="1.3", config_path="pkg://iamm.configs", config_name="table")
    def job(config: DictConfig) -> None:
        try:
            with explained(*EXPLAINED):
                found.append(prepare(config))
        except UserError as error:
            mistakes.append(error)

    refuse_dashes(sys.argv[1:], known_keys())
    refuse_sweeps(get_args_parser().parse_args())
    with explained(*EXPLAINED), guarded():
        job()
    if mistakes:
        raise mistakes[0]
    return found[0] if found else None


def prepare(config: DictConfig) -> Work:
    """Check everything and plan, or take the plan that is kept; nothing is run yet."""
    options: Any = OmegaConf.to_container(config, resolve=True)
    check_options(options)
    folder = Path(options["output_dir"]) / "tables" / name_of(HydraConfig.get().runtime.choices.get("table"))
    mark = fingerprint(options)
    plan_file, runs_file = folder / f"plan-{mark}.json", folder / f"runs-{mark}.jsonl"
    if not (plan_file.exists() and runs_file.exists()):
        plan, cells = plan_table(config, folder.name)
        with writable(folder, what="A table's folder"):
            keep(plan_file, plan, runs_file, cells)
    return Work(options, folder, read_plan(plan_file), runs_file, launcher_words(sys.argv[1:]))


def keep(plan_file: Path, plan: Plan, runs_file: Path, cells: Sequence[Cell]) -> None:
    """Write both in place of those of other configurations."""
    plan_file.parent.mkdir(parents=True, exist_ok=True)
    for old in (*plan_file.parent.glob("plan-*.json"), *runs_file.parent.glob("runs-*.jsonl")):
        old.unlink(missing_ok=True)
    write_text(runs_file, "".join(cell.text() for cell in cells))
    write_plan(plan_file, plan)


def fingerprint(options: dict[str, Any]) -> str:
    """16 hex digits of SHA-256 over the table and every YAML that its runs may be composed of: while it stays the same,
    so does the plan, and nothing need be composed anew."""
    planned = {key: value for key, value in options.items() if key not in ASIDE}
    digest = hashlib.sha256(json.dumps([__version__, planned], default=str).encode())
    runs = Path(options["output_dir"]).resolve()  # each has a YAML of its own
    for source in HydraConfig.get().runtime.config_sources:
        for root in config_roots(source):
            for file in sorted(root.rglob("*.yaml")):
                if runs not in file.resolve().parents:
                    digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def config_roots(source: Any) -> list[Path]:
    """The folder of a place where Hydra looks for YAML files, if it is one."""
    if source.schema == "pkg" and source.path == "iamm.configs":
        return [configs_folder()]
    return [Path(source.path)] if source.schema == "file" else []


def missing(work: Work) -> list[Cell]:
    """The planned runs that are not finished; where and how to run them is said by each call anew.

    Raises:
        BadDataError: a finished one was made with other data than those that lie there now.
    """
    places = {key: work.options[key] for key in ("device", "output_dir", "sweep")}
    planned = (cell_of(line) for line in work.kept.read_text(encoding="utf-8").split("\n")[:-1])
    cells = [Cell({**cell.values, **places}, cell.choices) for cell in planned]
    return [cell for cell in cells if not finished(cell)]
