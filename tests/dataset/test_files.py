from __future__ import annotations

import gzip

import pytest

from iamm.dataset.files import read_gzip
from iamm.errors import BadDataError, MissingDataError

CONTENT = b"one\ntwo\nthree\n" * 997


def test_whole_files_are_read(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(CONTENT) + gzip.compress(b"four"))
    assert read_gzip(str(tmp_path), "a.gz") == CONTENT + b"four"


@pytest.mark.parametrize("kept", [1, 5, 30, -1, -8])
def test_cut_files_are_refused(tmp_path, kept):
    (tmp_path / "a.gz").write_bytes(gzip.compress(CONTENT)[:kept])
    with pytest.raises(
        BadDataError, match=r"^a\.gz must be a whole gzip file. Found at byte [\d,]+, line [\d,]+: [^\n]+$"
    ):
        read_gzip(str(tmp_path), "a.gz")


@pytest.mark.parametrize("change", ["plain", "damaged", "checksum", "tail"])
def test_damaged_files_are_refused(tmp_path, change):
    packed = bytearray(gzip.compress(CONTENT))
    if change == "damaged":
        packed[20:30] = bytes(10)
    if change == "checksum":
        packed[-6] ^= 1
    if change == "tail":
        packed += b"more"
    (tmp_path / "a.gz").write_bytes(CONTENT if change == "plain" else packed)
    with pytest.raises(BadDataError, match=r"^a\.gz must be a whole gzip file"):
        read_gzip(str(tmp_path), "a.gz")


def test_a_cut_text_names_the_line_that_it_reached(tmp_path):
    lines = b"".join(b"%d\n" % (i * i * 7919) for i in range(5000))
    packed = gzip.compress(lines)
    (tmp_path / "a.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(BadDataError, match=r"line [1-4],\d{3}: "):
        read_gzip(str(tmp_path), "a.gz")


def test_missing_files_say_where_they_were_looked_for(tmp_path):
    with pytest.raises(MissingDataError) as error:
        read_gzip(str(tmp_path), "mnist/a.gz")
    assert str(error.value) == (
        f"This data set needs mnist/a.gz. Looked in {tmp_path} (No such file or directory): "
        "set data_dir=… or IAMM_DATA_DIR to the folder that holds it."
    )
    with pytest.raises(MissingDataError, match=r"needs a\.gz\. `data_dir` is not set: set data_dir=… or IAMM_DATA_DIR"):
        read_gzip(None, "a.gz")
