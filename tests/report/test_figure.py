from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from iamm.report.figure import image, map_shape, places_figure, scenes_figure, words_figure


@pytest.mark.parametrize(
    ("places", "height", "width", "shape"),
    [
        (64, 32, 32, (8, 8)),
        (49, 28, 28, (7, 7)),
        (4, 8, 8, (2, 2)),
        (32, 16, 32, (4, 8)),
        (6, 5, 7, (2, 3)),
        (7, 8, 8, (1, 7)),  # a prime number of places has no second row
        (1, 3, 3, (1, 1)),
    ],
)
def test_map_shape(places, height, width, shape):
    assert map_shape(places, height, width) == shape


def drawn(figure) -> np.ndarray:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    file.seek(0)
    return imread(file)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("row", "column"), [(0, 3), (2, 1)])
def test_the_brightest_place_is_where_the_weight_is(channels, row, column):
    """A map of 4 × 4 places over 16 × 16 pixels: a place is a block of 4 × 4 pixels."""
    weights = torch.full((2, 2, 1, 16), 0.02)
    weights[0, :, 0, 4 * row + column] = 0.7
    pictures = torch.full((2, channels, 16, 16), 0.5)
    figure = places_figure(pictures, weights, ["first", "second"])
    over = figure.axes[2].images[-1].get_array()  # below the first picture
    top, left = divmod(int(np.argmax(over)), 16)
    assert (top // 4, left // 4) == (row, column)
    assert [axis.get_title() for axis in figure.axes[:2]] == ["first", "second"]
    assert np.ptp(figure.axes[3].images[-1].get_array()) == pytest.approx(0, abs=1e-6)  # the second looks everywhere


def test_the_brightest_pixel_of_the_file():
    weights = torch.zeros(1, 1, 1, 16)
    weights[0, 0, 0, 15] = 1.0  # the lower right corner
    figure = places_figure(torch.zeros(1, 1, 16, 16), weights, [""])
    box = figure.axes[1]
    pixels = drawn(figure)[..., :3].sum(axis=-1)
    height = pixels.shape[0]
    frame = box.get_window_extent()
    inside = pixels[height - int(frame.y1) + 2 : height - int(frame.y0) - 2, int(frame.x0) + 2 : int(frame.x1) - 2]
    y, x = np.unravel_index(np.argmax(inside), inside.shape)
    assert y > 0.7 * inside.shape[0]
    assert x > 0.7 * inside.shape[1]


def test_pictures_as_they_are_shown():
    assert image(torch.rand(1, 5, 7)).shape == (5, 7)
    assert image(torch.rand(3, 5, 7)).shape == (5, 7, 3)


def test_words():
    weights = torch.tensor([[0.125, 0.5, 0.375], [1.0, 0.0, 0.0]])
    figure = words_figure(weights, ["x", "y"], ["a", "b", "c"], "title")
    axis = figure.axes[0]
    np.testing.assert_array_equal(axis.images[0].get_array(), weights.numpy())
    assert [label.get_text() for label in axis.get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["x", "y"]
    assert axis.get_title() == "title"
    assert np.ptp(drawn(figure)) > 0.5


def test_scenes():
    figure = scenes_figure({"a": {"a": 0.75, "b": 0.25}, "b": {"a": 0.4, "b": 0.6}})
    axis = figure.axes[0]
    np.testing.assert_array_equal(axis.images[0].get_array(), [[0.75, 0.25], [0.4, 0.6]])
    assert [text.get_text() for text in axis.texts] == ["0.75", "0.25", "0.40", "0.60"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    assert np.ptp(drawn(figure)) > 0.5
