"""What must be known of a variant before its class can be read, which would import torch.

A test holds both tables complete, and equal to the classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from iamm.config.parts import named

FACTS: Mapping[str, frozenset[str]] = {
    "attention.self": frozenset({"mixes_memory"}),
    "attention.mixed": frozenset({"mixes_memory"}),
    "pattern.adaptive_span": frozenset({"lowers_scores"}),
    "pattern.linear": frozenset({"no_dropout", "needs_kernel"}),
    "pattern.low_rank": frozenset({"no_causal", "lowers_scores"}),
    "pattern.predicted_window": frozenset({"lowers_scores"}),
    "score.kernel": frozenset({"positive"}),
    "normaliser.sum": frozenset({"needs_positive"}),
    "encoder.transformer": frozenset({"needs_even_dim", "needs_attention"}),
    "encoder.recurrent": frozenset({"needs_even_dim"}),
    "head.generator": frozenset({"needs_even_dim", "needs_attention"}),
    "fusion.shared": frozenset({"has_parameters"}),
    "fusion.interest_guidance": frozenset(
        {"has_parameters", "mixes_views", "gives_scene_weights", "needs_attention"},
    ),
    "fusion.cross_scene_attention": frozenset({"has_parameters", "mixes_views", "needs_attention"}),
    "weighting.scene_attention": frozenset({"needs_scene_weights"}),
}
"""By room and variant; a variant that is not here has none of them."""


class SceneFacts(NamedTuple):
    """A scene of a data set.

    Args:
        name: with the part's own keys in braces.
        kind: of the inputs.
        task: picks the head.
        side: of a picture, in pixels; the part's own `side` comes first.
    """

    name: str
    kind: str
    task: str
    side: int = 0


SCENES: Mapping[str, tuple[SceneFacts, ...]] = {
    "ag_news": (SceneFacts("ag_news", "text", "classification"),),
    "cifar10": (SceneFacts("cifar10", "image", "classification", 32),),
    "digit_domains": (SceneFacts("digit_domains_{scene}", "image", "classification"),),
    "digits": (SceneFacts("digits", "image", "classification", 8),),
    "fdu_mtl": (SceneFacts("fdu_mtl_{scene}", "text", "classification"),),
    "fashion_mnist": (SceneFacts("fashion_mnist", "image", "classification", 28),),
    "mnist": (SceneFacts("mnist", "image", "classification", 28),),
    "multi30k": (SceneFacts("multi30k_{source}_{target}", "text", "generation"),),
    "newsgroups": (SceneFacts("newsgroups_{scene}", "text", "classification"),),
    "reviews": (SceneFacts("reviews", "text", "classification"),),
    "shapes": (
        SceneFacts("shapes_image", "image", "classification", 32),
        SceneFacts("shapes_text", "text", "generation"),
    ),
}
"""By variant of `dataset`, in order; one that has `views` has the scenes of these kinds, of `scenes`
these."""


def facts(part: Any) -> frozenset[str]:
    """Those of a part; none of what is no part, or another's."""
    name = named(part)
    return FACTS.get(f"{name.room}.{name.variant}", frozenset()) if name else frozenset()


def scenes_of(part: Mapping[str, Any]) -> list[SceneFacts] | None:
    """The scenes of a data set; None of one that is not the project's own."""
    name = named(part)
    if name is None or name.variant not in SCENES:
        return None
    scenes = [scene for scene in SCENES[name.variant] if scene.kind in part.get("views", (scene.kind,))]
    each = [{**part, "scene": scene} for scene in part.get("scenes", (None,))]
    return [stated(scene, values) for values in each for scene in scenes]


def stated(scene: SceneFacts, values: Mapping[str, Any]) -> SceneFacts:
    """A scene under its own name and in its own size."""
    return scene._replace(name=scene.name.format_map(values), side=values.get("side", scene.side))
