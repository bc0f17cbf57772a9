"""Scenes, and what must fit them: encoders, heads, the width, augmentations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from iamm.config.check.attention import can_be_causal
from iamm.config.check.facts import SceneFacts, facts, scenes_of
from iamm.config.mistake import Mistake
from iamm.config.parts import Part, named

Values = Mapping[str, Any]

SUMS: Mapping[str, tuple[tuple[str, ...], float]] = {
    "dataset.shapes": (("word_drop", "word_ambiguity"), 1),
    "dataset.digits": (("validation", "test"), 0.99),
    "dataset.cifar10": (("validation", "train"), 50_000),
    "dataset.fashion_mnist": (("validation", "train"), 60_000),
    "dataset.mnist": (("validation", "train"), 60_000),
    "augment.text": (("replace", "delete", "mask"), 1),
}
"""By room and variant, keys and the most that they may come to together."""

MADE_OF: Mapping[str, str] = {"digit_domains_mnist_m": "mnist"}
"""Scenes that learn from the test examples of another."""


def groups_of(values: Values) -> list[list[SceneFacts]] | None:
    """The scenes of each data set; None where one is not the project's own."""
    groups = [scenes_of(part) for part in values["dataset"].values()]
    known = [group for group in groups if group is not None]
    return known if len(known) == len(groups) else None


def check_sums(found: Iterable[Part]) -> None:
    """Keys of one part that share a whole."""
    for part in found:
        name = named(part.values)
        keys, most = SUMS.get(f"{name.room}.{name.variant}" if name else "", ((), 0))
        total = sum(part.values.get(key) or 0 for key in keys)
        if total > most:
            raise Mistake(
                f"{' + '.join(f'`{part.path}.{key}`' for key in keys)} must be at most {most:,}. Found {total:,.6g}: "
                "lower one.",
                *(f"{part.path}.{key}" for key in keys),
            )


def check_languages(values: Values) -> None:
    for name, part in values["dataset"].items():
        path, pair = f"dataset.{name}", (part.get("source"), part.get("target"))
        if named(part) and pair[0] is not None and pair[0] == pair[1]:
            raise Mistake(
                f"`{path}.source` and `{path}.target` must differ. Found {pair[0]} for both: change one.",
                *(f"{path}.source", f"{path}.target"),
            )
        if named(part) and "cs" in pair and "2017" in part["test"]:
            raise Mistake(
                f"The test files of 2017 have no Czech. Found {path}.test={part['test']}: take test_2016_flickr.",
                f"{path}.test",
            )


def check_scenes(values: Values, scenes: Sequence[SceneFacts]) -> None:
    """What must fit the scenes of a run.

    Raises:
        Mistake: the first thing that does not.
    """
    names = [scene.name for scene in scenes]
    if len(set(names)) < len(names):
        raise Mistake(f"A scene can stand in a run once. Found {', '.join(names)}: leave one out.", "dataset")
    for name in names:
        if MADE_OF.get(name) in names:
            raise Mistake(
                f"A scene must not learn from what another is tested with. Found {name}, made of test examples of "
                f"{MADE_OF[name]}: leave one out.",
                "dataset",
            )
    for scene in scenes:
        check_scene(values, scene)
    for path, part in used_parts(values, scenes):
        if "needs_even_dim" in facts(part) and values["dim"] % 2:
            raise Mistake(
                f"`dim` must be even for {path}={name_in(part)}. Found dim={values['dim']}: take {values['dim'] + 1}.",
                *("dim", path),
            )
        if "needs_attention" in facts(part) and part.get("attention") is None:
            raise Mistake(f"`{path}={name_in(part)}` needs an attention. Found null: name one.", f"{path}.attention")
    check_decoder(values, scenes)
    check_pictures(values, scenes)
    check_augment(values, scenes)


def check_scene(values: Values, scene: SceneFacts) -> None:
    for place, wanted, rule in (
        ("encoder", scene.kind, "A scene needs an encoder of its kind."),
        ("head", scene.task, "A scene needs a head of its task."),
    ):
        if not values[place].get(wanted):
            there = ", ".join(sorted(str(name) for name, part in values[place].items() if part)) or "none"
            raise Mistake(
                f"{rule} Found {scene.name} ({scene.kind}, {scene.task}), {place}s: {there}. Give it {place}.{wanted}.",
                *("dataset", f"{place}.{wanted}"),
            )


def used_parts(values: Values, scenes: Sequence[SceneFacts]) -> Iterator[tuple[str, Values]]:
    """Fusion, and the encoders and heads that a scene of this run takes."""
    yield "fusion", values["fusion"]
    for place, wanted in (("encoder", {scene.kind for scene in scenes}), ("head", {scene.task for scene in scenes})):
        for name in sorted(wanted):
            yield f"{place}.{name}", values[place][name]


def name_in(part: Values) -> str:
    name = named(part)
    return name.variant if name else ""


def check_decoder(values: Values, scenes: Sequence[SceneFacts]) -> None:
    """A decoder reads what it has written with an attention that can be causal."""
    for path, head in used_parts(values, scenes):
        if not (path.startswith("head.") and "own" in head):
            continue
        reading = "own" if head["own"] is not None else "attention"
        if not can_be_causal(head[reading]):
            raise Mistake(
                f"`{path}.own`, with which a decoder reads what it has written, must be causal. Found one that cannot: "
                f"give it another, +attention@mine=multi_head '{path}.own=${{mine}}'.",
                f"{path}.{reading}",
            )


def check_pictures(values: Values, scenes: Sequence[SceneFacts]) -> None:
    """A CNN's stages against its norm and the pictures' size."""
    for path, encoder in used_parts(values, scenes):
        channels, groups = encoder.get("channels"), encoder.get("groups", 1)
        if not named(encoder) or not channels:
            continue
        if any(width % groups for width in channels):
            raise Mistake(
                f"`{path}.groups` must divide each of `{path}.channels`. Found groups={groups}, channels={channels}.",
                *(f"{path}.groups", f"{path}.channels"),
            )
        for scene in scenes:
            if scene.side and scene.side < 2 ** len(channels):
                raise Mistake(
                    f"Each stage halves a picture. Found {scene.side} pixels in {scene.name} and {len(channels)} "
                    f"stages: give {path}.channels fewer.",
                    *("dataset", f"{path}.channels"),
                )


def check_augment(values: Values, scenes: Sequence[SceneFacts]) -> None:
    """What is changed at random is there."""
    kinds = sorted({scene.kind for scene in scenes})
    for kind, part in values["augment"].items():
        if named(part) and kind not in kinds:
            raise Mistake(
                f"`augment.{kind}` must have a scene of its kind. Found scenes of {', '.join(kinds)}: leave it out.",
                *("augment", "dataset"),
            )
