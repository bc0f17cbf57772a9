from __future__ import annotations

import numpy as np
import pytest

from iamm.dataset.shapes_picture import GREY, PALETTE, coloured, occluded, pictures, rendered
from iamm.dataset.shapes_world import COLOURS, SHAPES, Worlds, worlds

RED, BLUE = 1, 3


class Still:
    """Random numbers in the middle of their range: nothing trembles."""

    def random(self, shape):
        return np.full(shape, 0.5)


def world(large: tuple[str, str, int], small: tuple[str, str, int]) -> Worlds:
    shape = np.array([[SHAPES.index(large[0]), SHAPES.index(small[0])]])
    return Worlds(
        shape, np.array([[COLOURS.index(large[1]), COLOURS.index(small[1])]]), np.array([[large[2], small[2]]])
    )


def test_worked_circle_and_cross():
    canvas = rendered(world(("circle", "red", 0), ("cross", "blue", 4)), Still())[0]
    # A disc of radius 5 around (5.5, 5.5): row 5 from x = 0.5 to 10.5, row 0 at x = 5.5 alone.
    assert np.flatnonzero(canvas[5] == RED).tolist() == list(range(11))
    assert np.flatnonzero(canvas[0] == RED).tolist() == [5]
    # A cross of radius 3 around (16, 16): two bars of 6 × 2 pixels, 4 of them in both.
    assert np.flatnonzero(canvas[15] == BLUE).tolist() == [13, 14, 15, 16, 17, 18]
    assert np.flatnonzero(canvas[13] == BLUE).tolist() == [15, 16]
    assert (canvas == BLUE).sum() == 20
    assert canvas[31, 31] == 0


def test_worked_square_and_triangle():
    canvas = rendered(world(("square", "red", 8), ("triangle", "blue", 4)), Still())[0]
    # A square of half side 4.25 around (26.5, 26.5): 9 × 9 pixels.
    assert np.argwhere(canvas == RED).min(axis=0).tolist() == [22, 22]
    assert np.argwhere(canvas == RED).max(axis=0).tolist() == [30, 30]
    assert (canvas == RED).sum() == 81
    # A triangle of radius 3 around (16, 16): at y = −2.5 … 2.5 its half width is (y + 3) / 2 = 0.25 … 2.75, and pixels
    # have their centres at x = ±0.5, ±1.5, ±2.5.
    assert [(canvas[row] == BLUE).sum() for row in range(12, 20)] == [0, 0, 2, 2, 4, 4, 6, 0]


def test_pixels_equal_a_naive_loop():
    number = np.random.default_rng(3).integers(0, 41_472, 13)
    some = worlds(number)
    found = rendered(some, np.random.default_rng(5))
    jitter = 2 * np.random.default_rng(5).random((13, 2, 3)) - 1
    for n in range(13):
        expected = np.zeros((32, 32), dtype=int)
        for thing, radius in enumerate((5.0, 3.0)):
            place, (dx, dy, dr) = some.place[n, thing], jitter[n, thing]
            centre = (5.5 + 10.5 * (place % 3) + 0.75 * dx, 5.5 + 10.5 * (place // 3) + 0.75 * dy)
            for row in range(32):
                for column in range(32):
                    x = (column + 0.5 - centre[0]) / (radius * (1 + 0.08 * dr))
                    y = (row + 0.5 - centre[1]) / (radius * (1 + 0.08 * dr))
                    if covers(SHAPES[some.shape[n, thing]], x, y):
                        expected[row, column] = 1 + some.colour[n, thing]
        assert (found[n] != expected).sum() <= 1  # float32 may round one pixel on an edge


def covers(shape: str, x: float, y: float) -> bool:
    if shape == "circle":
        return (x * x + y * y) ** 0.5 <= 1
    if shape == "square":
        return -0.85 <= x <= 0.85 and -0.85 <= y <= 0.85
    if shape == "triangle":
        return y <= 0.85 and -(y + 1) / 2 <= x <= (y + 1) / 2
    return (abs(x) <= 0.34 and abs(y) <= 1) or (abs(y) <= 0.34 and abs(x) <= 1)


def test_no_two_objects_overlap_and_none_leaves_its_place():
    every = worlds(np.arange(0, 41_472, 101))
    canvas = rendered(every, np.random.default_rng(1))
    for thing, other in ((0, 1), (1, 0)):
        row, column = np.divmod(every.place[:, thing], 3)
        for n in np.flatnonzero(every.colour[:, thing] != every.colour[:, other]):
            y, x = np.nonzero(canvas[n] == 1 + every.colour[n, thing])
            assert len(x) >= 9
            assert (np.floor(np.clip((x - 0.25) / 10.5, 0, 2.9)) == column[n]).mean() > 0.8
            assert (np.floor(np.clip((y - 0.25) / 10.5, 0, 2.9)) == row[n]).mean() > 0.8


def test_colours_without_noise_are_the_palette():
    canvas = np.arange(8, dtype=np.uint8).repeat(128).reshape(1, 32, 32)
    picture = coloured(canvas, 0.0, np.random.default_rng(0))
    assert picture.shape == (1, 3, 32, 32)
    assert picture[0, :, 4, 0].tolist() == [230, 40, 40]
    for n in range(8):
        assert picture[0, :, 4 * n, 7].tolist() == PALETTE[n].tolist()


@pytest.mark.parametrize("noise", [0.05, 0.1])
def test_noise_is_measured_in_the_full_range(noise):
    grey = np.full((11, 32, 32), GREY, dtype=np.uint8)
    picture = coloured(grey, noise, np.random.default_rng(0)).astype(float)
    assert abs(picture.mean() - 128) < 0.5
    assert abs(picture.std() / 255 - noise) < 0.02 * noise


def test_occlusion_is_a_square_on_the_right_share_of_pictures():
    canvas = np.zeros((2_000, 32, 32), dtype=np.uint8)
    hidden = occluded(canvas, 0.3, 7, np.random.default_rng(0)) == GREY
    covered = hidden.any(axis=(1, 2))
    assert abs(covered.mean() - 0.3) < 0.03
    assert (hidden.sum(axis=(1, 2))[covered] == 49).all()
    assert (hidden.any(axis=1).sum(axis=1)[covered] == 7).all()
    assert hidden[:, 0].any()
    assert hidden[:, -1].any()
    assert (occluded(canvas, 1.0, 32, np.random.default_rng(0)) == GREY).all()
    assert (occluded(canvas, 0.0, 7, np.random.default_rng(0)) == 0).all()


def test_pictures_of_one_world_are_not_alike():
    same = worlds(np.full(37, 12_345))
    seen = pictures(same, np.zeros(37), 1, "train", 0.3, 0.5, 16)
    assert len({picture.tobytes() for picture in seen}) == 37
