"""The end of a run: test the chosen model, draw the figures and, once all is on the disk, write the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from iamm.dataset.base import Dataset
from iamm.dataset.outline import outline
from iamm.engine.checkpoint import load_model
from iamm.engine.evaluate import Evaluation, evaluate
from iamm.engine.memory import peak_memory_mib
from iamm.engine.missing import missing_views
from iamm.engine.plan import RunState
from iamm.engine.technique.augmentation import augmented_measures
from iamm.measure import as_json
from iamm.model.scene_network import SceneNetwork
from iamm.record.checksummed import write_checksummed
from iamm.record.curve import curve_of
from iamm.record.recorder import Recorder
from iamm.record.run_folder import RunFolder
from iamm.run.build import Parts
from iamm.run.conditions import Conditions, instructions, versions
from iamm.run.finished import code_states
from iamm.run.interest import interest_notices, interest_report, interest_values
from iamm.run.pictures import draw
from iamm.run.planned import Cell


def finish(
    cell: Cell,
    datasets: list[Dataset],
    parts: Parts,
    recorder: Recorder,
    conditions: Conditions,
    state: RunState,
) -> dict[str, Any]:
    """Test the chosen model, draw, then write the result; a figure that cannot be drawn is a notice in the result.

    The result is written last, since it says that the run is finished: all other files are on the disk by then.
    """
    folder = cell.folder
    curve = curve_of(folder.records_so_far())
    load_model(folder.best, parts.model, state.best_epoch)
    tested = evaluate(parts.model, datasets, "test", parts.device)
    recorder.evaluated("test", state.step, state.best_epoch, tested, seconds=state.seconds)
    interest: dict[str, Any] = {}
    failed = attempt("interest", lambda: interest.update(report_interest(cell, datasets, parts, recorder, state)))
    values = result_values(cell, parts.model, parts.device, state, tested)
    failed += present(cell, datasets, parts, recorder, state, tested, values["details"])
    recorder.finish()
    notices = [notice for dataset in datasets for notice in dataset.notices]
    notices += [*conditions.notices, *skipped(state), *failed, *interest_notices(interest)]
    files = {name: content for dataset in datasets for name, content in dataset.files.items()}
    result = {**values, "notices": notices, **parts.techniques.outcome()}
    if interest:
        result["interest"] = interest
    if curve:
        result["curve"] = curve
    if cell.values["log"].get("missing"):
        result["missing"] = missing_views(parts.model, datasets, parts.device, cell.values["seed"])
    if (attack := parts.techniques.attack) is not None:
        result["attacked"] = attack.measures(parts.model, datasets, parts.device)
    if (choice := cell.values["log"].get("augmented")) is not None:
        result["augmented"] = augmented_measures(parts.model, datasets, parts.device, choice)
    write_checksummed(folder.scenes, outline([dataset.scenes for dataset in datasets]))
    result |= {**conditions.values(), "files": files, "code": code_states(cell.values)}
    return write_result(folder, result, state.step)


def write_result(folder: RunFolder, result: Mapping[str, Any], step: int) -> dict[str, Any]:
    """Write the result of a run, and the checksums of its other files, which are all on the disk."""
    folder.write_status("finished", step=step)
    result = {**result, "written": folder.checksums()}
    write_checksummed(folder.result, result)
    return result


def report_interest(
    cell: Cell, datasets: list[Dataset], parts: Parts, recorder: Recorder, state: RunState
) -> dict[str, Any]:
    """Measure what interest does on validation and log it."""
    report = interest_report(parts.model, datasets, parts.device) if cell.values["log"]["interest"] else {}
    recorder.scalars(interest_values(report), state.step)
    return report


def present(
    cell: Cell,
    datasets: list[Dataset],
    parts: Parts,
    recorder: Recorder,
    state: RunState,
    tested: Evaluation,
    details: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    """Write texts and hyperparameters and draw figures; yield a notice for each that fails."""

    def pictures() -> list[str]:
        arguments = (recorder, parts.model, datasets, parts.device, state.step)
        log = cell.values["log"]
        return draw(*arguments, log["pictures"], tested.scene_weights, details, heads=log["attention"])

    yield from attempt("written texts", lambda: recorder.write_texts("test", tested, state.step))
    yield from attempt("examples", lambda: recorder.examples(tested))
    yield from attempt("pictures", pictures)
    yield from attempt("hparams", lambda: recorder.hparams(cell.settings))


def attempt(what: str, show: Callable[[], list[str] | None]) -> list[str]:
    """The notices of `show`, or the reason for its failure: a failed figure must not lose a finished run."""
    try:
        return show() or []
    except Exception as error:
        why = " ".join(str(error).split()) or "no reason given"
        return [f"{what} could not be written: {type(error).__name__}: {why}"]


def skipped(state: RunState) -> list[str]:
    return [f"{state.skipped} of {state.step} steps were left out, not being finite."] if state.skipped else []


def result_values(
    cell: Cell, model: SceneNetwork, device: torch.device, state: RunState, tested: Evaluation
) -> dict[str, Any]:
    """The content of the result: measures, and all that is needed to reproduce them."""
    from iamm.head.text import bleu

    return {
        "test": {scene: dict(values) for scene, values in tested.measures.items()},
        "measures": as_json(model.declared_measures()),
        "details": model.details(tested.outputs),
        "quality": dict(tested.qualities),
        "scene_weights": {scene: dict(weights) for scene, weights in tested.scene_weights.items()},
        "validation_quality": state.best_quality,
        "best_epoch": state.best_epoch,
        "epochs": state.epoch,
        "steps": state.step,
        **({"phases": [*state.history, state.outcome()]} if state.phase else {}),
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": state.seconds,
        "peak_memory_mib": peak_memory_mib(device),
        "seed": cell.values["seed"],
        "threads": cell.values["threads"],
        "device": str(device),
        "choices": dict(cell.choices),
        "settings": cell.settings,
        "bleu_signature": bleu(["a"], ["a"])[1],
        "versions": versions(),
        "instructions": instructions(),
        "config": dict(cell.values),
    }
