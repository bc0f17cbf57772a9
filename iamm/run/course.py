"""The phases of a run, one after another over one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from iamm.dataset.base import Dataset, Scene
from iamm.engine.checkpoint import load_model
from iamm.engine.checkpointer import FileCheckpointer
from iamm.engine.collate import collate
from iamm.engine.evaluate import Network
from iamm.engine.fit import fit
from iamm.engine.freezing import train_only
from iamm.engine.observer import Observer
from iamm.engine.plan import RunState
from iamm.engine.seeding import derived_seed
from iamm.engine.technique.adversarial import Attack, embeddings_of
from iamm.engine.technique.averaging import Average
from iamm.engine.technique.distillation import Distillation
from iamm.engine.technique.pruning import HeadPruning, Pruning, WeightPruning
from iamm.engine.technique.synonyms import learnt_synonyms
from iamm.engine.technique.techniques import Techniques
from iamm.errors import ConfigError
from iamm.head.base import Head
from iamm.model.scene_network import SceneNetwork
from iamm.record.run_folder import RunFolder
from iamm.run.build import Parts, build, build_model, training_seed
from iamm.run.finished import read_finished
from iamm.run.phase import phases_of
from iamm.run.source import model_address, read_scenes


class Course:
    """The parts of every phase, and the number of the current one; a part of each checkpoint.

    Each phase has a separate optimizer, schedule and weighting, and begins from the best model of the one
    before, or of the earlier one that it names.

    Args:
        phases: of the run, over one model.
        folder: of the run.
        seed: of the run.
    """

    def __init__(self, phases: Sequence[Parts], folder: RunFolder, seed: int) -> None:
        self.phases, self.folder, self.run_seed = phases, folder, seed
        self.number = 0
        train_only(self.current.model, self.current.trained)

    @property
    def current(self) -> Parts:
        return self.phases[self.number]

    def evaluated(self) -> Network:
        """The model that is validated now."""
        return self.current.techniques.evaluated(self.current.model)

    @property
    def last(self) -> bool:
        return self.number == len(self.phases) - 1

    @property
    def best(self) -> str:
        """The phase name in the file of the chosen model; empty in the last phase, whose model is the run's."""
        return "" if self.last else self.current.phase.name

    @property
    def seed(self) -> int:
        """The seed of data order and augmentation; that of the first phase is the run's."""
        return derived_seed(self.run_seed, "phase", self.number) if self.number else self.run_seed

    @property
    def epochs(self) -> int:
        return sum(parts.plan.epochs for parts in self.phases)

    def next_phase(self, state: RunState) -> RunState:
        """Start the next phase; return its state.

        Raises:
            BadDataError: the model that the phase starts from is missing or damaged.
        """
        history = [*state.history, state.outcome()]
        self.number += 1
        self.load_start(history)
        train_only(self.current.model, self.current.trained)
        torch.manual_seed(training_seed(self.run_seed, self.number))
        return RunState(
            step=state.step,
            epoch=state.epoch,
            skipped=state.skipped,
            seconds=state.seconds,
            phase=self.current.phase.name,
            history=history,
        )

    def load_start(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Load the model that the current phase starts from."""
        name = self.current.phase.start or history[-1]["phase"]
        expected = next(one["best_epoch"] for one in history if one["phase"] == name)
        load_model(self.folder.best_of(name), self.current.model, expected)

    def state_dict(self) -> dict[str, Any]:
        parts = self.current
        states = {"optimizer": parts.optimizer.state_dict(), "weighting": parts.weighting.state_dict()}
        return {"number": self.number, **states, "techniques": parts.techniques.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.number = int(state["number"])
        train_only(self.current.model, self.current.trained)
        self.current.optimizer.load_state_dict(state["optimizer"])
        self.current.weighting.load_state_dict(state["weighting"])
        self.current.techniques.load_state_dict(state.get("techniques", {}))


def fit_course(
    course: Course, checkpointer: FileCheckpointer, observers: Sequence[Observer], state: RunState
) -> RunState:
    """Train the current phase and those behind it to their ends."""
    state = fit_phase(course, checkpointer, observers, state)
    while not course.last:
        state = fit_phase(course, checkpointer, observers, course.next_phase(state))
    return state


def fit_phase(
    course: Course, checkpointer: FileCheckpointer, observers: Sequence[Observer], state: RunState
) -> RunState:
    """Train the current phase to its end."""
    parts = course.current
    checkpointer.best = course.folder.best_of(course.best)
    return fit(
        parts.model,
        parts.datasets,
        parts.weighting,
        parts.optimizer,
        parts.schedule,
        parts.plan,
        seed=course.seed,
        device=parts.device,
        augment=parts.augment,
        observers=observers,
        techniques=parts.techniques,
        state=state,
        checkpointer=checkpointer,
    )


def build_phases(config: Mapping[str, Any], datasets: Sequence[Dataset]) -> list[Parts]:
    """Build the parts of every phase, before anything is written."""
    phases = phases_of(config["phases"])
    parts = [build(config, datasets, phases[0])]
    for phase in phases[1:]:
        parts.append(build(config, datasets, phase, parts[0].model))
    distillation = taught(config, datasets, parts[0])
    torch.manual_seed(training_seed(config["seed"]))
    return [replace(each, techniques=techniques(config, each, distillation)) for each in parts]


def techniques(config: Mapping[str, Any], parts: Parts, distillation: Distillation | None) -> Techniques:
    """The techniques of a training that the configuration asks for."""
    average = config["average"]
    return Techniques(
        attack=attack(config["attack"], parts),
        average=None if average is None else Average(parts.model, average, parts.datasets, parts.device),
        distillation=distillation,
        pruning=pruning(config, parts.model),
        synonyms=learnt_synonyms(parts.augment, parts.model, parts.datasets),
    )


def pruning(config: Mapping[str, Any], model: SceneNetwork) -> Pruning | None:
    """The pruning that the configuration asks for; it prunes weights or heads."""
    if config["prune_heads"] is not None:
        return HeadPruning(model, config["prune_heads"])
    return None if config["prune"] is None else WeightPruning(model, config["prune"])


def attack(options: Mapping[str, Any], parts: Parts) -> Attack | None:
    """The attack that the configuration asks for.

    Raises:
        ConfigError: no scene has what it changes.
    """
    kinds = {scene.kind for dataset in parts.datasets for scene in dataset.scenes}
    there = {"pictures": "image" in kinds, "embeddings": bool(embeddings_of(parts.model))}
    for key, some in there.items():
        if options[key] is not None and not some:
            raise ConfigError(f"`attack.{key}` needs scenes with {key}. Found none: leave it out.")
    return Attack(**options) if any(options[key] is not None for key in there) else None


def taught(config: Mapping[str, Any], datasets: Sequence[Dataset], parts: Parts) -> Distillation | None:
    """The distillation from the finished run that `distill.from` names.

    Raises:
        MissingDataError, BadDataError: there is no such run, or it is damaged.
        ConfigError: its scenes are others, or have heads without classes; or its features have other places.
    """
    options = dict(config["distill"])
    if (run := options.pop("from")) is None:
        return None
    folder, scenes = RunFolder(Path(run)), [scene for dataset in datasets for scene in dataset.scenes]
    teacher = read_finished(folder, "test", name="distill.from")["config"]
    if [*map(contract, chain(*read_scenes(folder)))] != [*map(contract, scenes)]:
        raise ConfigError(
            f"A teacher must have the scenes of the run. Found others in {run}: give the same `dataset` keys, or name "
            "another `distill.from`."
        )
    model = build_model({**teacher, "threads": config["threads"]}, scenes).to(parts.device)
    load_model(folder.best, model)
    silent = [name for name in model.names if type(model.head(name)).term_logits is Head.term_logits]
    if silent:
        raise ConfigError(
            f"A teacher must answer by classes or words. Found {', '.join(silent)}, which do otherwise: leave them out "
            "of `dataset`, or `distill.from`."
        )
    if options["attention"]:
        own, others = (places(each, datasets, parts.device) for each in (parts.model, model))
        if own != others:
            raise ConfigError(
                f"`distill.attention` compares the places of features. Found {own} of the model, {others} of the "
                "teacher: give the encoders the same strides, or leave it out."
            )
    return Distillation(model, model_address(folder.path), **options)


def contract(scene: Scene) -> tuple[Any, ...]:
    """What the models of two runs must agree on: name, form of inputs, task, classes and vocabularies."""
    vocabularies = (vocabulary and vocabulary.as_json() for vocabulary in (scene.source, scene.target))
    return (scene.name, scene.kind, scene.task, dict(scene.fields), tuple(scene.classes), *vocabularies)


def places(model: SceneNetwork, datasets: Sequence[Dataset], device: torch.device) -> dict[str, int]:
    """Per scene, the places T of the features in front of its head, for the first two examples."""
    model.train(False)
    batches = [collate(dataset, "train", torch.arange(2), device) for dataset in datasets]
    return {name: values.shape[1] for batch in batches for name, (_, values) in model.teaching(batch).items()}
