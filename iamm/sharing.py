"""Which scenes have a part of a network in common."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

Share = str | Sequence[Sequence[str]]
"""`none`: each scene has its own; `kind`: all that are alike have one; or groups by name, the other scenes alone."""

RULES: Mapping[str, str] = {
    "encoder": "the same kind of inputs, and the same vocabulary or pixel format",
    "head": "the same task, and the same classes or vocabulary",
}
"""By part of a network, what the scenes that share it must have."""


def groups(share: Share, alike: Mapping[str, Hashable], part: str) -> list[list[str]]:
    """The names of each group's scenes, in the order of the scenes.

    Args:
        share: how scenes are grouped.
        alike: by the name of each scene, what it must have in common with the others of its group.
        part: `encoder` or `head`.

    Raises:
        ValueError: a group of scenes that the run does not have, or that cannot share.
    """
    named = [] if isinstance(share, str) else share
    check(named, alike, part)
    number = {name: place for place, group in enumerate(named) for name in group}
    found: dict[Hashable, list[str]] = {}
    for name, kind in alike.items():
        found.setdefault(kind if share == "kind" else number.get(name, name), []).append(name)
    return list(found.values())


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
