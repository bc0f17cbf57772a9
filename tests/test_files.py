from __future__ import annotations

import errno

import pytest

from iamm.errors import FullDiskError, OutputError
from iamm.files import sweep_leftovers, writable, write_bytes, write_text


def test_written_whole(tmp_path):
    write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"
    write_bytes(tmp_path / "a.txt", b"new", previous=tmp_path / "b.txt")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.txt": b"new", "b.txt": b"\xc3\xa9\n"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_no_room(tmp_path, number):
    said = r"needed 2.500 MB, \d+\.\d{3} MB are free\. Make room"
    with pytest.raises(FullDiskError, match=said) as caught, writable(tmp_path / "last.pt", 2_500_000):
        raise OSError(number, "as the system says")
    assert caught.value.exit_code == 74
    assert "last.pt: as the system says" in str(caught.value)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR])
def test_not_to_be_written(tmp_path, number):
    said = r"must be writable\. Found .*: why\. Set output_dir"
    with pytest.raises(OutputError, match=said) as caught, writable(tmp_path):
        raise OSError(number, "why")
    assert caught.value.exit_code == 73


def test_other_errors_are_defects(tmp_path):
    with pytest.raises(ConnectionError), writable(tmp_path):
        raise ConnectionError(errno.ECONNRESET, "not a file's")


def test_leftovers(tmp_path):
    for name in ("last.pt.tmp", "pictures/attention.json.tmp", "kept.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("half")
    sweep_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["kept.txt", "pictures"]
