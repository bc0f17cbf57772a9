"""A migration: the model of a run on known scenes is carried over to a scene that it never met, and measured there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch
from rich.console import Console
from torch import Tensor, nn

from iamm.config.check.migration import target_scene
from iamm.config.compose import to_yaml
from iamm.config.instantiate import instantiate, own_mistakes
from iamm.dataset.base import Dataset
from iamm.engine.checkpoint import save_model
from iamm.engine.evaluate import Evaluation, evaluate
from iamm.engine.memory import reset_peak
from iamm.engine.plan import RunState
from iamm.engine.seeding import derived_seed
from iamm.errors import ConfigError
from iamm.files import write_text
from iamm.model.scene_network import SceneNetwork
from iamm.record.recorder import Recorder
from iamm.record.run_folder import Result, read_result
from iamm.run.build import build_augment, build_datasets, build_model, chosen_device
from iamm.run.conditions import Conditions
from iamm.run.finish import result_values, write_result
from iamm.run.finished import complete
from iamm.run.interest import mean_recognised
from iamm.run.planned import Cell
from iamm.run.source import begin_from
from iamm.run.training import recorded
from iamm.transfer.base import Material, Transfer, material_of


class Migration(NamedTuple):
    """The parts of a migration, built before anything is written.

    Args:
        target: the data set of the target, with all its splits.
        known: those of the known scenes.
        model: of the source run; it knows the target as an unknown scene.
        transfer: adapts it.
        material: that the transfer may read.
        conditions: with the address and the checksum of the source run's model.
    """

    target: Dataset
    known: list[Dataset]
    model: SceneNetwork
    transfer: Transfer
    material: Material
    conditions: Conditions

    @property
    def datasets(self) -> list[Dataset]:
        return [self.target, *self.known]


def migrate(cell: Cell, console: Console) -> Result:
    """Adapt the source run's model, test it on the target and on the known scenes, and write the result.

    A migration has no checkpoints: one that is interrupted begins anew.

    Args:
        cell: the planned run, with `from`.
        console: for progress.
    """
    folder = cell.folder
    parts = build_migration(cell.values)
    for notice in parts.conditions.notices:
        console.print(f"note: {notice}", soft_wrap=True)
    with folder.held():
        if result := complete(cell):  # by another process, since this one looked
            return result
        with recorded(folder, cell.values["log"]) as recorder:
            folder.clear()
            folder.write_status("running", step=0)
            write_text(folder.config, to_yaml(cell.values))
            return measured(cell, parts, recorder)


def build_migration(config: Mapping[str, Any]) -> Migration:
    """Build the parts of a migration.

    Args:
        config: of the run; without `from` the model is untrained, to see whether the transfer is possible before the
            source run is made.

    Raises:
        ConfigError: the source run trained on the target; the target has no known scene like it, or too few examples.
        MissingDataError, BadDataError: of the data, or of the source run.
    """
    datasets, name = build_datasets(config), target_scene(config)
    target = next(dataset for dataset in datasets if dataset.only([name]).scenes)
    known = [dataset for dataset in datasets if not dataset.only([name]).scenes]
    scenes = [scene for dataset in known for scene in dataset.scenes]
    source = config["from"] and Path(config["from"])
    if source:
        refuse_trained(name, source)
    device = chosen_device(config["device"])
    model = build_model(config, scenes).to(device)
    with own_mistakes():
        transfer: Transfer = instantiate(config["transfer"])
    data = {dataset.name: dataset.checksum() for dataset in (target, *known)}
    conditions = Conditions(config["threads"], None, str(device), data)
    if source and transfer.begins_from_source:
        conditions.source, conditions.notices = begin_from(source, model)
    seed = derived_seed(config["seed"], "transfer", config["draw"])
    with own_mistakes():
        for scene in target.scenes:
            model.add_scene(scene, scenes)
        augment = build_augment(config, [*scenes, *target.scenes])
        material = material_of(target, known, config["shots"], config["draw"], seed, device, augment)
        transfer.check(model, material)
    if config["shots"] and not transfer.reads_labels:
        conditions.notices.append(f"this transfer reads no labels: shots={config['shots']} changes nothing.")
    return Migration(target, known, model, transfer, material, conditions)


def refuse_trained(target: str, source: Path) -> None:
    """Refuse a source run that trained on the target.

    Raises:
        ConfigError: it did.
    """
    trained = list(read_result(source, name="from")["test"])
    if target in trained:
        raise ConfigError(
            f"A source run must not have met the target. Found {target} among the scenes of {source}, "
            f"{', '.join(trained)}: leave `from` out, or take another run."
        )


def measured(cell: Cell, parts: Migration, recorder: Recorder) -> dict[str, Any]:
    """Measure before and after the transfer; write the result."""
    folder, model, device = cell.folder, parts.model, parts.material.device
    reset_peak(device)
    before = evaluate(model, parts.datasets, "test", device)
    state, begun = snapshot(model), time.perf_counter()
    torch.manual_seed(parts.material.seed)
    with own_mistakes():
        parts.transfer.adapt(model, parts.material)
    seconds = time.perf_counter() - begun
    moved = count_moved(state, snapshot(model))
    shown = [parts.transfer.measured(parts.target), *parts.known]
    tested = evaluate(model, shown, "test", device)
    validated = evaluate(model, shown, "validation", device).qualities
    quality = fmean(validated[scene.name] for dataset in parts.known for scene in dataset.scenes)
    save_model(folder.best, model, 0)
    recorder.evaluated("test", 0, 0, tested, seconds=seconds)
    recorder.finish()
    end = RunState(best_quality=quality, seconds=seconds)
    notices = [*(notice for dataset in parts.datasets for notice in dataset.notices), *parts.conditions.notices]
    files = {name: content for dataset in parts.datasets for name, content in dataset.files.items()}
    result = {
        **result_values(cell, model, device, end, tested),
        "migration": {
            **migration_values(cell, parts, before, tested, moved),
            "validation": validated[parts.material.name],  # by which a table chooses the rate for another target
            "recognised": mean_recognised(model, parts.target, device, parts.material.name),
        },
        **{"notices": notices, "files": files, **parts.conditions.values()},
    }
    return write_result(folder, result, 0)


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A copy of each parameter by its name, which a parametrization does not change."""
    named = {name.replace("parametrizations.", ""): values for name, values in model.named_parameters()}
    return {name.removesuffix(".original"): values.detach().clone() for name, values in named.items()}


def count_moved(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> int:
    """The number of parameters that differ from those of the same name before, or that are new."""
    return sum(
        int((values != before[name]).sum()) if name in before else values.numel() for name, values in after.items()
    )


def migration_values(cell: Cell, parts: Migration, before: Evaluation, after: Evaluation, moved: int) -> dict[str, Any]:
    """What a result holds of its migration.

    `before` and the test's own `quality`: of each scene without and with the transfer; `kept`: their mean quotient over
    the known scenes; `moved`: parameters that the transfer changed or added, `labelled`: examples that it read.
    """
    known = [scene.name for dataset in parts.known for scene in dataset.scenes]
    return {
        **{"target": parts.material.name, "known": known, "shots": cell.values["shots"], "draw": cell.values["draw"]},
        **{
            "labelled": parts.material.labelled * parts.transfer.reads_labels,
            "unlabelled": parts.transfer.reads_unlabelled,
            "moved": moved,
        },
        "before": dict(before.qualities),
        "kept": mean_quotient([(after.qualities[name], before.qualities[name]) for name in known]),
    }


def mean_quotient(pairs: Sequence[tuple[float, float]]) -> float:
    """The mean of a / b over the pairs with b > 0; 1 where there is none: there was nothing to keep."""
    quotients = [a / b for a, b in pairs if b > 0]
    return sum(quotients) / len(quotients) if quotients else 1.0
