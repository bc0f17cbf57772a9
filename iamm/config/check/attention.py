"""Parts of an attention that cannot go together, and attentions that cannot stand where they are put."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from iamm.config.check.facts import facts
from iamm.config.mistake import Mistake
from iamm.config.parts import Part, named

INNER = ("inner", "own", "word")
"""Where an attention keeps the one that it takes its heads and its limits from."""


def check_attentions(found: Iterable[Part], dim: int) -> None:
    """Every attention, wherever it stands.

    Args:
        found: every part of a configuration.
        dim: the width of all features.

    Raises:
        Mistake: the first whose parts do not go together.
    """
    for part in found:
        name = named(part.values)
        if name is not None and name.room == "attention":
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
    both = bool(named(score) and named(normaliser))
    kernel = "positive" in facts(score) and "needs_positive" in facts(normaliser)
    if "needs_kernel" in facts(pattern) and both and not kernel:
        raise Mistake(
            f"`{path}.pattern` needs a positive inner product and its plain sum. Found {chosen(score)} and "
            f"{chosen(normaliser)}: choose score@{path}.score=kernel and normaliser@{path}.normaliser=sum, or another "
            "pattern.",
            *(f"{path}.pattern", f"{path}.score", f"{path}.normaliser"),
        )
    if "needs_positive" in facts(normaliser) and "positive" not in facts(score) and named(score):
        raise Mistake(
            f"`{path}.normaliser` needs scores that are never below zero. Found {chosen(score)}: choose "
            f"score@{path}.score=kernel, or another normaliser.",
            *(f"{path}.normaliser", f"{path}.score"),
        )
    if "lowers_scores" in facts(pattern) and "needs_positive" in facts(normaliser):
        raise Mistake(
            f"`{path}.pattern` lowers scores below zero. Found {chosen(normaliser)}, which cannot take that: choose "
            "another normaliser.",
            *(f"{path}.pattern", f"{path}.normaliser"),
        )
    if "no_dropout" in facts(pattern) and attention.values.get("dropout"):
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
    own, other, word, sentence = (values.get(key) for key in ("own", "other", "word", "sentence"))
    if own and other and heads(own) != heads(other):
        raise Mistake(
            f"`{path}.own` and `{path}.other` must have the same number of heads. Found {heads(own)} and "
            f"{heads(other)}: choose two with the same number.",
            *(f"{path}.own", f"{path}.other"),
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
    found = (attention.get(key) for key in INNER)
    return next((inner for inner in found if isinstance(inner, Mapping)), None)


def mixes_memory(attention: Mapping[str, Any]) -> bool:
    """Whether the places of a memory gather from each other before they are read."""
    inner = inside(attention)
    return "mixes_memory" in facts(attention) or (inner is not None and mixes_memory(inner))


def can_be_causal(attention: Mapping[str, Any]) -> bool:
    """Whether no position need see those behind it."""
    inner = inside(attention)
    if inner is None:
        return "no_causal" not in facts(attention.get("pattern"))
    segments = "word" in attention
    return can_be_causal(inner) and not (segments and mixes_memory(inner))
