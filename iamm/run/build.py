"""Construction of a training's parts from a configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from iamm import processes
from iamm.config.check.migration import known_scenes
from iamm.config.check.statements import arguments, trait
from iamm.config.check.values import check_device
from iamm.config.instantiate import check_parts, instantiate, instantiate_each, own_mistakes
from iamm.dataset.base import SPLITS, Dataset, Scene
from iamm.dataset.files import recorded_files
from iamm.dataset.joining import joined
from iamm.dataset.permuting import permuted
from iamm.engine.freezing import freeze, freeze_parts, train_only, trained, trained_names
from iamm.engine.plan import Plan
from iamm.engine.seeding import derived_seed, make_deterministic
from iamm.engine.technique.techniques import Techniques
from iamm.errors import ConfigError
from iamm.model.scene_network import SceneNetwork
from iamm.run.phase import WHOLE, Phase
from iamm.weighting.base import Weighting


@dataclass(frozen=True)
class Parts:
    """The parts of a training, that of a run or of one of its phases; `trained` names the trained parameters."""

    phase: Phase
    datasets: Sequence[Dataset]
    model: SceneNetwork
    trained: frozenset[str]
    weighting: Weighting
    optimizer: torch.optim.Optimizer
    schedule: Any
    augment: Mapping[str, Any]
    plan: Plan
    device: torch.device
    techniques: Techniques = field(default_factory=Techniques)


def build_datasets(config: Mapping[str, Any]) -> list[Dataset]:
    """Build the data sets of `dataset=`, in order.

    Raises:
        ConfigError: two scenes have one name, or a split is empty.
    """
    check_parts(config)
    datasets, joining = list[Dataset](), dict[str, list[Dataset]]()
    for name, part in config["dataset"].items():
        with own_mistakes(), recorded_files() as files:
            made = instantiate(with_given(part, name, config["target"]))
        for dataset in made if isinstance(made, list) else [made]:
            dataset.files = files
            datasets.append(dataset)
            if trait(part, "joins"):
                joining.setdefault(part["_target_"], []).append(dataset)
    names = [scene.name for dataset in datasets for scene in dataset.scenes]
    if len(set(names)) < len(names):
        raise ConfigError(f"A scene can stand in a run once. Found {', '.join(names)}: leave one out.")
    for dataset in datasets:
        dataset.require(*SPLITS)
    changed = {each.name: each for group in joining.values() for each in joined(group, config["share"])}
    return [changed.get(dataset.name, dataset) for dataset in datasets]


def with_given(part: Mapping[str, Any], name: str, target: str | None) -> Mapping[str, Any]:
    """Give a data set of a user's files the name of its key, and one with a target the names of its known scenes."""
    known = known_scenes(part, target) if target is not None else None
    given = {"name": name, **({"known": known} if known else {})}
    return {**{key: value for key, value in given.items() if key in arguments(part)}, **part}


def build_model(config: Mapping[str, Any], scenes: list[Scene]) -> SceneNetwork:
    """Build the network, initialised from the seed alone."""
    check_parts(config)
    make_deterministic(derived_seed(config["seed"], "initialisation"), config["threads"])
    with own_mistakes():
        encoder, head = instantiate_each(config["encoder"]), instantiate_each(config["head"])
        share = config["share"]
        parts = {"encoder": encoder, "fusion": instantiate(config["fusion"]), "head": head}
        return SceneNetwork(scenes, config["dim"], **parts, share_encoder=share["encoder"], share_head=share["head"])


def build(
    config: Mapping[str, Any], datasets: Sequence[Dataset], phase: Phase = WHOLE, model: SceneNetwork | None = None
) -> Parts:
    """Build all parts of a training, before anything is written.

    Args:
        config: of the run.
        datasets: of the run.
        phase: phase of the run that is trained.
        model: of the run, if another phase has built it.
    """
    with own_mistakes():
        datasets = permuted(datasets, config.get("permuted") or {}, config["seed"])
    scenes = [scene for dataset in datasets for scene in dataset.scenes]
    device = chosen_device(config["device"])
    if config["precision"] == "fp16" and device.type == "cpu":
        raise ConfigError("`precision=fp16` needs a GPU. Found device=cpu: take bf16 or fp32.")
    model = model or build_model(config, scenes).to(device)
    groups, trainable = phase.datasets(datasets), trained_names(model)
    freeze(model, phase.freeze)
    freeze_others(model, [scene.name for dataset in groups for scene in dataset.scenes])
    with own_mistakes():
        weighting = build_weighting(config, model, groups).to(device)
        optimizer = instantiate(config["optimizer"])(parameter_groups(model, weighting))
        schedule, augment = instantiate(config["schedule"]), build_augment(config, scenes)
    names = trained_names(model)
    train_only(model, trainable)
    torch.manual_seed(training_seed(config["seed"]))
    return Parts(phase, groups, model, names, weighting, optimizer, schedule, augment, plan(config, phase), device)


def build_augment(config: Mapping[str, Any], scenes: Sequence[Scene]) -> dict[str, Any]:
    """Build the augmentations, prepared for the scenes of their kinds."""
    made = instantiate_each(config["augment"])
    for augment in made.values():
        for scene in scenes:
            if scene.kind == augment.kind:
                augment.prepare(scene)
    return made


def training_seed(seed: int, *phase: int) -> int:
    """The seed of dropout and the like in a phase, other than the first; of several processes, each has its own."""
    own = ("process", processes.rank()) if processes.rank() else ()
    return derived_seed(seed, "training", *phase, *own)


def freeze_others(model: SceneNetwork, names: Sequence[str]) -> None:
    """Freeze the encoders and heads that none of the named scenes uses."""
    others = [name for name in model.names if name not in names]
    freeze_parts(parts_of_scenes(model, others), parts_of_scenes(model, names))


def parts_of_scenes(model: SceneNetwork, names: Sequence[str]) -> list[torch.nn.Module]:
    return [part for name in names for part in (model.encoder(name), model.head(name))]


def build_weighting(config: Mapping[str, Any], model: SceneNetwork, datasets: Sequence[Dataset]) -> Weighting:
    """Build the weighting for the scenes of these data sets, and check it against the model.

    Raises:
        ConfigError: the weighting needs what the model or the configuration lacks.
    """
    groups = [[scene.name for scene in dataset.scenes] for dataset in datasets]
    names = [name for group in groups for name in group]
    weighting: Weighting = instantiate(config["weighting"])(len(names))
    fusion = type(model.fusion).__name__
    shared = [*model.shared_parameters(groups), *model.shared_head_parameters()]
    trains_shared = len(names) > 1 and bool(trained(shared))
    if weighting.needs_scene_weights and not model.fusion.gives_scene_weights:
        raise ConfigError(
            "This weighting takes its weights from a fusion that attends to scenes. "
            f"Found fusion {fusion}: choose fusion=interest_guidance, or another weighting."
        )
    if (weighting.needs_shared or config["log"]["conflict"]) and not trains_shared:
        raise ConfigError(
            "A rule over gradients, and log.conflict, need parameters that several scenes share. "
            f"Found none that is trained, {len(names)} scene(s) and fusion {fusion}: choose another weighting and "
            "log.conflict=false, or several scenes and a fusion that shares."
        )
    if weighting.needs_shared == "representation" and not (model.fusion.mixes_views and len(groups) == 1):
        raise ConfigError(
            "`weighting.wrt=representation` needs scenes that read each other's features: views of one data set and a "
            f"fusion that mixes them. Found {len(groups)} data set(s), fusion {fusion}: take weighting.wrt=parameters."
        )
    encoders = [parameter for name in names for parameter in model.encoder(name).parameters()]
    if weighting.needs_shared == "representation" and not trained(encoders):
        raise ConfigError(
            "`weighting.wrt=representation` needs encoders that are trained. Found all of them frozen: take "
            "weighting.wrt=parameters."
        )
    if weighting.needs_shared == "representation" and config["accumulate"] > 1:
        raise ConfigError(
            "`weighting.wrt=representation` must see a step whole. "
            f"Found accumulate={config['accumulate']}: take weighting.wrt=parameters, or accumulate=1."
        )
    return weighting


def parameter_groups(model: SceneNetwork, weighting: Weighting) -> list[dict[str, Any]]:
    """Optimizer groups: the trained parameters of the model, and those of the weighting with its own options."""
    return [{"params": trained(model.parameters())}, *weighting.parameter_groups()]


def chosen_device(name: str) -> torch.device:
    """The torch device of that name; `auto` is a GPU if there is one, and each of several processes has its own.

    Raises:
        ConfigError: no name of a device, or one that this machine lacks.
    """
    check_device(name)
    device, count = torch.device("cuda" if name == "auto" else name), torch.cuda.device_count()
    if name == "auto" and not torch.cuda.is_available():
        return torch.device("cpu")
    if device.type == "cuda" and (device.index or 0) >= count:
        raise ConfigError(
            f"`device` must be there. Found {name}, but torch sees {count or 'no'} GPU: use device=cpu or device=auto."
        )
    if device.type == "cpu" or not processes.several():
        return device
    if processes.count() > count:
        raise ConfigError(
            f"`devices` needs a GPU for each process. Found devices={processes.count()}, {count} GPU: lower it."
        )
    torch.cuda.set_device(processes.rank())
    return torch.device("cuda", processes.rank())


def plan(config: Mapping[str, Any], phase: Phase = WHOLE) -> Plan:
    keys = ("epochs", "steps", "accumulate", "clip", "l1", "l2", "patience", "nonfinite", "precision")
    growth = ("growth", "growth_every", "growth_patience")
    given = {**{key: config[key] for key in (*keys, *growth)}, **phase.length}
    return Plan(**given, log_every=config["log"]["every"], conflict=config["log"]["conflict"])
