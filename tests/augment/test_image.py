from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from iamm.augment.image import BACKGROUND, ImageAugment, cropped, noisy, rectangles, span, turned

NOTHING = {"crop": 0, "flip": 0.0, "rotate": 0.0, "scale": 0.0, "erase": 0.0}
BATCH, CHANNELS, HEIGHT, WIDTH = 5, 3, 11, 13
SEED, EPOCH = 17, 2


def pictures(dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(BATCH, CHANNELS, HEIGHT, WIDTH, dtype=dtype, generator=torch.Generator().manual_seed(1))


def rows() -> Tensor:
    return torch.tensor([2, 3, 5, 7, 10_007])


def counted(height: int, width: int) -> Tensor:
    return torch.arange(height * width, dtype=torch.float64).view(1, 1, height, width)


def test_quarter_turn_is_counter_clockwise() -> None:
    picture = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]], dtype=torch.float64).view(1, 1, 3, 3)
    expected = torch.tensor([[2.0, 5.0, 8.0], [1.0, 4.0, 7.0], [0.0, 3.0, 6.0]], dtype=torch.float64)
    found = turned(picture, np.array([math.pi / 2]), np.array([1.0]))
    torch.testing.assert_close(found[0, 0], expected)


def test_half_turn_of_an_oblong() -> None:
    picture = counted(HEIGHT, WIDTH)
    torch.testing.assert_close(turned(picture, np.array([math.pi]), np.array([1.0])), picture.flip(-1, -2))


def test_quarter_turn_of_an_oblong_keeps_pixels_square() -> None:
    """The 3 × 3 pixels about the centre turn into each other, whatever the picture's outline."""
    found = turned(counted(HEIGHT, WIDTH), np.array([math.pi / 2]), np.array([1.0]))
    middle = (..., slice(4, 7), slice(5, 8))
    torch.testing.assert_close(found[middle], counted(HEIGHT, WIDTH)[middle].rot90(1, (2, 3)))


def test_twice_the_size_by_hand() -> None:
    """The row 0 1 2 3 4 read at centre ± ½ and ± 1: positions 1, 1½, 2, 2½, 3."""
    row = torch.tensor([0.0, 10.0, 20.0, 30.0, 40.0], dtype=torch.float64).expand(1, 1, 5, 5)
    found = turned(row, np.array([0.0]), np.array([2.0]))
    torch.testing.assert_close(found[0, 0, 2], torch.tensor([10.0, 15.0, 20.0, 25.0, 30.0], dtype=torch.float64))


def test_crop_by_hand() -> None:
    """Margin 1, three places: the draw 0 reads one pixel above, the draw 0.99 one below."""
    picture = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(2, 1, 2, 2)
    found = cropped(picture, 1, np.array([[0.0, 0.99], [0.5, 0.99]]))
    torch.testing.assert_close(found[0, 0], torch.tensor([[0.0, 0.0], [1.0, 2.0]]))
    torch.testing.assert_close(found[1, 0], torch.tensor([[4.0, 0.0], [0.0, 0.0]]))


def test_a_crop_reflects_by_hand() -> None:
    """In a margin of 2 the row 1 2 3 is 3 2 1 2 3 2 1; one of 4 goes on: 1 2 3 2 1 2 3 2 1 2 3."""
    row = torch.tensor([[1.0, 2.0, 3.0]]).expand(3, 1, 1, 3)
    found = cropped(row, 2, np.array([[0.0, 0.0, 0.0], [0.0, 0.4, 0.99]]), "reflect")
    assert found[:, 0, 0].tolist() == [[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]
    assert cropped(row[:1], 4, np.zeros((2, 1)), "reflect")[0, 0, 0].tolist() == [1.0, 2.0, 3.0]


def test_span_by_hand() -> None:
    """0.25 of 8 places are 2, which may start at 0 … 6: the draw 0.5 starts at ⌊0.5 · 7⌋ = 3. One place at least."""
    found = span(8, np.array([0.25, 0.25, 0.01]), np.array([0.5, 0.999, 0.0]))
    assert found.astype(int).tolist() == [[0, 0, 0, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1, 1], [1, 0, 0, 0, 0, 0, 0, 0]]


def test_rectangle_by_hand() -> None:
    """Draws 0, ½: area 2 %, as broad as high: √0.02 = 0.141 of 20 and of 30 places, rounded 3 and 4."""
    found = rectangles(torch.empty(1, 1, 20, 30), np.array([[0.0], [0.5], [0.0], [0.999]]))[0]
    assert np.argwhere(found.any(axis=1)).ravel().tolist() == [0, 1, 2]
    assert np.argwhere(found.any(axis=0)).ravel().tolist() == [26, 27, 28, 29]


def test_rectangles_cover_2_to_20_percent() -> None:
    area = rectangles(torch.empty(1, 1, 211, 223), np.random.default_rng(1).random((4, 499))).mean(axis=(1, 2))
    assert 0.018 < area.min() < 0.025
    assert 0.19 < area.max() < 0.202
    assert abs(area.mean() - 0.11) < 0.01


def test_noise_only_at_marked_places() -> None:
    where = np.zeros((BATCH, HEIGHT, WIDTH), bool)
    where[1, 2:4, 3:9] = True
    inside = torch.from_numpy(where)[:, None].expand(-1, CHANNELS, -1, -1)
    found = noisy(pictures(), where, np.arange(BATCH, dtype=np.uint64), first_draw=10)
    torch.testing.assert_close(found[~inside], pictures()[~inside], rtol=0, atol=0)
    assert found[inside].unique().numel() == 2 * 6 * CHANNELS
    assert 0.0 <= found[inside].min() < 0.2 < 0.8 < found[inside].max() < 1.0


def naive_bilinear(picture: Tensor, channel: int, y: float, x: float) -> float:
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < HEIGHT and 0 <= column < WIDTH:
                share = (1 - abs(y - row)) * (1 - abs(x - column))
                total += share * float(picture[channel, row, column])
    return total


def naive_turned(picture: Tensor, degrees: float, size: float) -> Tensor:
    result, angle = torch.zeros_like(picture), math.radians(degrees)
    for c, i, j in np.ndindex(*picture.shape):
        down, across = (i - (HEIGHT - 1) / 2) / size, (j - (WIDTH - 1) / 2) / size
        x = math.cos(angle) * across - math.sin(angle) * down + (WIDTH - 1) / 2
        y = math.sin(angle) * across + math.cos(angle) * down + (HEIGHT - 1) / 2
        result[c, i, j] = naive_bilinear(picture, c, y, x)
    return result


def naive_ground(u, c: int, i: int, j: int) -> float:
    """The colour at a pixel, by the draws: contrast, a colour a channel, 4 × 4 numbers a channel, row by row."""
    contrast, colour = u(BACKGROUND + 1), u(BACKGROUND + 2 + c)
    y, x = i * 3 / (HEIGHT - 1), j * 3 / (WIDTH - 1)
    total = 0.0
    for row, column in np.ndindex(4, 4):
        share = max(0.0, 1 - abs(y - row)) * max(0.0, 1 - abs(x - column))
        total += share * u(BACKGROUND + 2 + CHANNELS + (c * 4 + row) * 4 + column)
    return min(1.0, max(0.0, colour + contrast * (total - 0.5)))


def naive_augment(
    picture: Tensor, u, *, crop: int, flip: float, rotate: float, scale: float, erase: float, background: float = 0.0
) -> Tensor:
    """One picture, pixel by pixel; u(k) is its k-th random number."""
    picture = naive_turned(picture, rotate * (2 * u(0) - 1), 1 + scale * (2 * u(1) - 1))
    top, left = int(u(2) * (2 * crop + 1)) - crop, int(u(3) * (2 * crop + 1)) - crop
    result = torch.zeros_like(picture)
    for c, i, j in np.ndindex(*picture.shape):
        column = WIDTH - 1 - j if u(4) < flip else j
        if 0 <= i + top < HEIGHT and 0 <= column + left < WIDTH:
            result[c, i, j] = picture[c, i + top, column + left]
    if u(BACKGROUND) < background:
        for c, i, j in np.ndindex(*picture.shape):
            result[c, i, j] = abs(result[c, i, j] - naive_ground(u, c, i, j))
    if u(5) < erase:
        area, aspect = 0.02 + 0.18 * u(6), 3.3 ** (2 * u(7) - 1)
        high = max(1, round(HEIGHT * math.sqrt(area * aspect)))
        broad = max(1, round(WIDTH * math.sqrt(area / aspect)))
        above, before = int(u(8) * (HEIGHT - high + 1)), int(u(9) * (WIDTH - broad + 1))
        for c, i, j in np.ndindex(CHANNELS, high, broad):
            place = (above + i) * WIDTH + before + j
            result[c, above + i, before + j] = u(10 + place * CHANNELS + c)
    return result


@pytest.mark.parametrize(
    "strengths",
    [
        {"crop": 3},
        {"flip": 0.5},
        {"rotate": 40.0},
        {"scale": 0.3},
        {"erase": 0.6},
        {"background": 0.6},
        {"crop": 2, "flip": 0.5, "rotate": 15.0, "scale": 0.2, "erase": 0.7, "background": 0.5},
    ],
)
def test_equals_the_loop_over_pixels(strengths: dict, naive_draw) -> None:
    strengths = NOTHING | strengths
    found = ImageAugment(**strengths)(pictures(), rows(), seed=SEED, epoch=EPOCH)
    for picture, row, result in zip(pictures(), rows().tolist(), found, strict=True):

        def u(draw: int, row: int = row) -> float:
            return naive_draw(SEED, "image", EPOCH, row, draw)

        torch.testing.assert_close(result, naive_augment(picture, u, **strengths))


def test_always_flipped() -> None:
    found = ImageAugment(**NOTHING | {"flip": 1.0})(pictures(), rows(), seed=SEED, epoch=EPOCH)
    torch.testing.assert_close(found, pictures().flip(-1), rtol=0, atol=0)


@pytest.mark.parametrize(("name", "share"), [("flip", 0.3), ("erase", 0.4), ("background", 0.6)])
def test_probabilities(name: str, share: float) -> None:
    count = 5003
    found = ImageAugment(**NOTHING | {name: share})(
        counted(3, 5).float().expand(count, 1, 3, 5) / 15, torch.arange(count), seed=SEED, epoch=EPOCH
    )
    changed = (found != counted(3, 5).float() / 15).flatten(1).any(dim=1).double().mean()
    assert abs(float(changed) - share) < 4.5 * math.sqrt(share * (1 - share) / count)


def test_stays_between_0_and_1() -> None:
    found = ImageAugment(crop=3, flip=0.5, rotate=180.0, scale=0.9, erase=0.5, background=0.9)(
        pictures(torch.float32), rows(), seed=SEED, epoch=EPOCH
    )
    assert found.dtype == torch.float32
    assert 0.0 <= float(found.min()) <= float(found.max()) <= 1.0


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("crop", -1, "`crop` must be a whole number at least 0"),
        ("crop", 1.5, "`crop` must be a whole number at least 0"),
        ("flip", 1.1, "`flip` must be a number at least 0 and at most 1, or one of alternate"),
        ("erase", -0.1, "`erase` must be a number at least 0 and at most 1"),
        ("erase", math.nan, "`erase` must be a number at least 0 and at most 1"),
        ("background", 1.1, "`background` must be a number at least 0 and at most 1"),
        ("rotate", 181.0, "`rotate` must be a number at least 0 and at most 180"),
        ("scale", 1.0, "`scale` must be a number at least 0 and below 1"),
        ("scale", -0.1, "`scale` must be a number at least 0 and below 1"),
    ],
)
def test_refuses(name: str, value: float, rule: str) -> None:
    with pytest.raises(ValueError, match=rule) as error:
        ImageAugment(**{name: value})
    assert f"Found {value}." in str(error.value)
    assert "\n" not in str(error.value)


def test_alternating_flips_mirror_the_other_half_in_every_other_epoch(naive_draw) -> None:
    augment = ImageAugment(**NOTHING | {"flip": "alternate"})
    first = [naive_draw(SEED, "image", 0, row, 4) < 0.5 for row in rows().tolist()]
    assert len(set(first)) == 2
    for epoch in range(5):
        chosen = torch.tensor([flip != bool(epoch % 2) for flip in first])
        expected = torch.where(chosen[:, None, None, None], pictures().flip(-1), pictures())
        torch.testing.assert_close(augment(pictures(), rows(), seed=SEED, epoch=epoch), expected, rtol=0, atol=0)
