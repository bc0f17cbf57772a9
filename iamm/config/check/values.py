"""This file checks the values of a configuration before torch is imported or anything is written.

It checks first what may be called at all, then each key and its value by itself, then the values against each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from iamm.config.check.attention import check_attentions
from iamm.config.check.migration import check_migration
from iamm.config.check.origin import COMMAND, origins
from iamm.config.check.phases import check_phases
from iamm.config.check.run_keys import RUN, leaves
from iamm.config.check.scenes import check_conflicts, check_scenes, groups_of
from iamm.config.check.statements import PartOf, arguments
from iamm.config.check.targets import check_targets
from iamm.config.check.techniques import check_techniques
from iamm.config.check.weighting import check_weighting
from iamm.config.groups import slots
from iamm.config.mistakes import Mistake, unknown
from iamm.config.parts import Part, known_targets, named, parts
from iamm.config.sources import Sources
from iamm.constraints import Constraint, Number, OneOf, OrNull, broken, meant
from iamm.errors import ConfigError

SINGLE = ("attention", "fusion", "weighting", "optimizer", "schedule", "transfer")
SEVERAL = ("encoder", "head", "dataset", "augment")
"""Keys of a run that hold a part of the room of this name, or one for each of several names."""


def check_composed(values: Mapping[str, Any], overrides: Sequence[str], source: str = COMMAND) -> None:
    """As `check_values`; the message also says where the wrong values come from.

    Args:
        values: resolved, plain containers.
        overrides: which the configuration was composed of.
        source: of the overrides, for messages.

    Raises:
        ConfigError: the first value that breaks a rule.
    """
    try:
        check_values(values)
    except Mistake as mistake:
        raise ConfigError(f"{mistake}{origins(mistake.keys, overrides, source)}") from None


def check_values(values: Mapping[str, Any]) -> None:
    """Check every value of a resolved configuration against its rule, then the values against each other.

    Raises:
        Mistake: the first value that breaks a rule; it knows its keys.
    """
    check_plain(values)
    configured = list(parts(values))
    check_targets(configured)
    check_keys(values)
    check_places(values, configured)
    check_rules(values, configured)
    check_device(values["device"])
    check_devices(values)
    check_growth(values)
    check_mode(values)
    check_log(values)
    check_permuted(values["permuted"])
    check_optimizer(values["optimizer"])
    check_migration(values)
    check_techniques(values)
    check_attentions(configured, values["dim"])
    for part in configured:
        check_conflicts(part)
    groups = groups_of(values)
    scenes = None if groups is None else [scene for group in groups for scene in group]
    check_phases(values["phases"], None if scenes is None else [scene.name for scene in scenes])
    if groups is not None and scenes is not None:
        check_scenes(values, scenes)
        check_weighting(values, groups)


def check_plain(values: Mapping[str, Any]) -> None:
    """A resolved configuration must hold no reference: it means the same wherever it is read again."""
    for path, _, value in leaves(values):
        if value == "???":
            raise Mistake(f"`{path}` must be given, it has no default. Found none: add {path}=….", path)
        if "${" in str(value):
            raise Mistake(f"`{path}` must be a plain value in the end. Found {value!r}: write it out.", path)


@cache
def run_keys() -> frozenset[str]:
    """Give the keys of a run itself, none of a part."""
    train = Sources().read("train")
    assert train is not None
    return frozenset(path for path, *_ in leaves(train.content))


def check_keys(values: Mapping[str, Any]) -> None:
    """Every key of a run must be there and known, and one scene at least; a part knows its own keys."""
    if not values.get("dataset"):
        raise Mistake("A run needs a scene. Found an empty `dataset`: name one, such as 'dataset=[shapes]'.", "dataset")
    given = {path for path, *_ in leaves(values, stop="_target_")}
    places = {place.split(".")[0] for _, place in slots()}
    for key in sorted({*run_keys(), *places} - {*given, *values}):
        raise Mistake(f"A run needs every key. Found no {key}: leave out what removes or replaces it.", key)
    for key in sorted(given - run_keys()):
        if key.split(".")[0] not in (*SINGLE, *SEVERAL, "phases", "permuted"):
            raise Mistake(unknown(key), key)
    for path, part in parts(values):
        for key in part if named(part) else ():
            if key not in known_targets()[part["_target_"]] and not str(key).startswith("_"):
                raise Mistake(unknown(f"{path}.{key}"), f"{path}.{key}")


def check_places(values: Mapping[str, Any], configured: Iterable[Part]) -> None:
    """Where a part is meant there must be one, of the right room."""
    for room in SINGLE:
        check_place(room, values[room], room)
    for room in SEVERAL:
        if not isinstance(values[room], Mapping):
            raise Mistake(f"`{room}` must hold parts by name. Found {values[room]!r}.", room)
        for name, value in values[room].items():
            check_place(f"{room}.{name}", value, room, optional=room in ("encoder", "head"))
    for part in configured:
        for key, rule in arguments(part.values).items():
            inner = rule.other if isinstance(rule, OrNull) else rule
            if isinstance(inner, PartOf) and key in part.values:
                check_place(f"{part.path}.{key}", part.values[key], inner.room, optional=inner is not rule)


def check_place(path: str, value: Any, room: str, *, optional: bool = False) -> None:
    if value is None and optional:
        return
    if room in ("augment", "dataset") and path == f"{room}._target_":
        raise Mistake(
            f"A YAML of `{room}` has its keys below a name, since several stand side by side. Found _target_ without: "
            "write `mine:` above it, with your name, and indent the keys below.",
            path,
        )
    if not isinstance(value, Mapping) or "_target_" not in value:
        raise Mistake(f"`{path}` must be a part, chosen by name ({room}=…). Found {value!r}: see --help.", path)
    name = named(value)
    if name is not None and name.room != room:
        raise Mistake(f"`{path}` must be of {room}. Found one of {name.room}: see --help for the choices.", path)


def check_rules(values: Mapping[str, Any], configured: Iterable[Part]) -> None:
    """Check every key of a run against its constraint, and every argument against what the class of its part states."""
    for path, _, value in leaves({**values, "phases": None}, stop="_target_"):
        check_rule(path, RUN.get(path), value)
    for part in configured:
        rules = arguments(part.values)
        for key, value in part.values.items():
            path = f"{part.path}.{key}"
            check_rule(path, rules.get(key) or RUN.get(path), value)


def check_rule(path: str, rule: Constraint | None, value: Any) -> None:
    if rule is not None and not rule.holds(value):
        raise Mistake(broken(path, rule, value), path)


def check_device(device: Any) -> None:
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        hint = ' Did you mean "cuda"?' if device == "gpu" else meant(OneOf(("auto", "cpu", "cuda")), device)
        raise Mistake(f"`device` must be auto, cpu, cuda or cuda:<number>. Found {device!r}.{hint}", "device")


def check_devices(values: Mapping[str, Any]) -> None:
    """Several processes take the GPUs from the first one on."""
    if (values["devices"] or 1) > 1 and ":" in values["device"]:
        raise Mistake(
            f"`devices` takes the GPUs from cuda:0 on. Found device={values['device']}: write device=cuda, or leave "
            "devices out.",
            *("devices", "device"),
        )


def check_growth(values: Mapping[str, Any]) -> None:
    """The schedule must know the number of steps, which growth by validation would change."""
    if values["growth_patience"] is not None and (values["steps"] is None or values["growth"] == 1):
        raise Mistake(
            "`growth_patience` needs the steps of an epoch and a factor above 1. Found "
            f"steps={values['steps']}, growth={values['growth']}: give both, such as steps=100 growth=2.",
            *("growth_patience", "steps", "growth"),
        )


def check_mode(values: Mapping[str, Any]) -> None:
    mode = values["mode"]
    if mode != "train" and not values["run"]:
        raise Mistake(f"`mode={mode}` needs the folder of a finished run. Found none: add run=<run folder>.", "mode")
    if mode != "eval" and values["precision"] == "int8":
        raise Mistake(
            f"`precision=int8` evaluates a finished run. Found mode={mode}: add mode=eval run=<folder>, or take bf16.",
            *("precision", "mode"),
        )
    if mode == "train" and values["run"]:
        raise Mistake("`run` goes with mode=eval or mode=verify. Found mode=train: add one, or leave run out.", "run")


def check_log(values: Mapping[str, Any]) -> None:
    if values["log"]["attention"] and not values["log"]["pictures"]:
        raise Mistake(
            "`log.attention` draws the examples of `log.pictures`. Found log.pictures=0: give it some, or leave "
            "log.attention out.",
            *("log.attention", "log.pictures"),
        )


def check_permuted(permuted: Any) -> None:
    """Targets are permuted by scene; whether the names are those of scenes is known when the data are read."""
    rule = Number(0, 1)
    if permuted is not None and not (isinstance(permuted, Mapping) and all(map(rule.holds, permuted.values()))):
        raise Mistake(
            f"`permuted` must be null, or a share for each scene: {rule.description()}. Found {permuted!r}: write "
            "permuted={name:0.5}.",
            "permuted",
        )


UNSUITABLE = {
    "torch.optim.LBFGS": "which evaluates the losses again and again within a step: take adamw or sgd",
    "torch.optim.SparseAdam": "which takes sparse gradients, where these are dense: take adam or adamw",
}
"""Classes of torch.optim, and why they are refused."""


def check_optimizer(optimizer: Mapping[str, Any]) -> None:
    """An optimizer must step after one pass; a Nesterov step needs a momentum without dampening."""
    name = str(optimizer["_target_"])
    if reason := UNSUITABLE.get(name):
        raise Mistake(f"An optimizer takes a step from the gradients of one pass. Found {name}, {reason}.", "optimizer")
    if optimizer.get("nesterov") and (not optimizer.get("momentum") or optimizer.get("dampening")):
        raise Mistake(
            f"`optimizer.nesterov` needs a momentum and no dampening. Found momentum={optimizer.get('momentum')}, "
            f"dampening={optimizer.get('dampening', 0)}: set optimizer.nesterov=false, or mend these.",
            *("optimizer.nesterov", "optimizer.momentum"),
        )
