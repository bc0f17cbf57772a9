"""This file checks a weighting against the scenes, the fusion and the training loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iamm.config.check.scenes import StatedScene, check_conflicts, shares
from iamm.config.check.statements import trait
from iamm.config.mistakes import Mistake
from iamm.config.parts import Part, variant_of

Values = Mapping[str, Any]
Groups = Sequence[Sequence[StatedScene]]


def check_weighting(values: Values, groups: Groups) -> None:
    """Check the weighting of a run whose scenes are known.

    Args:
        values: of the whole configuration.
        groups: the scenes of each data set.

    Raises:
        Mistake: the first combination that cannot work.
    """
    weighting, fusion = values["weighting"], values["fusion"]
    if trait(weighting, "needs_shared", None) is None or trait(fusion, "has_parameters", None) is None:
        return  # a class of a library states nothing
    check_conflicts(Part("weighting", {**weighting, "scenes": sum(map(len, groups))}), "dataset")
    if trait(weighting, "needs_scene_weights") and not trait(fusion, "gives_scene_weights"):
        raise Mistake(
            "This weighting takes its weights from a fusion that attends to scenes. "
            f"Found fusion={variant_of(fusion)}: choose fusion=interest_guidance, or another weighting.",
            *("weighting", "fusion"),
        )
    check_shared(values, groups)
    check_representation(values, groups)


def check_shared(values: Values, groups: Groups) -> None:
    """A rule over gradients needs parameters that several scenes share: of the fusion, an encoder or a head."""
    scenes = sum(map(len, groups))
    shared = scenes > 1 and (trait(values["fusion"], "has_parameters") or shares(values))
    needs = {"weighting": trait(values["weighting"], "needs_shared"), "log.conflict": values["log"]["conflict"]}
    for path, is_needed in needs.items():
        if is_needed and not shared:
            raise Mistake(
                "A rule over gradients, and log.conflict, need parameters that several scenes share. "
                f"Found {scenes} scene(s) and fusion={variant_of(values['fusion'])}: choose another weighting and "
                "log.conflict=false, or several scenes and a fusion that shares.",
                *(path, "dataset", "fusion"),
            )


def check_representation(values: Values, groups: Groups) -> None:
    """Gradients at the features need scenes that read each other's features, and whole steps."""
    if values["weighting"].get("wrt") != "representation":
        return
    if not trait(values["fusion"], "mixes_views") or len(groups) != 1:
        raise Mistake(
            "`weighting.wrt=representation` needs scenes that read each other's features: views of one data set and a "
            f"fusion that mixes them. Found {len(groups)} data set(s), fusion={variant_of(values['fusion'])}: take "
            "weighting.wrt=parameters.",
            *("weighting.wrt", "dataset", "fusion"),
        )
    if values["accumulate"] > 1:
        raise Mistake(
            "`weighting.wrt=representation` must see a step whole. "
            f"Found accumulate={values['accumulate']}: take weighting.wrt=parameters, or accumulate=1.",
            *("weighting.wrt", "accumulate"),
        )
