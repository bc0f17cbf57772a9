"""This file checks the scenes of a run, and what must fit them: encoders, heads, the width, sharing, augmentations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from iamm.config.check.attention import can_be_causal
from iamm.config.check.statements import arguments, stated, trait
from iamm.config.mistakes import Mistake
from iamm.config.parts import Part, named, variant_of
from iamm.constrained import conflicts
from iamm.names import scene_name
from iamm.sharing import groups

Values = Mapping[str, Any]


class StatedScene(NamedTuple):
    """A scene as its data set's class states it in `provides`.

    Args:
        name: with the data set's arguments filled in; `scene` is each of its `scenes`.
        kind: of the inputs; chooses the encoder.
        task: chooses the head.
        side: of a picture, in pixels; an argument `side` of the data set comes first.
    """

    name: str
    kind: str
    task: str
    side: int = 0


SHARED = {"encoder": "kind", "head": "task"}
"""A part that scenes may have in common → what such scenes must agree in."""


def groups_of(values: Values) -> list[list[StatedScene]] | None:
    """Give the scenes of each data set; None where one does not state its scenes."""
    all_scenes = [scenes_of(name, part) for name, part in values["dataset"].items()]
    return all_scenes if all(all_scenes) else None


def scenes_of(name: str, part: Values) -> list[StatedScene]:
    """Give the scenes of a data set.

    Args:
        name: its key under `dataset`.
        part: with its arguments.

    Returns:
        none of one that does not state them, or whose scenes are the values of a column that is not read yet.
    """
    tasks = [task for key, task in trait(part, "task_by", {}).items() if part.get(key) is not None]
    scenes = [StatedScene(**{**scene, "task": [*tasks, scene["task"]][0]}) for scene in trait(part, "provides", ())]
    scenes = [scene for scene in scenes if scene.kind in part.get("views", (scene.kind,))]
    if part.get("scene") is not None and part.get("scenes") is None:
        return []
    return [
        scene._replace(name=name_of_scene(scene.name, {"name": name, **part}, each), side=part.get("side", scene.side))
        for each in part.get("scenes") or ("",)
        for scene in scenes
    ]


def name_of_scene(pattern: str, arguments: Values, scene: str) -> str:
    """Fill in the name that a class states; `{name}` is the data set's key and, of several scenes, the scene's own."""
    if pattern == "{name}":
        return scene_name(arguments["name"], scene)
    return pattern.format_map({**arguments, "scene": scene})


def check_conflicts(part: Part, *others: str) -> None:
    """Refuse arguments of one part that its class does not allow together; `others` are keys they also depend on."""
    for line, names in conflicts(stated(part.values).traits, part.values, f"{part.path}."):
        raise Mistake(line, *(f"{part.path}.{name}" for name in names), *others)


def check_scenes(values: Values, scenes: Sequence[StatedScene]) -> None:
    """Check what must fit the scenes of a run.

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
        check_width(values["dim"], path, part)
        check_decoder(path, part)
        check_causal(path, part)
        check_stages(path, part, scenes)
    check_augment(values, scenes)
    check_sharing(values, scenes)


def check_scene(values: Values, scene: StatedScene) -> None:
    """A scene needs an encoder of its kind and a head of its task."""
    for room, key in SHARED.items():
        name = getattr(scene, key)
        if not values[room].get(name):
            known = ", ".join(sorted(str(name) for name, part in values[room].items() if part)) or "none"
            raise Mistake(
                f"A scene needs {'an' if room == 'encoder' else 'a'} {room} of its {key}. Found {scene.name} "
                f"({scene.kind}, {scene.task}), {room}s: {known}. Give it {room}.{name}.",
                *("dataset", f"{room}.{name}"),
            )


def used_parts(values: Values, scenes: Sequence[StatedScene]) -> Iterator[tuple[str, Values]]:
    """Yield the fusion, and the encoders and heads that the scenes use, each with its path."""
    yield "fusion", values["fusion"]
    for room, key in SHARED.items():
        for name in sorted({getattr(scene, key) for scene in scenes}):
            yield f"{room}.{name}", values[room][name]


def check_width(dim: int, path: str, part: Values) -> None:
    rule = arguments(part).get("dim")
    if rule is not None and not rule.holds(dim):
        wanted = f"{rule.description()} for {path}={variant_of(part)}"
        raise Mistake(f"`dim` must be {wanted}. Found {dim}: choose another.", "dim", path)


def check_decoder(path: str, head: Values) -> None:
    """A decoder reads what it has written with an attention that can be causal (`decodes_with`)."""
    names = trait(head, "decodes_with", ())
    used = next((name for name in names if head.get(name) is not None), None)
    if used and not can_be_causal(head[used]):
        raise Mistake(
            f"`{path}.{names[0]}`, with which a decoder reads what it has written, must be causal. "
            f"Found one that cannot: give it another, +attention@mine=multi_head '{path}.{names[0]}=${{mine}}'.",
            f"{path}.{used}",
        )


def check_causal(path: str, encoder: Values) -> None:
    """An encoder in which nothing reads later places needs an attention that can be causal (`causal_by`)."""
    key = trait(encoder, "causal_by", "")
    if key and encoder[key] and not can_be_causal(encoder["attention"]):
        raise Mistake(
            f"`{path}.attention` must be causal with {key}=true. Found one that cannot: set {path}.{key}=false, or "
            "choose another attention.",
            f"{path}.attention",
        )


def check_stages(path: str, encoder: Values, scenes: Sequence[StatedScene]) -> None:
    """A picture must have a pixel left after all stages that halve it (`halves`)."""
    key = trait(encoder, "halves", "")
    stages = len(encoder.get(key) or ())
    for scene in scenes:
        if scene.side and scene.side < 2**stages:
            raise Mistake(
                f"Each stage halves a picture. Found {scene.side} pixels in {scene.name} and {stages} "
                f"stages: give {path}.{key} fewer.",
                *("dataset", f"{path}.{key}"),
            )


def check_augment(values: Values, scenes: Sequence[StatedScene]) -> None:
    """An augmentation needs a scene of its kind."""
    kinds = sorted({scene.kind for scene in scenes})
    for kind, part in values["augment"].items():
        if named(part) and kind not in kinds:
            raise Mistake(
                f"`augment.{kind}` must have a scene of its kind. Found scenes of {', '.join(kinds)}: leave it out.",
                *("augment", "dataset"),
            )


def check_sharing(values: Values, scenes: Sequence[StatedScene]) -> None:
    """Scenes that share an encoder or head must be scenes of the run, each in one group, of one kind or task.

    Vocabularies, pixel formats and classes are compared once the data are read.
    """
    for room, key in SHARED.items():
        try:
            groups(values["share"][room], {scene.name: getattr(scene, key) for scene in scenes}, room)
        except ValueError as error:
            raise Mistake(str(error), f"share.{room}", "dataset") from error


def shares(values: Values) -> bool:
    """Tell whether scenes may have an encoder or a head in common."""
    return any(values["share"][room] != "none" for room in SHARED)
