"""A planned run, with its resolved configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from iamm.config.check.migration import source_values
from iamm.config.command_line import written
from iamm.config.groups import overrides_of
from iamm.errors import BadDataError, ConfigError
from iamm.files import read_file
from iamm.record.address import MIGRATION, PLACES, address
from iamm.record.checksummed import write_json
from iamm.record.run_folder import RunFolder


@dataclass(frozen=True)
class Cell:
    """One run of a sweep or a table.

    Args:
        values: the resolved configuration, plain containers; later edits of a YAML do not change it.
        choices: group → chosen variant, as in `result.json`.
        overrides: the words of the command line or the table.
    """

    values: Mapping[str, Any]
    choices: Mapping[str, str]
    overrides: Sequence[str] = ()

    @cached_property
    def name(self) -> str:
        """The folder's name: readable, and a hash of what is computed."""
        model, dataset, seed = model_name(self.choices), self.choices["dataset"], f"seed{self.values['seed']}"
        names = (model, dataset, *self.migration, seed)
        return address(self.values, names)

    @property
    def migration(self) -> tuple[str, ...]:
        """The parts of the name that a migration has."""
        target, shots, draw = (self.values.get(key) for key in ("target", "shots", "draw"))
        return () if target is None else (f"to_{target}", self.choices["transfer"], f"shots{shots}", f"draw{draw}")

    @cached_property
    def path(self) -> Path:
        """The path of the run's folder, whatever lies there."""
        return Path(self.values["output_dir"]) / self.name

    @cached_property
    def folder(self) -> RunFolder:
        return RunFolder(self.path)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Key → value of model, data sets, seed, and of each override that changes what is computed."""
        words = {"model": "", "dataset": "", **written(self.overrides), "seed": ""}
        return {key: self.setting(key, text) for key, text in words.items() if key.split(".")[0] not in PLACES}

    def setting(self, key: str, text: str) -> Any:
        """The chosen variant, or the number or word at a dotted key; `text` for anything else."""
        value: Any = self.choices.get(key, self.values)
        for part in key.split(".") if value is self.values else ():
            value = value.get(part) if isinstance(value, Mapping) else None
        return value if isinstance(value, (bool, int, float, str)) else text


def with_source(cell: Cell) -> list[Cell]:
    """The run, behind the run on known scenes that it migrates from; alone if it has no target or names a source."""
    if cell.values.get("target") is None or cell.values["from"]:
        return [cell]
    overrides = [word for word in cell.overrides if word.lstrip("+").split("=")[0].split(".")[0] not in MIGRATION]
    source = Cell(source_values(cell.values), {**cell.choices, "transfer": "unchanged"}, overrides)
    return [source, replace(cell, values={**cell.values, "from": str(source.path)})]


def distinct(cells: Iterable[Cell]) -> list[Cell]:
    """The runs without repetitions.

    Raises:
        ConfigError: two different runs would share a folder, since they differ in keys that no address contains.
    """
    runs: dict[Path, Cell] = {}
    for cell in cells:
        first = runs.setdefault(cell.path, cell)
        if first.values != cell.values:
            key, one, other = min(differences(first.values, cell.values), key=lambda item: item[0].count("."))
            raise ConfigError(
                f"Runs side by side must compute different things. Found `{key}` alone to differ, {one} and {other}, "
                f"which a run's folder does not tell: give it one value, or each value an output_dir of its own."
            )
    return list(runs.values())


def differences(one: Mapping[str, Any], other: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each dotted key whose values differ, with both values."""
    for key in one.keys() | other.keys():
        left, right = one.get(key), other.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            yield from differences(left, right, f"{place}{key}.")
        elif left != right:
            yield f"{place}{key}", left, right


def model_name(choices: Mapping[str, str]) -> str:
    """The model and, with its group, each choice that differs from the model's own: `iamm-fusion_none`."""
    model = choices["model"]
    changed = [
        f"{group.split('@')[0]}_{choices[group]}"
        for group, choice in overrides_of(model)
        if choices.get(group, choice) != choice
    ]
    return "-".join((model, *changed))


def write_cell(path: Path, cell: Cell) -> None:
    write_json(path, asdict(cell))


def read_cell(path: Path) -> Cell:
    """Read a planned run.

    Raises:
        BadDataError: the file cannot be read.
    """
    try:
        content = json.loads(read_file(path))
        return Cell(content["values"], content["choices"], tuple(content["overrides"]))
    except (OSError, BadDataError, ValueError, TypeError, LookupError) as error:
        raise BadDataError(
            f"Every machine of a sweep must see its run folders. Found {path}: {error}. Set output_dir=… where all do."
        ) from error
