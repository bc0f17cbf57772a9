"""Names that data bring with them."""

from __future__ import annotations

import re
from collections.abc import Collection

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def plain_name(text: str) -> str:
    """The letters, digits and underscores of a text, an underscore for what stands between them: `Home & Garden` →
    `Home_Garden`. Names of scenes are also names of files, tags and parameters."""
    return re.sub(r"\W+", "_", text).strip("_")


def scene_name(name: str, scene: str) -> str:
    """Of one of a data set's scenes; of an only one, which is called nothing, the data set's own name."""
    return f"{name}_{plain_name(scene)}" if scene else name


def in_order(labels: Collection[str]) -> tuple[str, ...]:
    """Labels by the alphabet, or by their size where all are numbers."""
    numbers = all(NUMBER.fullmatch(label) for label in labels)
    return tuple(sorted(labels, key=lambda label: (float(label) if numbers else 0.0, label)))
