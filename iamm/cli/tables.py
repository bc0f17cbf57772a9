"""Hydra's side of `iamm-table`: plan the table, run what is missing, build it."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from iamm.cli import compose
from iamm.cli.cells import Cell, write_cell
from iamm.cli.check_table import check_options
from iamm.cli.help import configs_folder
from iamm.cli.mistakes import explained, refuse_dashes
from iamm.cli.planning import plan_table
from iamm.cli.sweep import cores, sweep
from iamm.errors import ConfigError, FailedCellError
from iamm.report.plan import Plan, read_plan, write_plan
from iamm.report.records import RunFolder

ASIDE = ("run", "list", "costs", "device", "sweep")
"""Keys that change nothing of what is planned."""


@dataclass(frozen=True)
class Work:
    """What a command line of `iamm-table` comes to.

    Args:
        options: its configuration, plain.
        folder: of the table's own files.
        plan: of the table.
        missing: its runs that are not finished.
        launcher: overrides that choose another launcher of Hydra's; none: side by side on this machine.
    """

    options: dict[str, Any]
    folder: Path
    plan: Plan
    missing: list[Cell]
    launcher: tuple[str, ...]

    @property
    def output_dir(self) -> Path:
        return Path(self.options["output_dir"])


def run_command_line() -> int:
    """The exit code: 3 if a run of the table failed in this call."""
    prepared: list[Work] = []

    @hydra.main(version_base="1.3", config_path="pkg://iamm.configs", config_name="table")
    def job(config: DictConfig) -> None:
        prepared.append(prepare(config))

    refuse_dashes(sys.argv[1:])
    with explained():
        job()
    work = prepared[0]
    if work.options["list"]:
        from iamm.cli.listing import show_listing

        show_listing(work.plan, work.output_dir, work.options["sweep"]["jobs"] or cores())
        return 0
    failed = bool(work.options["run"] and work.missing) and run_missing(work)
    from iamm.cli.building import build

    build(work.plan, work.output_dir, work.folder, costs=work.options["costs"])
    return FailedCellError.exit_code if failed else 0


def prepare(config: DictConfig) -> Work:
    """Check everything and plan; nothing is run yet.

    Raises:
        ConfigError: a key, a value or a combination that cannot be.
    """
    hydra_config = HydraConfig.get()
    if hydra_config.mode == RunMode.MULTIRUN:
        raise ConfigError("`iamm-table` runs its runs side by side by itself. Found -m: leave it out.")
    options: Any = OmegaConf.to_container(config, resolve=True)
    check_options(options)
    name = str(hydra_config.runtime.choices["table"])
    folder = Path(config.output_dir) / "tables" / name
    launcher = () if compose.plain_sweep() else tuple(hydra_config.overrides.hydra)
    kept = folder / f"plan-{fingerprint(options)}.json"
    plan = read_plan(kept) if kept.exists() else None
    if plan is None or (options["run"] and not options["list"] and unfinished(plan, config.output_dir)):
        plan, cells = plan_table(config, name)
        keep_plan(kept, plan)
        return Work(options, folder, plan, [cell for cell in cells if not cell.folder.finished()], launcher)
    return Work(options, folder, plan, [], launcher)


def unfinished(plan: Plan, output_dir: str) -> bool:
    return not all(RunFolder(Path(output_dir) / run.folder).finished() for run in plan.runs)


def fingerprint(options: dict[str, Any]) -> str:
    """16 hex digits of SHA-256 over the table and every YAML that its runs may be composed of: while it stays the same,
    so does the plan, and nothing need be composed anew."""
    digest = hashlib.sha256(json.dumps({k: v for k, v in options.items() if k not in ASIDE}).encode())
    for source in HydraConfig.get().runtime.config_sources:
        for root in config_roots(source):
            for file in sorted(root.rglob("*.yaml")):
                digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def config_roots(source: Any) -> list[Path]:
    """The folder of a place where Hydra looks for YAML files, if it is one."""
    if source.schema == "pkg" and source.path == "iamm.configs":
        return [configs_folder()]
    return [Path(source.path)] if source.schema == "file" else []


def keep_plan(path: Path, plan: Plan) -> None:
    """Beside it, plans of other configurations go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_plan(path, plan)
    for other in set(path.parent.glob("plan-*.json")) - {path}:
        other.unlink()


def run_missing(work: Work) -> bool:
    """Whether any of the runs failed."""
    if not work.launcher:
        return bool(sweep(work.missing))
    planned = work.folder / "planned"
    planned.mkdir(exist_ok=True)
    for cell in work.missing:
        write_cell(planned / f"{cell.name}.json", cell)
    files = ",".join(f"'{planned / cell.name}.json'" for cell in work.missing)
    sys.argv[1:] = ["-m", *work.launcher, f"planned={files}"]
    code = compose.run_command_line()
    for file in planned.iterdir():
        file.unlink()
    planned.rmdir()
    return bool(code)
