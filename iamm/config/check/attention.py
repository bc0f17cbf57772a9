"""Parts of an attention that cannot go together, and attentions that cannot stand where they are put."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from iamm.config.check.statements import trait
from iamm.config.mistake import Mistake
from iamm.config.parts import Part, named


def check_attentions(found: Iterable[Part], dim: int) -> None:
    """Every attention, wherever it stands.

    Args:
        found: every part of a configuration.
        dim: the width of all features.

    Raises:
        Mistake: the first whose parts do not go together.
    """
    for part in found:
        if trait(part.values, "limits_from", None) is not None:  # an attention's
            check_heads(part, dim)
            check_composition(part)
            check_levels(part)


def check_heads(attention: Part, dim: int) -> None:
    """Heads split the width of the features evenly."""
    heads = attention.values.get("heads", 1)
    if dim % heads:
        path = f"{attention.path}.heads"
        whole = [str(number) for number in range(1, min(dim, 1_000) + 1) if dim % number == 0]
        raise Mistake(
            f"`{path}` must divide `dim`. Found dim={dim}, heads={heads}: choose one of {', '.join(whole)}.",
            *("dim", path),
        )


def check_composition(attention: Part) -> None:
    """Score, pattern and normaliser."""
    path = attention.path
    score, pattern, normaliser = (attention.values.get(key) for key in ("score", "pattern", "normaliser"))
    positive, needs_positive = trait(score, "positive", None), trait(normaliser, "needs_positive", None)
    known = positive is not None and needs_positive is not None
    if trait(pattern, "needs_kernel") and known and not (positive and needs_positive):
        raise Mistake(
            f"`{path}.pattern` needs a positive inner product and its plain sum. Found {chosen(score)} and "
            f"{chosen(normaliser)}: choose score@{path}.score=kernel and normaliser@{path}.normaliser=sum, or another "
            "pattern.",
            *(f"{path}.pattern", f"{path}.score", f"{path}.normaliser"),
        )
    if needs_positive and positive is False:
        raise Mistake(
            f"`{path}.normaliser` needs scores that are never below zero. Found {chosen(score)}: choose "
            f"score@{path}.score=kernel, or another normaliser.",
            *(f"{path}.normaliser", f"{path}.score"),
        )
    if trait(pattern, "lowers_scores") and needs_positive:
        raise Mistake(
            f"`{path}.pattern` lowers scores below zero. Found {chosen(normaliser)}, which cannot take that: choose "
            "another normaliser.",
            *(f"{path}.pattern", f"{path}.normaliser"),
        )
    if trait(pattern, "no_dropout") and attention.values.get("dropout"):
        raise Mistake(
            f"`{path}.pattern` never forms the weights that would be dropped. Found {path}.dropout="
            f"{attention.values['dropout']}: set it to 0, or choose another pattern.",
            *(f"{path}.dropout", f"{path}.pattern"),
        )


def chosen(part: Any) -> str:
    """`score=additive`, as a user says it."""
    name = named(part)
    return f"{name.room}={name.variant}" if name else "another's"


def check_levels(attention: Part) -> None:
    """Attentions made of attentions must agree on their heads."""
    path, values = attention.path, attention.values
    own, other, word, sentence = (values.get(key) for key in ("self_attention", "cross_attention", "word", "sentence"))
    if own and other and heads(own) != heads(other):
        raise Mistake(
            f"`{path}.self_attention` and `{path}.cross_attention` must have the same number of heads. "
            f"Found {heads(own)} and {heads(other)}: choose two with the same number.",
            *(f"{path}.self_attention", f"{path}.cross_attention"),
        )
    if word and sentence and (heads(word), heads(sentence)) != (1, 1):
        raise Mistake(
            f"`{path}.word` and `{path}.sentence` must have one head each. Found {heads(word)} and {heads(sentence)}: "
            "choose attentions of one head, such as additive.",
            *(f"{path}.word", f"{path}.sentence"),
        )


def heads(attention: Mapping[str, Any]) -> int:
    """How many an attention has: its own, or those of the one inside."""
    inner = inside(attention)
    return int(attention.get("heads", 1)) if inner is None else heads(inner)


def inside(attention: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The one that it takes its heads and its limits from, if any."""
    inner = attention.get(trait(attention, "limits_from", ""))
    return inner if isinstance(inner, Mapping) else None


def mixes_memory(attention: Mapping[str, Any]) -> bool:
    """Whether the places of a memory gather from each other before they are read."""
    inner = inside(attention)
    return trait(attention, "mixes_memory") or (inner is not None and mixes_memory(inner))


def can_be_causal(attention: Mapping[str, Any]) -> bool:
    """Whether no position need see those behind it."""
    inner = inside(attention)
    if inner is None:
        return not (trait(attention, "no_causal") or trait(attention.get("pattern"), "no_causal"))
    segments = "word" in attention
    return can_be_causal(inner) and not (segments and mixes_memory(inner))
