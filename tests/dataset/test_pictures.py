"""Pictures of every kind as pixels of one size, and what is refused by its name."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from iamm.dataset import pictures
from iamm.dataset.pictures import picture, read_pictures
from iamm.errors import BadDataError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IAMM_CACHE_DIR", str(tmp_path / "cache"))


def saved(folder, image, name="a.png", **more):
    image.save(folder / name, **more)
    return folder / name


def test_colours_come_first_and_stay(tmp_path):
    """Left half red, right half blue."""
    image = Image.new("RGB", (4, 4), (255, 0, 0))
    image.paste((0, 0, 255), (2, 0, 4, 4))
    found = picture(saved(tmp_path, image), 4, True)
    assert found[0].tolist() == [[255, 255, 0, 0]] * 4
    assert found[1].tolist() == [[0] * 4] * 4
    assert found[2].tolist() == [[0, 0, 255, 255]] * 4
    grey = picture(saved(tmp_path, image), 4, False)
    assert grey.tolist() == [[[76, 76, 29, 29]] * 4]  # 0.299 · 255, 0.114 · 255


def test_the_middle_square_is_taken(tmp_path):
    """Columns 0 to 5 of a 6 × 2 picture: the square is columns 2 and 3."""
    image = Image.fromarray(np.array([[0, 40, 80, 120, 160, 200]] * 2, np.uint8))
    assert picture(saved(tmp_path, image), 2, False).tolist() == [[[80, 120]] * 2]
    assert picture(saved(tmp_path, image), 1, False).tolist() == [[[100]]]  # antialiased


def test_exif_turns(tmp_path):
    """Orientation 6: the first row as stored is the right column as seen."""
    image = Image.fromarray(np.array([[10, 20], [30, 40]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    assert picture(saved(tmp_path, image, exif=exif), 2, False).tolist() == [[[30, 10], [40, 20]]]


def test_transparent_palette_and_deep_pictures(tmp_path):
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert picture(saved(tmp_path, clear), 2, True).tolist() == [[[255, 255]] * 2] * 3  # over white
    half = Image.new("LA", (2, 2), (0, 51))
    assert picture(saved(tmp_path, half), 2, False).tolist() == [[[204, 204]] * 2]  # 0.8 of white
    palette = Image.new("RGB", (2, 2), (0, 255, 0)).quantize(2)
    assert picture(saved(tmp_path, palette), 2, True).tolist() == [[[0, 0]] * 2, [[255, 255]] * 2, [[0, 0]] * 2]
    deep = Image.fromarray(np.full((2, 2), 0x7F12, np.uint16))
    assert picture(saved(tmp_path, deep), 2, False).tolist() == [[[0x7F, 0x7F]] * 2]


@pytest.mark.parametrize(("name", "more"), [("a.jpg", {"quality": 95}), ("a.webp", {"lossless": True})])
def test_other_formats(tmp_path, name, more):
    found = picture(saved(tmp_path, Image.new("RGB", (300, 200), (200, 100, 50)), name, **more), 8, True)
    assert np.abs(found.astype(int) - np.array([200, 100, 50])[:, None, None]).max() <= 2


def content(image, format="PNG", **more) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **more)
    return file.getvalue()


def noise(side=64):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header says so many pixels, all of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


FRAMES = [Image.new("RGB", (4, 4), (n, 0, 0)) for n in (0, 200)]
BAD = {
    "a PNG cut short": (content(noise())[:2000], "Found: "),
    "a JPEG cut short": (content(noise(), "JPEG")[:1500], "truncated"),
    "a WebP cut short": (content(noise(), "WEBP")[:500], "Found: "),
    "no picture": (b"GIF89a or a text", "cannot identify image file"),
    "nothing": (b"", "cannot identify image file"),
    "another format": (content(noise(), "BMP"), "cannot identify image file"),
    "an animated PNG": (content(FRAMES[0], save_all=True, append_images=FRAMES[1:]), "an animation of 2 frames"),
    "an animated WebP": (content(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]), "an animation of 2"),
    "a bomb": (bomb(10_000, 10_000), "100,000,000 pixels|100000000 pixels"),
    "a giant bomb": (bomb(2**30, 2**30), "pixels"),
}


@pytest.mark.parametrize(("bytes_", "said"), BAD.values(), ids=BAD)
def test_what_is_refused(tmp_path, bytes_, said):
    path = tmp_path / "a.png"
    path.write_bytes(bytes_)
    with pytest.raises(BadDataError, match=said) as error:
        read_pictures([path], "sum", 4, True)
    assert str(error.value).startswith(f"{path} must be a whole PNG, JPEG or WebP picture of one frame.")
    assert "\n" not in str(error.value)


def test_no_more_than_memory_holds(tmp_path, monkeypatch):
    monkeypatch.setattr("iamm.memory.available_memory", lambda: 1 << 20)
    with pytest.raises(BadDataError, match=r"Found 1,000 pictures of \(3, 64, 64\), which takes 35 MiB of 1 MiB: take"):
        read_pictures([tmp_path / "a.png"] * 1000, "sum", 64, True)


def test_pictures_are_decoded_once(tmp_path, monkeypatch):
    paths = [saved(tmp_path, Image.new("L", (4, 4), n), f"{n}.png") for n in (3, 5)]
    first = read_pictures(paths, "sum", 2, False)
    assert first.tolist() == [[[[3, 3]] * 2], [[[5, 5]] * 2]]
    monkeypatch.setattr(pictures, "decoded", None)
    assert np.array_equal(read_pictures(paths, "sum", 2, False), first)
    with pytest.raises(TypeError):
        read_pictures(paths, "another", 2, False)
