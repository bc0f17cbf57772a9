"""IAMM: interest-based attention migration across scenes, and its rivals."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from iamm.serve.trained import Trained

__version__ = "0.1.0"


def load(run: "str | Path", device: str = "auto", precision: str = "fp32") -> "Trained":
    """The model that a finished run chose, ready to answer; see `iamm.serve.trained.load`."""
    from iamm.serve.trained import load

    return load(run, device, precision)
