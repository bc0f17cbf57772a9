from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from matplotlib.image import imread

from iamm.record.figure import (
    confusion_figure,
    head_names,
    heads_figure,
    image,
    map_shape,
    places_figure,
    scene_heads_figure,
    scenes_figure,
    with_mean,
    words_figure,
)


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


def test_the_mean_stands_before_the_heads():
    weights = torch.tensor([[[0.25, 0.75]], [[0.75, 0.25]]])  # (H, Q, K)
    assert with_mean(weights, 0).tolist() == [[[0.5, 0.5]], *weights.tolist()]
    assert head_names(2) == ["mean", "head 1", "head 2"]
    assert with_mean(weights[:1], 0).tolist() == weights[:1].tolist()  # one head is its own mean
    assert head_names(1) == ["head 1"]


def test_each_head_has_a_row_below_the_pictures_on_one_scale():
    """Head 1 looks at the upper left place, head 2 at the lower right, three times as much."""
    weights = torch.zeros(2, 2, 1, 16)
    weights[:, 0, 0, 0] = 0.25
    weights[:, 1, 0, 15] = 0.75
    figure = places_figure(torch.full((2, 3, 16, 16), 0.5), weights, ["first", "second"], heads=True)
    rows = np.array(figure.axes[:8]).reshape(4, 2)
    assert [axis.texts[0].get_text() for axis in rows[1:, 0]] == ["mean", "head 1", "head 2"]
    over = [axis.images[-1] for axis in rows[1:, 1]]
    corners = [(part.get_array()[0, 0], part.get_array()[-1, -1]) for part in over]
    np.testing.assert_array_equal(corners, [(0.125, 0.375), (0.25, 0.0), (0.0, 0.75)])
    assert {part.get_clim() for part in over} == {(0.0, 0.75)}
    assert figure.axes[8].get_ylabel() == "attention weight"


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


def test_a_panel_for_the_mean_and_one_for_each_head_on_one_scale():
    weights = torch.tensor([[[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], [[0.0, 0.25, 0.75], [0.0, 1.0, 0.0]]])
    figure = heads_figure(weights, ["x", "y"], ["a", "b", "c"], "of one layer")
    mean, one, two, bar = figure.axes
    np.testing.assert_array_equal(mean.images[0].get_array(), [[0.25, 0.375, 0.375], [0.5, 0.5, 0.0]])
    np.testing.assert_array_equal(one.images[0].get_array(), weights[0].numpy())
    np.testing.assert_array_equal(two.images[0].get_array(), weights[1].numpy())
    for axis, title in ((mean, "mean"), (one, "head 1"), (two, "head 2")):
        assert axis.get_title() == title
        assert axis.images[0].get_clim() == (0.0, 1.0)
        assert [label.get_text() for label in axis.get_xticklabels()] == ["a", "b", "c"]
        assert [label.get_text() for label in axis.get_yticklabels()] == ["x", "y"]
    assert bar.get_ylabel() == "attention weight"
    assert figure.get_suptitle() == "of one layer"


def test_weights_below_zero_have_a_colour_of_their_own():
    """Those of a low-rank pattern may lie there."""
    assert heads_figure(torch.tensor([[[-0.5, 1.5]]]), ["x"], ["a", "b"]).axes[0].images[0].get_clim() == (-0.5, 1.5)
    assert words_figure(torch.zeros(1, 2), ["x"], ["a", "b"]).axes[0].images[0].get_clim() == (0.0, 1.0)


@pytest.mark.parametrize(("heads", "words"), [(1, 60), (4, 20), (8, 5), (1, 2)])
def test_labels_of_many_heads_and_words_do_not_overlap(heads, words):
    labels = [f"word{number}" for number in range(words)]
    figure = heads_figure(torch.full((heads, words, words), 0.5), labels, labels)
    figure.draw_without_rendering()
    for axis in figure.axes[:-1]:
        assert apart([label.get_window_extent() for label in axis.get_yticklabels()])
        assert apart([label.get_window_extent() for label in axis.get_xticklabels()])
    assert apart([axis.get_tightbbox() for axis in figure.axes])


def apart(boxes) -> bool:
    """No two share more than a pixel, which fonts take around a letter."""
    shrunk = [box.padded(-1) for box in boxes]
    return not any(one.overlaps(other) for place, one in enumerate(shrunk) for other in shrunk[:place])


def test_scenes_for_each_example_and_head():
    weights = {
        "a": torch.tensor([[[0.75, 0.25], [1.0, 0.0]], [[0.25, 0.75], [0.5, 0.5]]]),  # (N, H, S)
        "b": torch.tensor([[[0.0, 1.0], [0.125, 0.875]]]),
    }
    figure = scene_heads_figure(weights, ["a", "b"], [[0, 3], [3]])
    axes = np.array(figure.axes[:4]).reshape(2, 2)
    np.testing.assert_array_equal(axes[0, 0].images[0].get_array(), [[0.75, 0.25], [0.25, 0.75], [0.5, 0.5]])
    np.testing.assert_array_equal(axes[0, 1].images[0].get_array(), [[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]])
    np.testing.assert_array_equal(axes[1, 1].images[0].get_array(), [[0.125, 0.875]] * 2)
    assert [text.get_text() for text in axes[1, 0].texts] == ["0.00", "1.00"] * 2
    assert [axis.get_title() for axis in axes.ravel()] == ["head 1", "head 2"] * 2
    assert [label.get_text() for label in axes[0, 0].get_yticklabels()] == ["example 0", "example 3", "mean"]
    assert [label.get_text() for label in axes[1, 0].get_yticklabels()] == ["example 3", "mean"]
    assert [label.get_text() for label in axes[1, 1].get_xticklabels()] == ["a", "b"]
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["a attends", "b attends"]
    assert np.ptp(drawn(figure)) > 0.5


def test_scenes():
    figure = scenes_figure({"a": {"a": 0.75, "b": 0.25}, "b": {"a": 0.4, "b": 0.6}})
    axis = figure.axes[0]
    np.testing.assert_array_equal(axis.images[0].get_array(), [[0.75, 0.25], [0.4, 0.6]])
    assert [text.get_text() for text in axis.texts] == ["0.75", "0.25", "0.40", "0.60"]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["a", "b"]
    assert np.ptp(drawn(figure)) > 0.5


def test_a_confusion_of_many_classes_has_no_counts_in_its_cells():
    few, many = (confusion_figure(np.eye(n, dtype=int).tolist(), [f"c{i}" for i in range(n)]) for n in (25, 26))
    assert len(few.axes[0].texts) == 25 * 25
    assert len(many.axes[0].texts) == 0
    assert few.axes[1].get_ylabel() == "share of the class"
    assert drawn(many).shape[2] == 4
