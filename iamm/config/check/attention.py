"""This file checks which parts of an attention go together, and which attentions fit the place where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from iamm.config.check.statements import trait
from iamm.config.mistakes import Mistake
from iamm.config.parts import Part, named


def check_attentions(configured: Iterable[Part], dim: int) -> None:
    """Check every attention, wherever it stands.

    Args:
        configured: every part of a configuration.
        dim: the width of all features.

    Raises:
        Mistake: the first whose parts do not go together.
    """
    for part in configured:
        if trait(part.values, "limits_from", None) is not None:  # every attention states it
            check_heads(part, dim)
            check_composition(part)
            check_inner_heads(part)


def check_heads(attention: Part, dim: int) -> None:
    """Heads must split the width of the features evenly."""
    heads = attention.values.get("heads", 1)
    if dim % heads:
        path = f"{attention.path}.heads"
        divisors = [str(number) for number in range(1, min(dim, 1_000) + 1) if dim % number == 0]
        raise Mistake(
            f"`{path}` must divide `dim`. Found dim={dim}, heads={heads}: choose one of {', '.join(divisors)}.",
            *("dim", path),
        )


def check_composition(attention: Part) -> None:
    """Score, pattern and normaliser must go together."""
    path = attention.path
    score, pattern, normaliser = (attention.values.get(key) for key in ("score", "pattern", "normaliser"))
    positive, needs_positive = trait(score, "positive", None), trait(normaliser, "needs_positive", None)
    known = positive is not None and needs_positive is not None
    if trait(pattern, "needs_kernel") and known and not (positive and needs_positive):
        raise Mistake(
            f"`{path}.pattern` needs a positive inner product and its plain sum. Found {choice_of(score)} and "
            f"{choice_of(normaliser)}: choose score@{path}.score=kernel and normaliser@{path}.normaliser=sum, or "
            "another pattern.",
            *(f"{path}.pattern", f"{path}.score", f"{path}.normaliser"),
        )
    if needs_positive and positive is False:
        raise Mistake(
            f"`{path}.normaliser` needs scores that are never below zero. Found {choice_of(score)}: choose "
            f"score@{path}.score=kernel, or another normaliser.",
            *(f"{path}.normaliser", f"{path}.score"),
        )
    if trait(pattern, "lowers_scores") and needs_positive:
        raise Mistake(
            f"`{path}.pattern` lowers scores below zero. Found {choice_of(normaliser)}, which cannot take that: choose "
            "another normaliser.",
            *(f"{path}.pattern", f"{path}.normaliser"),
        )
    if trait(pattern, "no_dropout") and attention.values.get("dropout"):
        raise Mistake(
            f"`{path}.pattern` never forms the weights that would be dropped. Found {path}.dropout="
            f"{attention.values['dropout']}: set it to 0, or choose another pattern.",
            *(f"{path}.dropout", f"{path}.pattern"),
        )


def choice_of(part: Any) -> str:
    """Give the override that chooses a part, such as `score=additive`."""
    name = named(part)
    return f"{name.room}={name.variant}" if name else "another's"


def check_inner_heads(attention: Part) -> None:
    """Attentions inside an attention must have as many heads as its class states (`equal_heads`, `single_head`)."""
    for name, rule, advice in (
        ("equal_heads", "the same number of heads", "choose two with the same number"),
        ("single_head", "one head each", "choose attentions of one head, such as additive"),
    ):
        keys = [key for key in trait(attention.values, name, ()) if attention.values.get(key)]
        counts = [head_count(attention.values[key]) for key in keys]
        if len({*counts, 1} if name == "single_head" else {*counts}) > 1:
            paths = [f"{attention.path}.{key}" for key in keys]
            raise Mistake(
                f"{' and '.join(f'`{path}`' for path in paths)} must have {rule}. "
                f"Found {' and '.join(map(str, counts))}: {advice}.",
                *paths,
            )


def head_count(attention: Mapping[str, Any]) -> int:
    """Give the number of heads: its own, or that of the attention that it takes its limits from."""
    inner = limiting(attention)
    return int(attention.get("heads", 1)) if inner is None else head_count(inner)


def limiting(attention: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Give the inner attention that the heads and limits come from, if there is one."""
    inner = attention.get(trait(attention, "limits_from", ""))
    return inner if isinstance(inner, Mapping) else None


def mixes_memory(attention: Mapping[str, Any]) -> bool:
    """Tell whether the places of a memory gather from each other before they are read."""
    inner = limiting(attention)
    return trait(attention, "mixes_memory") or (inner is not None and mixes_memory(inner))


def can_be_causal(attention: Mapping[str, Any]) -> bool:
    """Tell whether no position needs those after it."""
    inner = limiting(attention)
    if inner is None:
        return not (trait(attention, "no_causal") or trait(attention.get("pattern"), "no_causal"))
    return can_be_causal(inner) and not (trait(attention, "reads_segments") and mixes_memory(inner))
