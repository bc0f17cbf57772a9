"""Files that mean harm: nothing runs, hangs or fills the memory; each is refused in a line."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import signal
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from iamm.dataset.ag_news import AgNewsDataset
from iamm.dataset.mnist import MnistDataset
from iamm.dataset.multi30k import Multi30kDataset
from iamm.errors import BadDataError, MissingDataError

PICTURES, LABELS = "mnist/train-images-idx3-ubyte.gz", "mnist/t10k-labels-idx1-ubyte.gz"
ENGLISH, NEWS = "multi30k/task1/raw/train.en.gz", "ag_news_csv/test.csv.gz"
SECONDS, BYTES = 20, 200_000_000


class Payload:
    """Unpickled, it makes a file `ran`."""

    def __reduce__(self):
        return os.system, ("touch ran",)


def pickled(protocol: int = 4) -> bytes:
    return pickle.dumps(Payload(), protocol)


def array_of_objects() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Payload()]), allow_pickle=True)
    return file.getvalue()


def zipped(content: bytes, name: str = "../ran") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        link = tarfile.TarInfo("../../ran")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return file.getvalue()


def bomb(block: bytes, before: bytes = b"", times: int = 300) -> bytes:
    """300 times a block of 1 MB."""
    packer = zlib.compressobj(1, wbits=31)
    block = block * (1_000_000 // len(block))
    return b"".join((packer.compress(before), *(packer.compress(block) for _ in range(times)), packer.flush()))


def header(*sizes: int) -> bytes:
    return bytes((0, 0, 8, len(sizes))) + b"".join(size.to_bytes(4, "big") for size in sizes)


def rows(*more: str) -> bytes:
    lines = [f'"{n % 4 + 1}","news {n}","Number {n} is told."' for n in range(1700)]
    return "\n".join([*lines, *more]).encode()


FILES = {  # what it is → where, its bytes
    "a pickle": (PICTURES, pickled()),
    "a packed pickle": (PICTURES, gzip.compress(pickled())),
    "a pickle for labels": (LABELS, gzip.compress(pickled(2))),
    "a pickle in ASCII as text": (ENGLISH, gzip.compress(pickled(0))),
    "a pickle as a table": (NEWS, gzip.compress(pickled(0))),
    "an array of objects": (PICTURES, gzip.compress(array_of_objects())),
    "an archive that leads outside": (PICTURES, zipped(b"x")),
    "a tar of links": (ENGLISH, tarred()),
    "a zip bomb": (LABELS, zipped(bytes(50_000_000))),
    "a bomb of zeros": (LABELS, bomb(b"\0")),
    "a bomb of pictures": (PICTURES, bomb(b"\0", before=header(300_000, 10, 100))),
    "a bomb of one line": (ENGLISH, bomb(b"a")),
    "a bomb of empty lines": (ENGLISH, bomb(b"\n")),
    "a bomb of short lines": (ENGLISH, bomb(b"ab\n", times=16)),
    "a bomb of rows": (NEWS, bomb(b'"1","a","b"\n')),
    "a bomb in a bomb": (PICTURES, gzip.compress(bomb(b"\0"))),
    "a giant header": (PICTURES, gzip.compress(header(*[2**32 - 1] * 3) + bytes(99))),
    "a header that overflows": (PICTURES, gzip.compress(header(2**16, 2**16, 2**16))),
    "a header of nothing": (PICTURES, gzip.compress(header(0, 2**32 - 1, 2**32 - 1))),
    "a name without end": (PICTURES, b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * 60_000_000),
    "nothing, many times": (PICTURES, gzip.compress(b"") * 1_000_000),
    "formulas": (NEWS, gzip.compress(rows('=HYPERLINK("http://x","y"),"+1+cmd|\' /C calc\'!A0",@SUM(1)'))),
    "a command as a class": (NEWS, gzip.compress(rows('"__import__(\'os\').system(\'touch ran\')","a","b"'))),
    "signs for the terminal": (NEWS, gzip.compress(rows('"1","a","\x1b]0;owned\x07\x1b[2J"'))),
    "a class of signs": (NEWS, gzip.compress(rows('"\u202e\u2028","a","b"'))),
    "a field of megabytes": (NEWS, gzip.compress(rows(f'"1","a","{"x" * 10_000_000}"'))),
    "quotes of megabytes": (NEWS, gzip.compress(rows('"' * 10_000_001))),
    "zero bytes": (ENGLISH, gzip.compress(b"A man\0 runs.\n")),
}
PLACES = {
    "a link to endless zeros": lambda path: path.symlink_to("/dev/zero"),
    "a link to endless noise": lambda path: path.symlink_to("/dev/urandom"),
    "a link to the terminal": lambda path: path.symlink_to("/dev/tty"),
    "a link to its own memory": lambda path: path.symlink_to("/proc/self/mem"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a hole of a terabyte": lambda path: (path.touch(), os.truncate(path, 1 << 40)),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Small sound files in every place."""
    monkeypatch.chdir(tmp_path)
    for name, count in (("train", 11), ("t10k", 5)):
        put(tmp_path / f"mnist/{name}-images-idx3-ubyte.gz", gzip.compress(header(count, 3, 2) + bytes(count * 6)))
        put(tmp_path / f"mnist/{name}-labels-idx1-ubyte.gz", gzip.compress(header(count) + bytes(count)))
    for split in ("train", "val", "test_2016_flickr"):
        for language in ("de", "en"):
            put(tmp_path / f"multi30k/task1/raw/{split}.{language}.gz", gzip.compress(f"{split} {language}\n".encode()))
    put(tmp_path / NEWS, gzip.compress(rows()))
    return tmp_path


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def load(name: str, folder: Path) -> object:
    if name == NEWS:
        return AgNewsDataset(data_dir=str(folder), subwords=None)
    if name == ENGLISH:
        return Multi30kDataset(source="de", target="en", data_dir=str(folder), subwords=None, min_count=1)
    return MnistDataset(data_dir=str(folder), seed=1, validation=4)


def refusal(name: str, folder: Path) -> str:
    """The line, within the time and the memory."""
    below = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    tracemalloc.start()
    try:
        with pytest.raises((BadDataError, MissingDataError)) as error:
            load(name, folder)
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, below)
    assert error.value.exit_code in (65, 66)
    assert not list(folder.parent.rglob("ran"))
    return str(error.value)


def stop(number, frame):
    raise AssertionError(f"not refused after {SECONDS} s")


@pytest.mark.parametrize("name", [PICTURES, ENGLISH, NEWS])
def test_the_others_are_sound(name, folder):
    assert load(name, folder).size("train") > 0


@pytest.mark.parametrize("what", FILES)
def test_hostile_files_are_refused(what, folder):
    name, content = FILES[what]
    put(folder / name, content)
    line = refusal(name, folder)
    assert f"{name} must " in line
    assert line.isprintable()
    assert len(line) < 300


@pytest.mark.parametrize("name", [PICTURES, ENGLISH])
@pytest.mark.parametrize("what", PLACES)
def test_hostile_places_are_refused(what, name, folder):
    (folder / name).unlink()
    PLACES[what](folder / name)
    line = refusal(name, folder)
    assert name in line
    assert line.isprintable()
