from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from iamm.errors import BadDataError, FullDiskError, OutputError
from iamm.files import check_length, flush, plain, read_file, shortened, writable, write_bytes, write_text


def test_written_whole(tmp_path):
    write_text(tmp_path / "a.txt", "é\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xa9\n"
    write_bytes(tmp_path / "a.txt", b"new", previous=tmp_path / "b.txt")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.txt": b"new", "b.txt": b"\xc3\xa9\n"}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room(tmp_path, number):
    said = r"needed 2.500 MB, \d+\.\d{3} MB are free\. Make room"
    with pytest.raises(FullDiskError, match=said) as caught, writable(tmp_path / "last.pt", 2_500_000):
        raise OSError(number, "as the system says")
    assert caught.value.exit_code == 74
    assert "last.pt: as the system says" in str(caught.value)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG])
def test_not_to_be_written(tmp_path, number):
    said = r"must be writable\. Found .*: why\. Set output_dir"
    with pytest.raises(OutputError, match=said) as caught, writable(tmp_path):
        raise OSError(number, "why")
    assert caught.value.exit_code == 73


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY])
def test_a_disk_that_fails(tmp_path, monkeypatch, number):
    """Nothing is said of room, of which there may be plenty; what was there still is."""
    write_text(tmp_path / "a.txt", "old")

    def failing(*_):
        raise OSError(number, "as the system says")

    monkeypatch.setattr(Path, "replace", failing)
    said = r"^A run folder must lie on a disk that answers\. Found .*a\.txt: as the system says\. Look at the disk"
    with pytest.raises(FullDiskError, match=said) as caught:
        write_text(tmp_path / "a.txt", "new")
    assert caught.value.exit_code == 74
    assert "free" not in str(caught.value)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_that_cannot_flush(tmp_path, monkeypatch, number):
    def unable(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", unable)
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_a_flush_that_fails_is_heard(tmp_path, monkeypatch):
    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output"):
        flush(tmp_path)


def test_a_long_name_is_cut():
    assert shortened("é" * 127) == "é" * 127
    found = shortened("é" * 128)
    assert found == "é" * 123 + "-" + found[-8:]
    assert len(found.encode()) == 255
    assert shortened("é" * 128 + "a") != found


def test_a_path_that_is_too_long(tmp_path):
    check_length(tmp_path / ("é" * 127))
    check_length(Path("/".join(["a" * 190] * 20)))
    for path in (tmp_path / ("é" * 128), Path("/".join(["a" * 200] * 20))):
        with pytest.raises(
            OutputError, match=r"path must have at most 3,825 bytes, .* at most 255\. Found .* Set output_dir"
        ):
            check_length(path)


def test_other_errors_are_defects(tmp_path):
    with pytest.raises(ConnectionError), writable(tmp_path):
        raise ConnectionError(errno.ECONNRESET, "not a file's")


@pytest.fixture(params=["link", "pipe", "device", "folder", "second name"])
def no_plain_file(request, tmp_path):
    """A path that is none, and a file of somebody's beside it."""
    other, path = tmp_path / "other", tmp_path / "path"
    other.write_text("another's")
    if request.param == "device":
        try:
            os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero, which never ends
        except OSError as error:
            pytest.skip(f"a device cannot be made here: {error}")
    else:
        {"link": path.symlink_to, "second name": path.hardlink_to}.get(request.param, lambda _: None)(other)
        {"pipe": os.mkfifo, "folder": os.mkdir}.get(request.param, lambda _: None)(path)
    return path, request.param


def test_what_is_no_plain_file_is_refused(no_plain_file, tmp_path):
    """At once, and nothing is written elsewhere."""
    path, kind = no_plain_file
    if kind != "second name":  # which may be read
        with pytest.raises(BadDataError, match=r"must be plain and readable\. Found .*path: .* Put it right"):
            read_file(path)
    for mode in ("a", "r+", "w"):
        with pytest.raises(OutputError, match="must be writable"), writable(path), open(path, mode, opener=plain):
            pass
    assert (tmp_path / "other").read_text() == "another's"


def test_a_file_is_replaced_and_no_link_followed(tmp_path):
    (tmp_path / "other").write_text("another's")
    (tmp_path / "path").symlink_to(tmp_path / "other")
    write_text(tmp_path / "path", "ours")
    assert [(tmp_path / name).read_text() for name in ("path", "other")] == ["ours", "another's"]
