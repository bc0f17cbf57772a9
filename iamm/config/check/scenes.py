"""Scenes, and what must fit them: encoders, heads, the width, augmentations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from iamm.config.check.attention import can_be_causal
from iamm.config.check.statements import arguments, stated, trait
from iamm.config.mistake import Mistake
from iamm.config.parts import Part, named
from iamm.constrained import conflicts
from iamm.names import scene_name

Values = Mapping[str, Any]


class StatedScene(NamedTuple):
    """A scene as its data set's class states it in `provides`.

    Args:
        name: with the data set's arguments filled in; `scene` is each of its `scenes`.
        kind: of the inputs.
        task: picks the head.
        side: of a picture, in pixels; an argument `side` comes first.
    """

    name: str
    kind: str
    task: str
    side: int = 0


def groups_of(values: Values) -> list[list[StatedScene]] | None:
    """The scenes of each data set; None where one does not state its scenes."""
    groups = [scenes_of(name, part) for name, part in values["dataset"].items()]
    known = [group for group in groups if group]
    return known if len(known) == len(groups) else None


def scenes_of(name: str, part: Values) -> list[StatedScene]:
    """The scenes of a data set.

    Args:
        name: its key under `dataset`.
        part: with its arguments.

    Returns:
        none of one that does not state them, or whose scenes are the values of a column that is not read yet.
    """
    scenes = [StatedScene(**scene) for scene in trait(part, "provides", ())]
    scenes = [scene for scene in scenes if scene.kind in part.get("views", (scene.kind,))]
    if part.get("scene") is not None and part.get("scenes") is None:
        return []
    return [
        scene._replace(name=name_of_scene(scene.name, {"name": name, **part}, each), side=part.get("side", scene.side))
        for each in part.get("scenes") or ("",)
        for scene in scenes
    ]


def name_of_scene(pattern: str, arguments: Values, scene: str) -> str:
    """The name that a class states as `{name}` is the data set's key and, of several scenes, the scene's own."""
    if pattern == "{name}":
        return scene_name(arguments["name"], scene)
    return pattern.format_map({**arguments, "scene": scene})


def check_together(found: Iterable[Part]) -> None:
    """Arguments of one part that its class does not allow together."""
    for part in found:
        for line, names in conflicts(stated(part.values).traits, part.values, f"{part.path}."):
            raise Mistake(line, *(f"{part.path}.{name}" for name in names))


def check_scenes(values: Values, scenes: Sequence[StatedScene]) -> None:
    """What must fit the scenes of a run.

    Raises:
        Mistake: the first thing that does not.
    """
    names = [scene.name for scene in scenes]
    if len(set(names)) < len(names):
        raise Mistake(f"A scene can stand in a run once. Found {', '.join(names)}: leave one out.", "dataset")
    made_of = {name: other for part in values["dataset"].values() for name, other in trait(part, "made_of", {}).items()}
    for name in names:
        if made_of.get(name) in names:
            raise Mistake(
                f"A scene must not learn from what another is tested with. Found {name}, made of test examples of "
                f"{made_of[name]}: leave one out.",
                "dataset",
            )
    for scene in scenes:
        check_scene(values, scene)
    for path, part in used_parts(values, scenes):
        rule = arguments(part).get("dim")
        if rule is not None and not rule.holds(values["dim"]):
            raise Mistake(
                f"`dim` must be {rule.words()} for {path}={name_in(part)}. Found {values['dim']}: choose another.",
                *("dim", path),
            )
    check_decoder(values, scenes)
    check_pictures(values, scenes)
    check_augment(values, scenes)


def check_scene(values: Values, scene: StatedScene) -> None:
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


def used_parts(values: Values, scenes: Sequence[StatedScene]) -> Iterator[tuple[str, Values]]:
    """Fusion, and the encoders and heads that a scene of this run takes."""
    yield "fusion", values["fusion"]
    for place, wanted in (("encoder", {scene.kind for scene in scenes}), ("head", {scene.task for scene in scenes})):
        for name in sorted(wanted):
            yield f"{place}.{name}", values[place][name]


def name_in(part: Values) -> str:
    name = named(part)
    return name.variant if name else ""


def check_decoder(values: Values, scenes: Sequence[StatedScene]) -> None:
    """A decoder reads what it has written with an attention that can be causal."""
    for path, head in used_parts(values, scenes):
        if not (path.startswith("head.") and "self_attention" in head):
            continue
        reading = "self_attention" if head["self_attention"] is not None else "attention"
        if not can_be_causal(head[reading]):
            raise Mistake(
                f"`{path}.self_attention`, with which a decoder reads what it has written, must be causal. "
                "Found one that cannot: give it another, "
                f"+attention@mine=multi_head '{path}.self_attention=${{mine}}'.",
                f"{path}.{reading}",
            )


def check_pictures(values: Values, scenes: Sequence[StatedScene]) -> None:
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


def check_augment(values: Values, scenes: Sequence[StatedScene]) -> None:
    """What is changed at random is there."""
    kinds = sorted({scene.kind for scene in scenes})
    for kind, part in values["augment"].items():
        if named(part) and kind not in kinds:
            raise Mistake(
                f"`augment.{kind}` must have a scene of its kind. Found scenes of {', '.join(kinds)}: leave it out.",
                *("augment", "dataset"),
            )
