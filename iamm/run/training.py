"""A training and an evaluation, from built parts to the written result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from iamm import interruption, processes
from iamm.config.compose import to_yaml
from iamm.dataset.base import Dataset
from iamm.engine.checkpoint import file_is_intact, load_model
from iamm.engine.checkpointer import FileCheckpointer
from iamm.engine.evaluate import evaluate
from iamm.engine.memory import reset_peak
from iamm.engine.observer import Observer
from iamm.engine.technique.augmentation import augmented_measures, pictured
from iamm.engine.technique.quantisation import quantise, size
from iamm.errors import BadDataError, DivergedError, UserError
from iamm.files import writable, write_text
from iamm.own import own_error
from iamm.record.curve import Curve
from iamm.record.recorder import Recorder
from iamm.record.run_folder import Result, RunFolder, read_result
from iamm.run.build import build_datasets, build_model, chosen_device
from iamm.run.conditions import Conditions, slow_precision
from iamm.run.course import Course, build_phases, fit_course
from iamm.run.finish import finish
from iamm.run.finished import complete, damaged
from iamm.run.planned import Cell
from iamm.run.progress import ProgressLine
from iamm.run.source import begin_from


def train(cell: Cell, console: Console) -> Result:
    """Build all parts, then train, evaluate and write the result; nothing is written before all parts are built.

    With `devices`, this process is the first of several: only it evaluates on test, and only it writes.

    Args:
        cell: the planned run.
        console: for progress.
    """
    with processes.started(cell.values["devices"] or 1, train_beside, cell):
        return train_first(cell, console)


def train_beside(cell: Cell) -> None:
    """Train as one of the other processes; what it cannot do, the first process cannot do either, and reports it."""
    config, folder = cell.values, cell.folder
    datasets = build_datasets(config)
    course = Course(build_phases(config, datasets), folder, config["seed"])
    conditions = conditions_of(config, folder, datasets, course)
    processes.wait()  # for what the first one clears
    checkpointer = file_checkpointer(config, folder, course, {"conditions": conditions}, lambda: False)
    state, _ = checkpointer.restore()
    if not folder.has_checkpoint():
        state.phase = course.current.phase.name
    fit_course(course, checkpointer, (), state)


def train_first(cell: Cell, console: Console) -> Result:
    config, folder = cell.values, cell.folder
    datasets = build_datasets(config)
    course = Course(build_phases(config, datasets), folder, config["seed"])
    warning = slow_precision(config["precision"], course.current.device)
    if warning:
        console.print(f"note: {warning}", soft_wrap=True, highlight=False)
    if config["log"]["augmented"] is not None:
        pictured(course.current.model, datasets)
    conditions = conditions_of(config, folder, datasets, course)
    with folder.held():
        if result := complete(cell):  # by another process, since this one looked
            return result
        if folder.finished() and not config["rerun"]:
            files = ", ".join(damaged(folder, read_result(folder.path)))
            console.print(f"note: {files} damaged; this run is brought to its end again.", soft_wrap=True)
            folder.result.unlink()
        with recorded(folder, config["log"]) as recorder:
            return run(cell, console, datasets, course, recorder, conditions)


@contextmanager
def recorded(folder: RunFolder, log: Mapping[str, Any]) -> Iterator[Recorder]:
    """A recorder of the run; a failure is written into its status."""
    try:
        with writable(folder.path), closing(Recorder(folder, log)) as recorder:
            yield recorder
    except DivergedError as error:
        message = f"{error} {last_checkpoint(folder)}"
        folder.write_status("diverged", error=message, batch=error.batch)
        raise DivergedError(message, error.batch) from error
    except BaseException as error:
        with suppress(UserError):  # the disk may take no byte at all
            if not folder.finished():
                folder.write_status(**failure_status(error))
        raise


def conditions_of(config: Mapping[str, Any], folder: RunFolder, datasets: list[Dataset], course: Course) -> Conditions:
    """The conditions of the run; a new run with `from` is initialised from that run's model."""
    data = {dataset.name: dataset.checksum() for dataset in datasets}
    conditions = Conditions(config["threads"], config["devices"], str(course.current.device), data)
    if config["from"] and (config["rerun"] or not folder.has_checkpoint()):
        conditions.source, conditions.notices = begin_from(Path(config["from"]), course.current.model)
    return conditions


def failure_status(error: BaseException) -> dict[str, Any]:
    """The status of a run that ended without a result."""
    if interruption.caused(error):
        return {"state": "interrupted", "signal": interruption.signal_name()}
    return {"state": "failed", "error": str(own_error(error) or error) or type(error).__name__}


def last_checkpoint(folder: RunFolder) -> str:
    return f"The last good checkpoint: {folder.last}." if folder.last.exists() else "There is no checkpoint yet."


def run(
    cell: Cell, console: Console, datasets: list[Dataset], course: Course, recorder: Recorder, conditions: Conditions
) -> dict[str, Any]:
    """Resume the run, or start it, and train and test it to its end."""
    config, folder = cell.values, cell.folder
    if config["rerun"]:
        folder.clear()
    parts = {"conditions": conditions, "recorder": recorder}
    checkpointer = file_checkpointer(config, folder, course, parts, interruption.requested)
    state, warning = checkpointer.restore()
    if not folder.has_checkpoint():
        if folder.records_so_far():
            warning = "there is no checkpoint of this run left; it starts anew."
        folder.clear()
        state.phase = course.current.phase.name
    best = folder.best_of(course.best)
    if state.best_epoch and not file_is_intact(best):
        raise BadDataError(
            f"A run goes on with its best model. Found {best} missing or damaged: bring it back, or start anew with "
            "rerun=true."
        )
    for notice in filter(None, (warning, *recorder.notices, *conditions.notices)):
        console.print(f"note: {notice}", soft_wrap=True, highlight=False)
    if state.step:
        console.print(f"This run goes on from step {state.step:,}, after {state.epoch} finished epochs.")
    folder.write_status("running", step=state.step)
    write_text(folder.config, to_yaml(config))
    reset_peak(course.current.device)
    measures = course.current.model.declared_measures()
    recorder.layout(measures)
    processes.wait()
    with ProgressLine(console, course.epochs, measures) as line, interruption.deferred():
        observers: list[Observer] = [recorder, line]
        if config["log"]["test"]:
            observers.append(Curve(recorder, course.evaluated, datasets, course.current.device))
        state = fit_course(course, checkpointer, observers, state)
    return finish(cell, datasets, course.current, recorder, conditions, state)


def file_checkpointer(
    config: Mapping[str, Any],
    folder: RunFolder,
    course: Course,
    parts: Mapping[str, Any],
    stop_requested: Callable[[], bool],
) -> FileCheckpointer:
    """A checkpointer of the model, the course and the given parts."""
    return FileCheckpointer(
        folder.last,
        folder.previous,
        folder.best,
        {"model": course.current.model, "course": course, **parts},
        **config["checkpoint"],
        stop_requested=stop_requested,
    )


class Evaluated(NamedTuple):
    """A model's measures on test, the seconds that it took, the bytes of its values, and what `log.augmented` adds."""

    measures: dict[str, dict[str, float]]
    seconds: float
    size: int
    augmented: dict[str, dict[str, float]]


def evaluate_again(
    config: Mapping[str, Any], folder: RunFolder, data: Mapping[str, str], precisions: Sequence[str] = ("fp32",)
) -> list[Evaluated]:
    """Evaluate a finished run's chosen model on test, in one precision after another.

    Args:
        config: of the run.
        folder: of the run.
        data: checksums of the data sets that the run was trained on.
        precisions: fp32, or int8 behind it.

    Raises:
        MissingDataError: the folder holds no model.
        BadDataError: the model's file cannot be read, or the data differ.
    """
    datasets = build_datasets(config)
    changed = [dataset.name for dataset in datasets if dataset.checksum() != data[dataset.name]]
    if changed:
        raise BadDataError(
            f"A run is measured again on its own data. Found {', '.join(changed)} changed: bring the data back, or "
            "train again with rerun=true."
        )
    scenes = [scene for dataset in datasets for scene in dataset.scenes]
    device = chosen_device(config["device"])
    model = build_model(config, scenes).to(device)
    load_model(folder.best, model)
    evaluated = []
    for precision in precisions:
        if precision == "int8":
            quantise(model)
        begun = time.perf_counter()
        tested = evaluate(model, datasets, "test", device)
        measures = {scene: dict(values) for scene, values in tested.measures.items()}
        seconds, choice = time.perf_counter() - begun, config["log"].get("augmented")
        augmented = {} if choice is None else augmented_measures(model, datasets, device, choice)
        evaluated.append(Evaluated(measures, seconds, size(model), augmented))
    return evaluated
