"""Values for a drawing of curves over training steps: its axes, its lines, and the paths that these take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from iamm.table.curves import Curve
from iamm.table.write.axis import Axis, value_axis

Band = Sequence[tuple[int, float, float, float]]
"""Step, mean, lowest, highest."""

LEFT, RIGHT, TOP, BOTTOM = 46, 10, 8, 36
"""Room around the plot, in the drawing's units: for ticks and labels."""


class Line(NamedTuple):
    """A row in a drawing of curves.

    Args:
        label: of the row.
        style: number of its class in the stylesheet.
        seeds: thin curves by their names; those that are dashed are not `finished`.
        finished: the seeds that make up the band.
        band: over the finished seeds.
    """

    label: str
    style: int
    seeds: Mapping[str, Curve]
    finished: frozenset[str]
    band: Band


class Chart(NamedTuple):
    """A drawing of lines on two axes; the last line lies on top.

    Args:
        name: of the whole drawing, for a screen reader.
        caption: above it.
        width: in the drawing's units, as `height`.
        x_label: below the horizontal axis `x`.
        y_label: on the left of the vertical axis `y`.
    """

    name: str
    caption: str
    width: int
    height: int
    x: Axis
    y: Axis
    x_label: str
    y_label: str
    lines: Sequence[Line]

    def path(self, points: Sequence[tuple[float, ...]]) -> str:
        """Join the points; what follows step and value is ignored."""
        return "M" + "L".join(f"{self.x.position(step)} {self.y.position(value)}" for step, value, *_ in points)

    def outline(self, band: Band) -> str:
        """Go along the lowest values, and back along the highest."""
        lows = [(step, low) for step, _, low, _ in band]
        return self.path([*lows, *((step, high) for step, _, _, high in reversed(band))]) + "Z"


def curve_chart(
    lines: Sequence[Line],
    points: Curve,
    name: str,
    y_label: str,
    *,
    size: tuple[int, int],
    caption: str = "",
    ratios: bool = False,
) -> Chart:
    """Lay out a drawing.

    Args:
        lines: to be drawn.
        points: that have to fit in; drawings with the same ones have the same axes.
        name: as in Chart; also `y_label` and `caption`.
        size: width and height.
        ratios: whether the values may need a logarithmic axis.
    """
    width, height = size
    x = Axis(0, max(1, *(step for step, _ in points)), LEFT, width - RIGHT)
    y = value_axis((value for _, value in points), height - BOTTOM, TOP, ratios=ratios)
    y_label += ", logarithmic" if y.logarithmic else ""
    return Chart(name, caption, width, height, x, y, "training step", y_label, lines)
