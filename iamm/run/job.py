"""Jobs of `iamm-train`: train a run, evaluate a finished one, or summarise a model, and print the result."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from iamm.errors import ConfigError, DifferentError
from iamm.measure import Measure, measures_of
from iamm.record.checksummed import strict
from iamm.record.loggers import require_packages
from iamm.record.run_folder import Result, RunFolder
from iamm.run.finished import changed_code, complete, read_finished
from iamm.run.planned import Cell, with_source
from iamm.terminal import plain_console, print_table


def train_job(cell: Cell) -> float:
    """Train the run unless it is finished already, and print its result; the run that it migrates from comes first.

    Returns:
        The quality on validation, which a search may maximise.
    """
    asked, (*sources, cell) = cell, with_source(cell)
    for source in sources:
        if not source.folder.finished():
            require_migration(asked)
        train_job(source)
    console = plain_console()
    if result := complete(cell):
        console.print("This run is finished; rerun=true starts it anew.")
        if changed_code(result):
            console.print("note: The code of iamm has changed since.")
    else:
        require_packages(cell.values["log"])
        result = run_of(cell)(cell, console)
    show(console, cell.path, result)
    return float(result["validation_quality"])


def require_migration(cell: Cell) -> None:
    """Refuse a migration that is not possible before its source run is made.

    Raises:
        ConfigError: the transfer cannot adapt the model, or lacks something of the target.
    """
    from iamm.run.migration import build_migration

    build_migration(cell.values)


def run_of(cell: Cell) -> Callable[[Cell, Console], Result]:
    """The function that makes the run: a training, or a migration to its target."""
    if cell.values["target"] is None:
        from iamm.run.training import train

        return train
    from iamm.run.migration import migrate

    return migrate


def evaluate_job(values: Mapping[str, Any], *, moved: bool) -> None:
    """Evaluate a finished run again, on the same data and threads, and print whether the numbers are the same.

    With `precision=int8`, print the measures, the time and the size with 8-bit integers beside those without; with
    `log.augmented`, those of the mean answer to versions of each picture, too.

    Args:
        values: configuration with `run`, `device`, `precision` and `log.augmented`.
        moved: whether the data are now in the `data_dir` of `values` instead of the recorded one.

    Raises:
        BadDataError: the data are not those of the run, or its files are damaged.
        DifferentError: the numbers differ.
    """
    from iamm.run.training import evaluate_again

    console = plain_console()
    folder = RunFolder(Path(values["run"]))
    recorded = read_finished(folder, "test", "data")
    if recorded["config"]["target"] is not None:
        raise ConfigError(f"A migration is checked by its repetition. Found {folder.path}: add mode=verify.")
    trained = with_data(recorded["config"], values["data_dir"] if moved else None)
    trained |= {"device": values["device"], "log": {**trained["log"], "augmented": values["log"]["augmented"]}}
    if values["precision"] == "int8":
        precisions = ("fp32", "int8")
        for name, each in zip(precisions, evaluate_again(trained, folder, recorded["data"], precisions), strict=True):
            show_measures(console, each.measures, recorded)
            show_others(console, "augmented", each.augmented, recorded)
            console.print(f"{name}  {each.size / 1e6:.2f} MB  {each.seconds:.2f} s for the test split")
        return
    ((measures, *_, augmented),) = evaluate_again(trained, folder, recorded["data"])
    show_measures(console, measures, recorded)
    show_others(console, "augmented", augmented, recorded)
    same = strict(measures) == strict(recorded["test"])
    console.print("The run's own numbers: the same to the last digit." if same else "The run's own numbers differ:")
    if not same:
        show_measures(console, recorded["test"], recorded)
        raise DifferentError(
            f"A model measured again must give its run's numbers. Found others for {folder.path}: look for another "
            "machine, version or number of threads, or train again with rerun=true."
        )


def summary_job(cell: Cell) -> None:
    """Print the parts of the run's model, without a training; of a migration, the model of the run on known scenes."""
    import torch

    from iamm.engine.collate import collate
    from iamm.model.summary import parameters, summary
    from iamm.run.build import build_datasets, build_model

    config = with_source(cell)[0].values
    datasets = build_datasets(config)
    model = build_model(config, [scene for dataset in datasets for scene in dataset.scenes])
    rows = torch.arange(2)
    batches = [collate(dataset, "train", rows, torch.device("cpu")) for dataset in datasets]
    parts = [
        ["  " * name.count(".") + name.split(".")[-1], kind, str(shape or ""), f"{count:,}"]
        for name, kind, shape, count in summary(model, batches)
    ]
    console = plain_console()
    print_table(console, cell.name, ["part", "class", "output", "parameters"], parts, labels=2)
    console.print(f"{parameters(model):,} parameters; outputs are those of {len(rows)} training examples")


def with_data(config: Mapping[str, Any], data_dir: str | None) -> dict[str, Any]:
    """A run's configuration with another `data_dir`; None keeps the recorded one."""
    if data_dir is None:
        return dict(config)
    datasets = {
        name: {**part, "data_dir": data_dir} if "data_dir" in part else part for name, part in config["dataset"].items()
    }
    return {**config, "dataset": datasets}


def show_measures(console: Console, measures: Mapping[str, Mapping[str, float]], result: Mapping[str, Any]) -> None:
    """Print test measures as a table, on the scales that the result declares."""
    declared = measures_of(result)
    names = dict.fromkeys(name for values in measures.values() for name in values)
    rows = [
        [scene, *(declared[scene][name].shown(values[name]) if name in values else "–" for name in names)]
        for scene, values in measures.items()
    ]
    print_table(console, "test", ["scene", *names], rows)


def migration_lines(result: Result) -> Iterator[str]:
    """What a transfer did to each scene's quality, and what is left of that of the known scenes."""
    if not (migration := result.get("migration")):
        return
    for scene in (migration["target"], *migration["known"]):
        before, after = migration["before"][scene], result["quality"][scene]
        role = "target" if scene == migration["target"] else "known "
        yield f"{role} {scene}  quality {before:.4f} → {after:.4f}"
    yield f"known scenes keep {migration['kept']:.1%} of their quality; {migration['moved']:,} parameters were moved"


def interest_lines(report: Mapping[str, Any], declared: Mapping[str, Mapping[str, Measure]]) -> Iterator[str]:
    """One line for each scene: how its first measure changes on validation where something stands in for interest."""
    for scene in declared if report else ():
        measure = next(iter(declared[scene].values()))
        changes = {control: effect[scene][measure.name] for control, effect in report["effects"].items()}
        shown = "  ".join(f"{control} {measure.shown(change)}" for control, change in changes.items())
        count = report["scenes"][scene].get("examples")  # runs before December 2026 lack it
        yield f"without interest  {scene} {measure.name}  {shown}" + (f"  n={count:.0f}" if count else "")


OTHERS = {"attacked": "under attack", "augmented": "mean answer"}
"""Further measures of a result, and the words in front of them."""


def show_others(console: Console, key: str, others: Mapping[str, Mapping[str, float]], result: Result) -> None:
    """Print one line for each scene: its first measure under the attack of its run, or with test-time augmentation."""
    declared = measures_of(result)
    for scene, measures in others.items():
        measure = next(iter(declared[scene].values()))
        shown = measure.shown(measures[f"{measure.name}_{key}"])
        console.print(f"{OTHERS[key]}  {scene} {measure.name} {shown}", soft_wrap=True)


def show(console: Console, path: Path, result: Result) -> None:
    """Print the test measures, the run folder, and the command that opens TensorBoard."""
    show_measures(console, result["test"], result)
    summary = f"{result['parameters']:,} parameters  {result['seconds']:.1f} s  best epoch {result['best_epoch']}"
    console.print(f"{summary}  peak memory {result['peak_memory_mib']:.0f} MiB  threads {result['threads']}")
    for line in migration_lines(result):
        console.print(line, soft_wrap=True)
    for line in interest_lines(result.get("interest", {}), measures_of(result)):
        console.print(line, soft_wrap=True)
    for key in OTHERS:
        show_others(console, key, result.get(key, {}), result)
    for notice in result["notices"]:
        console.print(f"note: {notice}", soft_wrap=True)
    console.print(f"run folder  {path}", soft_wrap=True)
    console.print(f"look at it  tensorboard --logdir {shlex.quote(str(path))}", soft_wrap=True)
