"""Drawings for an HTML page, as text: curves over training steps, and an interval in a table's cell.

Colours and strokes are classes (`line0`, `line1`, …) that the page's style fills in, for light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from iamm.table.curves import Curve
from iamm.table.table import Cell
from iamm.table.write.axis import Axis, value_axis

Band = Sequence[tuple[int, float, float, float]]
"""Step, mean, lowest, highest."""

LEFT, RIGHT, TOP, BOTTOM = 46, 10, 8, 36
"""Room around the plot, in the drawing's units: for ticks and labels."""


class Line(NamedTuple):
    """A row in a drawing of curves.

    Args:
        label: of the row.
        style: number of its class.
        seeds: thin curves by what each is called; those that are dashed are not `finished`.
        finished: the seeds that make up the band.
        band: over the finished seeds.
    """

    label: str
    style: int
    seeds: Mapping[str, Curve]
    finished: frozenset[str]
    band: Band


def curve_chart(
    lines: Sequence[Line],
    points: Curve,
    name: str,
    x_label: str,
    y_label: str,
    *,
    size: tuple[int, int],
    ratios: bool = False,
) -> str:
    """A drawing of the lines, each with its band, its seeds (thin), its mean and a dot where that ends.

    Args:
        lines: the last one lies on top.
        points: that have to fit in; drawings with the same ones have the same axes.
        name: of the whole drawing, for those who cannot see it.
        x_label: below.
        y_label: on the left.
        size: width and height, in the drawing's units.
        ratios: whether the values may need a logarithmic axis.
    """
    width, height = size
    x = Axis(0, max(1, *(step for step, _ in points)), LEFT, width - RIGHT)
    y = value_axis((value for _, value in points), height - BOTTOM, TOP, ratios=ratios)
    y_label += ", logarithmic" if y.logarithmic else ""
    layers = [layer(line, x, y) for layer in (drawn_band, drawn_seeds, drawn_mean) for line in lines]
    drawn = frame(x, y, x_label, y_label) + "".join(layers)
    label = escape(name)
    return f'<svg class="curves" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">{drawn}</svg>'


def frame(x: Axis, y: Axis, x_label: str, y_label: str) -> str:
    """Lines of a grid, ticks, and what stands along the axes."""
    narrow = x.end - x.start < 250
    across = "".join(
        f'<path class="grid" d="M{x.start:g} {y.at(value)}H{x.end:g}"/>'
        f'<text class="tick" x="{x.start - 4:g}" y="{y.at(value)}" dy="4" text-anchor="end">{text}</text>'
        for value, text in y.ticks(4 if narrow else 6).items()
    )
    along = "".join(
        f'<text class="tick" x="{x.at(value)}" y="{y.start + 14:g}" text-anchor="middle">{text}</text>'
        for value, text in x.ticks(3 if narrow else 5).items()
    )
    middle, height = (x.start + x.end) / 2, (y.start + y.end) / 2
    labels = (
        f'<text x="{middle:g}" y="{y.start + 30:g}" text-anchor="middle">{escape(x_label)}</text>'
        f'<text transform="translate(11 {height:g}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'
    )
    return f'{across}{along}<path class="axis" d="M{x.start:g} {y.start:g}H{x.end:g}"/>{labels}'


def drawn_band(line: Line, x: Axis, y: Axis) -> str:
    if len(line.finished) < 2 or not line.band:
        return ""
    lows = [(step, low) for step, _, low, _ in line.band]
    highs = [(step, high) for step, _, _, high in reversed(line.band)]
    return group(line, f'<path class="band" d="{path([*lows, *highs], x, y)}Z"/>')


def drawn_seeds(line: Line, x: Axis, y: Axis) -> str:
    """Each tells its name where a pointer rests on it."""
    kinds = {seed: "seed" if seed in line.finished else "seed unfinished" for seed in line.seeds}
    return group(
        line,
        *(
            f'<path class="{kinds[seed]}" d="{path(curve, x, y)}">{named(line.label, seed)}</path>'
            for seed, curve in line.seeds.items()
            if curve
        ),
    )


def drawn_mean(line: Line, x: Axis, y: Axis) -> str:
    if not line.band:
        return ""
    mean = [(step, value) for step, value, _, _ in line.band]
    step, value = mean[-1]
    name = named(line.label, "mean")
    return group(
        line,
        f'<path class="mean" d="{path(mean, x, y)}">{name}</path>',
        f'<circle class="end" cx="{x.at(step)}" cy="{y.at(value)}" r="3">{name}</circle>',
    )


def group(line: Line, *parts: str) -> str:
    return f'<g class="line{line.style}">{"".join(parts)}</g>' if parts else ""


def named(label: str, part: str) -> str:
    return f"<title>{escape(label)}, {escape(part)}</title>"


def path(points: Curve, x: Axis, y: Axis) -> str:
    return "M" + "L".join(f"{x.at(step)} {y.at(value)}" for step, value in points)


def interval(cell: Cell, axis: Axis, reference: float | None) -> str:
    """The interval of a mean, its seeds (dots) and the claim (hollow), on its column's axis; and the first row's mean.

    What it shows stands beside it as text, so that it is hidden from those who have that read to them. What is not
    finite is left out.
    """
    found = cell.estimate
    parts = [] if reference is None else [f'<path class="reference" d="M{axis.at(reference)} 0V15"/>']
    if found is not None and found.low is not None and found.high is not None and math.isfinite(found.mean):
        parts.append(f'<path class="interval" d="M{axis.at(found.low)} 5H{axis.at(found.high)}"/>')
    seeds = [value for value in cell.values.values() if math.isfinite(value)]
    parts += [f'<circle class="dot" cx="{axis.at(value)}" cy="12" r="1.5"/>' for value in seeds]
    if found is not None and math.isfinite(found.mean):
        parts.append(f'<circle class="point" cx="{axis.at(found.mean)}" cy="5" r="3"/>')
    if cell.claim is not None:
        parts.append(f'<path class="claim" d="M{axis.at(cell.claim)} 1l4 4l-4 4l-4 -4Z"/>')
    return f'<svg class="cell" viewBox="0 0 {axis.start + axis.end:g} 15" aria-hidden="true">{"".join(parts)}</svg>'
