"""Groups of scenes that share a part of a network."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

Share = str | Sequence[Sequence[str]]
"""`none`: no scene shares; `kind`: all scenes that are alike share; or groups by name, the other scenes alone."""

RULES: Mapping[str, str] = {
    "encoder": "the same kind of inputs, and the same vocabulary or pixel format",
    "head": "the same task, and the same classes or vocabulary",
}
"""Part of a network → what the scenes that share it must have in common."""


def groups(share: Share, alike: Mapping[str, Hashable], part: str) -> list[list[str]]:
    """Give the names of each group's scenes, in the order of the scenes.

    Args:
        share: how scenes are grouped.
        alike: scene → a key that must be equal for all scenes of a group.
        part: `encoder` or `head`.

    Raises:
        ValueError: a group of scenes that the run does not have, or that cannot share.
    """
    named = [] if isinstance(share, str) else share
    check(named, alike, part)
    number = {name: place for place, group in enumerate(named) for name in group}
    members: dict[Hashable, list[str]] = {}
    for name, kind in alike.items():
        members.setdefault(kind if share == "kind" else number.get(name, name), []).append(name)
    return list(members.values())


def check(named: Sequence[Sequence[str]], alike: Mapping[str, Hashable], part: str) -> None:
    names = [name for group in named for name in group]
    wrong = [name for name in names if name not in alike]
    if wrong:
        raise ValueError(
            f"`share.{part}` must name scenes of the run, {', '.join(alike)}. Found {wrong[0]}: name another, or leave "
            "it out."
        )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"`share.{part}` must name a scene once. Found {twice[0]} twice: leave one out.")
    for group in named:
        if len({alike[name] for name in group}) > 1:
            raise ValueError(
                f"Scenes that share {'an' if part == 'encoder' else 'a'} {part} must have {RULES[part]}. Found "
                f"{', '.join(group)} to differ: take them apart."
            )
