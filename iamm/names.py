"""Names that come from data: of scenes, and of labels."""

from __future__ import annotations

import re
from collections.abc import Collection

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def plain_name(text: str) -> str:
    """Replace what is no letter, digit or underscore by an underscore: `Home & Garden` → `Home_Garden`.

    Names of scenes are also names of files, tags and parameters.
    """
    return re.sub(r"\W+", "_", text).strip("_")


def scene_name(name: str, scene: str) -> str:
    """Give the name of a data set's scene; an only scene, with an empty name, has the data set's name."""
    return f"{name}_{plain_name(scene)}" if scene else name


def in_order(labels: Collection[str]) -> tuple[str, ...]:
    """Sort labels alphabetically, or by value where all are numbers."""
    numbers = all(NUMBER.fullmatch(label) for label in labels)
    return tuple(sorted(labels, key=lambda label: (float(label) if numbers else 0.0, label)))
