"""A training and an evaluation, from built parts to the written result."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from iamm import interruption
from iamm.dataset.base import Dataset
from iamm.engine.checkpoint import load_model
from iamm.engine.evaluate import Evaluation, evaluate
from iamm.engine.fit import fit
from iamm.engine.keeper import FileKeeper
from iamm.engine.plan import RunState
from iamm.errors import BadDataError, DivergedError, MissingDataError, UserError
from iamm.files import writable, write_text
from iamm.measure import as_json
from iamm.record.checksummed import write_sealed
from iamm.record.recorder import Recorder
from iamm.record.run_folder import RunFolder
from iamm.run.build import Parts, build, build_datasets, build_model, chosen_device
from iamm.run.conditions import Conditions, instructions
from iamm.run.memory import forget_peak, peak_memory_mib
from iamm.run.pictures import draw
from iamm.run.planned import Cell
from iamm.run.progress import ProgressLine
from iamm.run.provenance import commit, slow_precision, versions


def train(config: DictConfig, cell: Cell, console: Console) -> dict[str, Any]:
    """Build all parts, then train, evaluate and write. Nothing is written before everything is built.

    Args:
        config: the cell's values, as parts are built from.
        cell: the planned run.
        console: for progress.
    """
    folder = cell.folder
    datasets = build_datasets(config)
    parts = build(config, datasets)
    warning = slow_precision(config.precision, parts.device)
    if warning:
        console.print(f"note: {warning}", soft_wrap=True, highlight=False)
    with folder.held():
        try:
            with writable(folder.path), closing(Recorder(folder)) as recorder:
                return run(config, cell, console, datasets, parts, recorder)
        except DivergedError as error:
            told = f"{error} {last_good(folder)}"
            folder.write_status("diverged", error=told, batch=error.batch)
            raise DivergedError(told, error.batch) from error
        except BaseException as error:
            with suppress(UserError):  # a disk that takes nothing at all
                folder.write_status(**last_words(error))
            raise


def last_words(error: BaseException) -> dict[str, Any]:
    """How a run ended that did not finish."""
    if isinstance(error, KeyboardInterrupt):
        return {"state": "interrupted", "signal": interruption.name()}
    return {"state": "failed", "error": str(error) or type(error).__name__}


def last_good(folder: RunFolder) -> str:
    return f"The last good checkpoint: {folder.last}." if folder.last.exists() else "There is no checkpoint yet."


def run(
    config: DictConfig, cell: Cell, console: Console, datasets: list[Dataset], parts: Parts, recorder: Recorder
) -> dict[str, Any]:
    """From where the run stands to its end."""
    folder = cell.folder
    if config.rerun:
        folder.clear()
    data = {dataset.name: dataset.checksum() for dataset in datasets}
    conditions = Conditions(config.threads, str(parts.device), data)
    keeper = keeper_of(config, folder, parts, conditions, recorder)
    state, warning = keeper.take_up()
    if not folder.kept():
        folder.clear()
    for notice in filter(None, (warning, *conditions.notices)):
        console.print(f"note: {notice}", soft_wrap=True, highlight=False)
    folder.write_status("running", step=state.step)
    write_text(folder.config, OmegaConf.to_yaml(config))
    forget_peak(parts.device)
    with ProgressLine(console, config.epochs, parts.model.declared_measures()) as line, interruption.deferred():
        state = fit(
            parts.model,
            datasets,
            parts.weighting,
            parts.optimizer,
            parts.schedule,
            parts.plan,
            seed=config.seed,
            device=parts.device,
            augment=parts.augment,
            observers=(recorder, line),
            state=state,
            keeper=keeper,
        )
    return finish(config, cell, datasets, parts, recorder, conditions, state)


def keeper_of(
    config: DictConfig, folder: RunFolder, parts: Parts, conditions: Conditions, recorder: Recorder
) -> FileKeeper:
    return FileKeeper(
        folder.last,
        folder.previous,
        folder.best,
        parts.model,
        {
            "conditions": conditions,
            "model": parts.model,
            "optimizer": parts.optimizer,
            "weighting": parts.weighting,
            "recorder": recorder,
        },
        **config.checkpoint,
        asked=interruption.asked,
    )


def finish(
    config: DictConfig,
    cell: Cell,
    datasets: list[Dataset],
    parts: Parts,
    recorder: Recorder,
    conditions: Conditions,
    state: RunState,
) -> dict[str, Any]:
    """Test the chosen model, draw, write the result."""
    folder = cell.folder
    choose(folder, parts, state)
    tested = evaluate(parts.model, datasets, "test", parts.device)
    recorder.evaluated("test", state.step, state.best_epoch, tested, seconds=state.seconds)
    recorder.write_texts("test", tested, state.step)
    recorder.examples(tested)
    notes = draw(
        recorder,
        parts.model,
        datasets,
        parts.device,
        state.step,
        config.log.pictures,
        tested.scene_weights,
        heads=config.log.attention,
    )
    recorder.hparams(hparam_choices(config, cell.choices), tested.measures)
    recorder.finish()
    notices = [notice for dataset in datasets for notice in dataset.notices]
    notices += [*conditions.notices, *skipped(state), *notes]
    files = {dataset.name: dict(dataset.files) for dataset in datasets}
    result = {**result_values(config, cell, parts, state, tested), "notices": notices}
    result |= {"data": conditions.data, "files": files}
    write_sealed(folder.result, result)
    folder.write_status("finished", step=state.step)
    return result


def choose(folder: RunFolder, parts: Parts, state: RunState) -> None:
    """Put the model back that validation chose.

    Raises:
        BadDataError: the file holds another.
    """
    epoch = load_model(folder.best, parts.model)
    if epoch != state.best_epoch:
        raise BadDataError(
            f"The chosen model must be that of epoch {state.best_epoch}. Found {folder.best} of epoch {epoch}: "
            "start anew with rerun=true."
        )


def skipped(state: RunState) -> list[str]:
    return [f"{state.skipped} of {state.step} steps were left out, not being finite."] if state.skipped else []


def hparam_choices(config: DictConfig, choices: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("seed", "epochs", "batch_size", "dim", "dropout", "label_smoothing", "precision")
    single = {key: value for key, value in choices.items() if "@" not in key}
    return {**single, "lr": config.optimizer.lr, **{key: config[key] for key in keys}}


def result_values(config: DictConfig, cell: Cell, parts: Parts, state: RunState, tested: Evaluation) -> dict[str, Any]:
    """Everything needed to trust a number, beside the number."""
    from iamm.head.text import bleu

    return {
        "test": {scene: dict(found) for scene, found in tested.measures.items()},
        "measures": as_json(parts.model.declared_measures()),
        "quality": dict(tested.qualities),
        "scene_weights": {scene: dict(found) for scene, found in tested.scene_weights.items()},
        "validation_quality": state.best_quality,
        "best_epoch": state.best_epoch,
        "epochs": state.epoch,
        "steps": state.step,
        "parameters": sum(p.numel() for p in parts.model.parameters()),
        "seconds": state.seconds,
        "peak_memory_mib": peak_memory_mib(parts.device),
        "seed": config.seed,
        "threads": config.threads,
        "device": str(parts.device),
        "choices": dict(cell.choices),
        "bleu_signature": bleu(["a"], ["a"])[1],
        "versions": versions(),
        "instructions": instructions(),
        "commit": commit(Path(__file__).parent),
        "config": dict(cell.values),
    }


def evaluate_again(config: DictConfig, folder: RunFolder, data: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """The test measures of a finished run's chosen model.

    Args:
        config: of the run.
        folder: of the run.
        data: checksums of the data sets that it was made with.

    Raises:
        MissingDataError: the folder holds no model.
        BadDataError: the model's file cannot be read, or the data are others.
    """
    datasets = build_datasets(config)
    changed = [dataset.name for dataset in datasets if dataset.checksum() != data[dataset.name]]
    if changed:
        raise BadDataError(
            f"A run is measured again on its own data. Found {', '.join(changed)} changed: bring the data back, or "
            "train again with rerun=true."
        )
    scenes = [scene for dataset in datasets for scene in dataset.scenes]
    device = chosen_device(config.device)
    model = build_model(config, scenes).to(device)
    if not folder.best.exists():
        raise MissingDataError(
            f"A finished run must hold its model. Found no {folder.best}: train again with rerun=true."
        )
    load_model(folder.best, model)
    tested = evaluate(model, datasets, "test", device)
    return {scene: dict(found) for scene, found in tested.measures.items()}
