"""The rule of each key, and the walk over a configuration's values."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from iamm.config.check.constraints import HUGE, ListOf, Number, OneOf, Rule, Switch, Text

COUNT = Number(1, HUGE, whole=True)
COUNT_OR_NULL = Number(1, HUGE, whole=True, empty=True)
WIDTH = Number(1, 65_536, whole=True)
LAYERS = Number(1, 1_000, whole=True)
SHARE = Number(0, 1)
SHARE_BELOW_1 = Number(0, 1, below=True)
NOT_NEGATIVE = Number(0)
POSITIVE = Number(0, above=True)
ANY = Number(-math.inf)
SEED = Number(0, 2**32 - 1, whole=True)
MULTI30K_TESTS = ("test_2016_flickr", "test_2017_flickr", "test_2017_mscoco")
LANGUAGES = OneOf(("en", "de", "fr", "cs"))

RULES: Mapping[str, Rule] = {
    "mode": OneOf(("train", "eval", "verify")),
    "run": Text(empty=True),
    "rerun": Switch(),
    "precision": OneOf(("fp32", "bf16")),
    "seed": SEED,
    "epochs": COUNT,
    "steps": COUNT_OR_NULL,
    "batch_size": COUNT,
    "batch_tokens": COUNT_OR_NULL,
    "accumulate": COUNT,
    "growth": Number(1),
    "growth_every": COUNT,
    "dim": WIDTH,
    "heads": COUNT,
    "layers": LAYERS,
    "feed_forward": LAYERS,
    "dropout": SHARE_BELOW_1,
    "label_smoothing": SHARE_BELOW_1,
    "clip": Number(0, empty=True, above=True),
    "l1": NOT_NEGATIVE,
    "l2": NOT_NEGATIVE,
    "patience": COUNT_OR_NULL,
    "threads": Number(1, 4_096, whole=True, empty=True),
    "data_dir": Text(empty=True),
    "output_dir": Text(),
    "checkpoint.steps": COUNT_OR_NULL,
    "checkpoint.minutes": Number(0, above=True, empty=True),
    "checkpoint.epochs": COUNT,
    "nonfinite": OneOf(("stop", "skip")),
    "sweep.jobs": COUNT_OR_NULL,
    "sweep.silence": POSITIVE,
    "log.every": COUNT,
    "log.pictures": Number(0, 1_000_000, whole=True),
    "log.attention": Switch(),
    "log.conflict": Switch(),
    # attention and its parts
    "slots": WIDTH,
    "hidden": Number(1, 65_536, whole=True, empty=True),
    "open": ANY,
    "scenes": LAYERS,
    "length": WIDTH,
    "radius": WIDTH,
    "tokens": WIDTH,
    "rank": WIDTH,
    "limit": WIDTH,
    "ramp": WIDTH,
    "reach": WIDTH,
    "places": Number(2, HUGE, whole=True),
    "k": COUNT,
    "start": SHARE,
    "penalty": NOT_NEGATIVE,
    "score.cosine.scale": POSITIVE,
    "threshold": Number(0, 1, above=True),
    # encoder and head
    "channels": ListOf(WIDTH),
    "groups": COUNT,
    "beams": LAYERS,
    "length_penalty": NOT_NEGATIVE,
    "head.max_length": COUNT_OR_NULL,
    "head.quality": OneOf(("bleu", "loss", "perplexity")),
    "head.classifier.quality": OneOf(("accuracy", "precision", "recall", "f1", "loss")),
    # optimizer and schedule
    "lr": POSITIVE,
    "weight_decay": NOT_NEGATIVE,
    "momentum": SHARE_BELOW_1,
    "betas": ListOf(SHARE_BELOW_1, length=2),
    "eps": NOT_NEGATIVE,
    "nesterov": Switch(),
    "fused": Switch(),
    "warmup": Number(0, HUGE, whole=True),
    "final": SHARE,
    "schedule.exponential.final": Number(0, 1, above=True),
    "milestones": ListOf(SHARE),
    "gamma": Number(0, 1, above=True),
    # weighting
    "at": OneOf(("parameters", "representation")),
    "weighting.every": COUNT,
    "alpha": NOT_NEGATIVE,
    "weighting.fair.alpha": POSITIVE,
    "balance_losses": Switch(),
    "focus": NOT_NEGATIVE,
    "rate": POSITIVE,
    "decay": NOT_NEGATIVE,
    "smoothing": POSITIVE,
    "temperature": POSITIVE,
    "conflict": SHARE_BELOW_1,
    "values": ListOf(NOT_NEGATIVE),
    "reference": ListOf(ANY, empty=True),
    "memory": SHARE_BELOW_1,
    # augment
    "replace": SHARE,
    "delete": SHARE,
    "mask": SHARE,
    "insert": SHARE,
    "crop": Number(0, 10_000, whole=True),
    "flip": SHARE,
    "rotate": Number(0, 180),
    "augment.image.scale": SHARE_BELOW_1,
    "erase": SHARE,
    # data sets
    "train": COUNT_OR_NULL,
    "dataset.shapes.train": COUNT,
    "dataset.reviews.train": COUNT,
    "dataset.ag_news.train": Number(1, 6_000, whole=True, empty=True),
    "dataset.multi30k.train": Number(1, 29_000, whole=True, empty=True),
    "validation": COUNT,
    "dataset.fashion_mnist.validation": Number(1, 59_999, whole=True),
    "dataset.mnist.validation": Number(1, 59_999, whole=True),
    "dataset.digits.validation": Number(0, 1, above=True, below=True),
    "test": COUNT,
    "dataset.digits.test": Number(0, 1, above=True, below=True),
    "dataset.multi30k.test": OneOf(MULTI30K_TESTS),
    "relatedness": SHARE,
    "occlusion": SHARE,
    "occlusion_size": Number(1, 32, whole=True),
    "word_drop": SHARE,
    "word_ambiguity": SHARE,
    "missing": SHARE,
    "pixel_noise": SHARE,
    "views": ListOf(OneOf(("image", "text")), different=True),
    "products": Number(1, 4, whole=True),
    "ambiguity": SHARE,
    "negation": SHARE,
    "noise": SHARE,
    "source": LANGUAGES,
    "target": LANGUAGES,
    "lowercase": Switch(),
    "subwords": Number(5, 1_000_000, whole=True, empty=True),
    "min_count": COUNT,
    "max_length": COUNT,
}
"""By `room.variant.key`, `room.key` or `key`: the first of them that is there. The room of a run's own keys, such as
those of `log`, is where they stand."""


def rule_for(room: str, variant: str, key: str) -> Rule | None:
    return RULES.get(f"{room}.{variant}.{key}") or RULES.get(f"{room}.{key}") or RULES.get(key)


def leaves(values: Mapping[str, Any], path: str = "", stop: str | None = None) -> Iterator[tuple[str, str, Any]]:
    """Every value that is no mapping, with its dotted path and its own key; without mappings that hold a key `stop`."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from () if stop in value else leaves(value, f"{path}{key}.", stop)
        else:
            yield f"{path}{key}", str(key), value
