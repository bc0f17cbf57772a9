"""A weighting against scenes, fusion and the loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iamm.config.check.scenes import StatedScene
from iamm.config.check.sharing import shares
from iamm.config.check.statements import trait
from iamm.config.mistake import Mistake
from iamm.config.parts import named

Values = Mapping[str, Any]
Groups = Sequence[Sequence[StatedScene]]


def check_weighting(values: Values, groups: Groups) -> None:
    """Raises:
    Mistake: the first combination that cannot work.
    """
    stated = trait(values["weighting"], "needs_shared", None), trait(values["fusion"], "has_parameters", None)
    if None in stated:
        return
    check_counts(values["weighting"], sum(len(group) for group in groups))
    check_scene_weights(values)
    check_shared(values, groups)
    check_representation(values, groups)


def check_counts(weighting: Values, scenes: int) -> None:
    """Lists that have a place for each scene."""
    for key in ("values", "reference"):
        given = weighting.get(key)
        if given is not None and len(given) != scenes:
            raise Mistake(
                f"`weighting.{key}` must hold one number for each scene. Found {len(given)} for {scenes}: {given}.",
                *(f"weighting.{key}", "dataset"),
            )
    given = weighting.get("values")
    if given and not any(given):
        raise Mistake(f"`weighting.values` must have one above 0. Found {given}.", "weighting.values")


def check_scene_weights(values: Values) -> None:
    if trait(values["weighting"], "needs_scene_weights") and not trait(values["fusion"], "gives_scene_weights"):
        raise Mistake(
            "This weighting takes its weights from a fusion that attends to scenes. "
            f"Found fusion={fusion(values)}: choose fusion=interest_guidance, or another weighting.",
            *("weighting", "fusion"),
        )


def check_shared(values: Values, groups: Groups) -> None:
    """A rule over gradients needs parameters that several scenes share: of the fusion, an encoder or a head."""
    scenes = sum(len(group) for group in groups)
    common = scenes > 1 and (trait(values["fusion"], "has_parameters") or shares(values))
    for path, wanted in (("weighting", needs_shared(values["weighting"])), ("log.conflict", values["log"]["conflict"])):
        if wanted and not common:
            raise Mistake(
                "A rule over gradients, and log.conflict, need parameters that several scenes share. "
                f"Found {scenes} scene(s) and fusion={fusion(values)}: choose another weighting and "
                "log.conflict=false, or several scenes and a fusion that shares.",
                *(path, "dataset", "fusion"),
            )


def needs_shared(weighting: Values) -> bool:
    return "wrt" in weighting or bool(trait(weighting, "needs_shared"))


def check_representation(values: Values, groups: Groups) -> None:
    if values["weighting"].get("wrt") != "representation":
        return
    if not trait(values["fusion"], "mixes_views") or len(groups) != 1:
        raise Mistake(
            "`weighting.wrt=representation` needs scenes that read each other's features: views of one data set and a "
            f"fusion that mixes them. Found {len(groups)} data set(s), fusion={fusion(values)}: take "
            "weighting.wrt=parameters.",
            *("weighting.wrt", "dataset", "fusion"),
        )
    if values["accumulate"] > 1:
        raise Mistake(
            "`weighting.wrt=representation` must see a step whole. "
            f"Found accumulate={values['accumulate']}: take weighting.wrt=parameters, or accumulate=1.",
            *("weighting.wrt", "accumulate"),
        )


def fusion(values: Values) -> str:
    name = named(values["fusion"])
    return name.variant if name else "another's"
