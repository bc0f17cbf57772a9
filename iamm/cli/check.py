"""What a configuration's values must be, checked before torch is imported or anything is written.

A name means one thing in the whole project, so one rule a name is enough, wherever in the tree it stands; but for
`log.attention`, a switch, which is not the part `attention`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf

from iamm.cli.help import configs_folder, slots
from iamm.cli.mistakes import unknown
from iamm.errors import ConfigError


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`; `whole` if no fraction is allowed, `empty` if null is."""

    low: float = 0.0
    high: float = math.inf
    whole: bool = False
    empty: bool = False
    below: bool = False
    above: bool = False

    def holds(self, value: Any) -> bool:
        if value is None:
            return self.empty
        if isinstance(value, bool) or not isinstance(value, int if self.whole else (int, float)):
            return False
        inside = self.low <= value <= self.high and math.isfinite(value)
        return inside and not (self.below and value == self.high) and not (self.above and value == self.low)

    def words(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        low = "" if self.low == -math.inf else f" {'above' if self.above else 'at least'} {self.low:.12g}"
        high = "" if self.high == math.inf else f" and {'below' if self.below else 'at most'} {self.high:.12g}"
        return f"{kind}{low}{high}{', or null' if self.empty else ''}"


@dataclass(frozen=True)
class OneOf:
    """One of some words."""

    choices: tuple[str, ...]

    def holds(self, value: Any) -> bool:
        return value in self.choices

    def words(self) -> str:
        return "one of " + ", ".join(self.choices)


@dataclass(frozen=True)
class Switch:
    """true or false."""

    def holds(self, value: Any) -> bool:
        return isinstance(value, bool)

    def words(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Numbers:
    """A list of numbers, each as a `Number` of its own."""

    each: Number
    empty: bool = False

    def holds(self, value: Any) -> bool:
        if value is None:
            return self.empty
        return isinstance(value, list) and all(self.each.holds(number) for number in value)

    def words(self) -> str:
        return f"a list, each of it {self.each.words()}{', or null' if self.empty else ''}"


COUNT = Number(1, whole=True)
COUNT_OR_NULL = Number(1, whole=True, empty=True)
SHARE = Number(0, 1)
SHARE_BELOW_1 = Number(0, 1, below=True)
NOT_NEGATIVE = Number(0)

RULES: Mapping[str, Number | Numbers | OneOf | Switch] = {
    "mode": OneOf(("train", "eval")),
    "precision": OneOf(("fp32", "bf16")),
    "seed": Number(0, 2**32 - 1, whole=True),
    "epochs": COUNT,
    "steps": COUNT_OR_NULL,
    "batch_size": COUNT,
    "batch_tokens": COUNT_OR_NULL,
    "accumulate": COUNT,
    "growth": Number(1),
    "growth_every": COUNT,
    "dim": COUNT,
    "heads": COUNT,
    "layers": COUNT,
    "feed_forward": COUNT,
    "slots": COUNT,
    "hidden": COUNT_OR_NULL,
    "radius": COUNT,
    "tokens": COUNT,
    "rank": COUNT,
    "length": COUNT,
    "limit": COUNT,
    "ramp": COUNT,
    "reach": COUNT,
    "places": COUNT,
    "scenes": COUNT,
    "k": COUNT,
    "start": SHARE,
    "penalty": NOT_NEGATIVE,
    "scale": Number(0, above=True),
    "threshold": Number(0, 1, above=True),
    "open": Number(-math.inf),
    "beams": COUNT,
    "max_length": COUNT_OR_NULL,
    "length_penalty": NOT_NEGATIVE,
    "dropout": SHARE_BELOW_1,
    "label_smoothing": SHARE_BELOW_1,
    "clip": Number(0, empty=True, above=True),
    "l1": NOT_NEGATIVE,
    "l2": NOT_NEGATIVE,
    "lr": Number(0, above=True),
    "weight_decay": NOT_NEGATIVE,
    "patience": COUNT_OR_NULL,
    "warmup": Number(0, whole=True),
    "threads": COUNT_OR_NULL,
    "every": COUNT,
    "jobs": COUNT_OR_NULL,
    "silence": Number(0, above=True),
    "pictures": Number(0, whole=True),
    "log.attention": Switch(),
    "log.conflict": Switch(),
    "at": OneOf(("parameters", "representation")),
    "alpha": NOT_NEGATIVE,
    "balance_losses": Switch(),
    "focus": NOT_NEGATIVE,
    "rate": Number(0, above=True),
    "decay": NOT_NEGATIVE,
    "smoothing": Number(0, above=True),
    "temperature": Number(0, above=True),
    "weighting.conflict": SHARE_BELOW_1,
    "weighting.values": Numbers(NOT_NEGATIVE),
    "weighting.reference": Numbers(Number(-math.inf), empty=True),
    "weighting.memory": SHARE_BELOW_1,
    "relatedness": SHARE,
    "occlusion": SHARE,
    "word_drop": SHARE,
    "word_ambiguity": SHARE,
    "missing": SHARE,
    "pixel_noise": NOT_NEGATIVE,
    "products": COUNT,
    "ambiguity": SHARE,
    "negation": SHARE,
    "noise": SHARE,
    "train": COUNT_OR_NULL,
}


def check(config: DictConfig) -> None:
    """`check_values` of a configuration as it is composed."""
    values: Any = OmegaConf.to_container(config, resolve=True)
    check_values(values)


def check_values(values: Mapping[str, Any]) -> None:
    """Hold every value of a resolved configuration against its rule, then the values against each other.

    Raises:
        ConfigError: the first value that breaks a rule.
    """
    check_keys(values)
    check_rules(values)
    check_device(values["device"])
    check_heads(values)
    check_mode(values)
    check_log(values)


def check_rules(values: Mapping[str, Any]) -> None:
    """Every value against the rule of its name."""
    for path, key, value in leaves(values):
        if value == "???":
            raise ConfigError(f"`{path}` must be given, it has no default. Found none: add {path}=….")
        rule = RULES.get(path, RULES.get(key))
        if rule is not None and not rule.holds(value):
            raise ConfigError(f"`{path}` must be {rule.words()}. Found {value!r}.")


def leaves(values: Mapping[str, Any], path: str = "", stop: str | None = None) -> Iterator[tuple[str, str, Any]]:
    """Every value that is no mapping, with its dotted path and its own key; without mappings that hold a key `stop`."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from () if stop in value else leaves(value, f"{path}{key}.", stop)
        else:
            yield f"{path}{key}", str(key), value


def check_keys(values: Mapping[str, Any]) -> None:
    """Every key of a run is there and known, and one scene at least; a part (it has a `_target_`) knows its own."""
    if not values.get("dataset"):
        raise ConfigError("A run needs a scene. Found an empty `dataset`: name one, such as dataset=[shapes].")
    own: Any = OmegaConf.to_container(OmegaConf.load(configs_folder() / "train.yaml"))
    known = {path for path, *_ in leaves(own, stop="_target_") if not re.match(r"(defaults|hydra)\b", path)}
    found = {path for path, *_ in leaves(values, stop="_target_")}
    for key in sorted({*known, *(place.split(".")[0] for _, place in slots())} - {*found, *values}):
        raise ConfigError(f"A run needs every key. Found no {key}: leave out what removes or replaces it.")
    for key in sorted(found - known):
        raise ConfigError(unknown(key))


def check_device(device: Any) -> None:
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise ConfigError(f"`device` must be auto, cpu, cuda or cuda:<number>. Found {device!r}.")


def check_heads(values: Mapping[str, Any]) -> None:
    """Heads split the width of the features evenly."""
    for path, key, heads in leaves(values):
        if key == "heads" and values["dim"] % heads:
            raise ConfigError(
                f"`{path}` must divide `dim`. Found dim={values['dim']}, heads={heads}: "
                f"choose one of {', '.join(str(n) for n in range(1, values['dim'] + 1) if values['dim'] % n == 0)}."
            )


def check_mode(values: Mapping[str, Any]) -> None:
    if values["mode"] == "eval" and not values["run"]:
        raise ConfigError("`mode=eval` needs the folder of a finished run. Found none: add run=<run folder>.")
    if values["mode"] == "train" and values["run"]:
        raise ConfigError("`run` goes with mode=eval. Found mode=train: add mode=eval, or leave run out.")


def check_log(values: Mapping[str, Any]) -> None:
    if values["log"]["attention"] and not values["log"]["pictures"]:
        raise ConfigError(
            "`log.attention` draws the examples of `log.pictures`. Found log.pictures=0: give it some, or leave "
            "log.attention out."
        )
