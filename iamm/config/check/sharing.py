"""Which scenes have an encoder or a head in common, as far as that is known before data are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iamm.config.check.scenes import StatedScene
from iamm.config.mistake import Mistake
from iamm.sharing import groups

PARTS = ("encoder", "head")


def check_sharing(values: Mapping[str, Any], scenes: Sequence[StatedScene]) -> None:
    """Groups of scenes of the run, each once, of one kind or task; vocabularies, pixels and classes are read later.

    Raises:
        Mistake: a group that cannot be.
    """
    for part in PARTS:
        alike = {scene.name: scene.kind if part == "encoder" else scene.task for scene in scenes}
        try:
            groups(values["share"][part], alike, part)
        except ValueError as error:
            raise Mistake(str(error), f"share.{part}", "dataset") from error


def shares(values: Mapping[str, Any]) -> bool:
    """Whether scenes may have an encoder or a head in common."""
    return any(values["share"][part] != "none" for part in PARTS)
