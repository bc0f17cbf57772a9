from __future__ import annotations

import gzip
import lzma
import os
import socket
import zlib

import pytest

from iamm.dataset.files import LARGEST_TEXT, read_lines, read_packed
from iamm.errors import BadDataError, MissingDataError

CONTENT = b"one\ntwo\nthree\n" * 997


def refused(tmp_path, message, read=read_packed, **more):
    with pytest.raises(BadDataError, match=rf"^a\.gz must {message}$"):
        read(str(tmp_path), "a.gz", **more)


@pytest.mark.parametrize("level", [0, 1, 9])
def test_whole_files_are_read(tmp_path, level):
    (tmp_path / "a.gz").write_bytes(gzip.compress(CONTENT, level))
    assert read_packed(str(tmp_path), "a.gz") == CONTENT
    assert read_lines(str(tmp_path), "a.gz") == ["one", "two", "three"] * 997


def test_headers_may_name_the_file_that_was_packed(tmp_path):
    with gzip.GzipFile("was.txt", "wb", fileobj=(tmp_path / "a.gz").open("wb"), mtime=7) as file:
        file.write(CONTENT)
        below = file.fileobj
    below.close()
    assert b"was.txt" in (tmp_path / "a.gz").read_bytes()
    assert read_packed(str(tmp_path), "a.gz") == CONTENT


def test_windows_line_ends_are_line_ends(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress("one\r\nzwö\u2028\r\nlast".encode()))
    assert read_lines(str(tmp_path), "a.gz") == ["one", "zwö\u2028", "last"]


@pytest.mark.parametrize("kept", [0, 1, 5, 30, -1, -8])
def test_cut_files_are_refused(tmp_path, kept):
    (tmp_path / "a.gz").write_bytes(gzip.compress(CONTENT)[:kept])
    refused(tmp_path, r"be a whole gzip file. Found at byte [\d,]+: an early end\.")
    refused(
        tmp_path, r"be a whole gzip file. Found an early end in line [\d,]+, column \d+: get it again\.", read_lines
    )


def test_a_cut_text_names_the_place_that_it_reached(tmp_path):
    """Stored without compression, it is cut where we choose: in the middle of the ö, in column 3 of line 3."""
    packed = gzip.compress("eins\ndrei\nzwö".encode(), 0)
    (tmp_path / "a.gz").write_bytes(packed[: packed.index(b"\xc3") + 1])
    refused(tmp_path, r"be a whole .* Found an early end in line 3, column 4: get it again\.", read_lines)
    refused(tmp_path, r"be a whole .* Found at byte 14: an early end\.")


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda packed: CONTENT, "at byte 1: .*incorrect header check"),
        (lambda packed: b"PK\x03\x04" + bytes(50), "at byte 1: .*incorrect header check"),
        (lambda packed: packed[:2] + b"\x07" + packed[3:], "at byte 1: .*unknown compression method"),
        (lambda packed: packed[:20] + bytes(10) + packed[30:], r"at byte \d+: .*(invalid|incorrect) .*"),
        (lambda packed: packed[:-8] + bytes(4) + packed[-4:], "at byte 13,959: .*incorrect data check"),
        (lambda packed: packed[:-4] + bytes(4), "at byte 13,959: .*incorrect length check"),
        (lambda packed: packed + b"\0", "at byte 13,959: more behind its end"),
        (lambda packed: packed + gzip.compress(b"four"), "at byte 13,959: more behind its end"),
        (lambda packed: gzip.compress(b""), "at byte 1: nothing in it"),
        (lambda packed: zlib.compress(CONTENT), "at byte 1: .*incorrect header check"),
    ],
)
def test_damaged_files_are_refused(tmp_path, change, found):
    (tmp_path / "a.gz").write_bytes(change(gzip.compress(CONTENT)))
    refused(tmp_path, rf"be a whole gzip file. Found {found}\.")


def test_the_limit_is_exact(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(CONTENT))
    assert read_packed(str(tmp_path), "a.gz", limit=len(CONTENT)) == CONTENT
    found = r"Found at byte 13,959: more than 13,957 bytes, unpacked\."
    refused(tmp_path, rf"be a whole gzip file. {found}", limit=len(CONTENT) - 1)


def test_texts_have_a_limit_of_their_own(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"x" * (LARGEST_TEXT + 1)))
    refused(
        tmp_path, r".* more than 16,777,216 bytes, unpacked in line 1, column 16,777,218: get it again\.", read_lines
    )


def test_a_packed_file_is_no_larger_than_it_can_be(tmp_path):
    (tmp_path / "a.gz").write_bytes(b"\x1f\x8b\x08\x08" + bytes(6) + b"name" * 100)  # a name that does not end
    refused(tmp_path, r".* Found at byte 1: a file of more than 400 bytes\.", limit=200)


def test_what_is_no_file_is_refused(tmp_path):
    path = tmp_path / "a.gz"
    path.mkdir()
    refused(tmp_path, r"be a file. Found: Is a directory. Get it again\.")
    path.rmdir()
    os.mkfifo(path)
    refused(tmp_path, r"be a file. Found a pipe or a device: get it again\.")
    path.unlink()
    path.symlink_to("a.gz")
    refused(tmp_path, r"be a file. Found: Too many levels of symbolic links. Get it again\.")
    for device in ("/dev/zero", "/dev/null", "/dev/random"):
        path.unlink()
        path.symlink_to(device)
        refused(tmp_path, r"be a file. Found a pipe or a device: get it again\.")


def test_a_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("a.gz")
        refused(tmp_path, r"be a file. Found: No such device or address. Get it again\.")


def test_a_link_to_a_file_is_followed(tmp_path):
    (tmp_path / "b.gz").write_bytes(gzip.compress(CONTENT))
    (tmp_path / "a.gz").symlink_to("b.gz")
    assert read_packed(str(tmp_path), "a.gz") == CONTENT


def test_a_disk_that_cannot_read_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.gz").write_bytes(gzip.compress(CONTENT))
    below = os.open

    def writing_only(path, flags, *more, **named):  # such a file can be opened, and not be read
        return below(path, os.O_WRONLY, *more, **named)

    monkeypatch.setattr(os, "open", writing_only)
    refused(tmp_path, r"be a whole gzip file. Found at byte 1: .*Bad file descriptor\.")


def test_missing_files_say_where_they_were_looked_for(tmp_path):
    with pytest.raises(MissingDataError) as error:
        read_packed(str(tmp_path), "mnist/a.gz")
    assert str(error.value) == (
        f"This data set needs mnist/a.gz. Looked in {tmp_path} (No such file or directory): "
        "set data_dir=… or IAMM_DATA_DIR to the folder that holds it, or get it with iamm-data."
    )
    with pytest.raises(MissingDataError, match=r"needs a\.gz\. `data_dir` is not set: set data_dir=… or IAMM_DATA_DIR"):
        read_packed(None, "a.gz")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(MissingDataError, match=r"\(Not a directory\)"):
        read_packed(str(tmp_path / "file"), "a.gz")
    (tmp_path / "a.gz").symlink_to("nowhere")
    with pytest.raises(MissingDataError, match=r"\(No such file or directory\)"):
        read_packed(str(tmp_path), "a.gz")


def test_a_file_that_may_not_be_read_counts_as_missing(tmp_path, monkeypatch):
    """As in sysexits.h: 66 is a file that is not there or not readable. The superuser may read all, hence the patch."""

    def denied(path, flags, *more, **named):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(MissingDataError, match=r"Looked in .* \(Permission denied\): "):
        read_packed(str(tmp_path), "a.gz")


PACKED = lzma.compress(CONTENT)


@pytest.mark.parametrize("preset", [0, 6, 9])
def test_xz_files_are_read(tmp_path, preset):
    (tmp_path / "a.xz").write_bytes(lzma.compress(CONTENT, preset=preset))
    assert read_packed(str(tmp_path), "a.xz") == CONTENT
    assert read_lines(str(tmp_path), "a.xz") == ["one", "two", "three"] * 997


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (PACKED[:-1], "an early end"),
        (PACKED[:5], "an early end"),
        (PACKED + b"x", "more behind its end"),
        (PACKED + PACKED, "more behind its end"),
        (PACKED[:60] + b"\0\0\0\0" + PACKED[64:], "Corrupt input data"),
        (gzip.compress(CONTENT, mtime=0), "Input format not supported by decoder"),
        (lzma.compress(b""), "nothing in it"),
        (lzma.compress(bytes(14_001)), "more than 14,000 bytes, unpacked"),
        (bytes(28_001), "a file of more than 28,000 bytes"),
    ],
)
def test_xz_files_that_are_not_whole_are_refused(tmp_path, content, found):
    (tmp_path / "a.xz").write_bytes(content)
    with pytest.raises(BadDataError, match=rf"^a\.xz must be a whole xz file. Found at byte [\d,]+: {found}\.$"):
        read_packed(str(tmp_path), "a.xz", limit=14_000)


def test_an_xz_dictionary_of_gigabytes_is_refused(tmp_path):
    header = lzma.compress(b"a", preset=0)
    at = header.index(b"\x21\x01") + 2  # the size of the dictionary, in the block's header, which CRC-32 guards
    block = bytearray(header[12:at] + bytes((36,)) + header[at + 1 : 20])
    packed = header[:12] + bytes(block) + zlib.crc32(block).to_bytes(4, "little") + header[24:]
    (tmp_path / "a.xz").write_bytes(packed)
    with pytest.raises(BadDataError, match="Memory usage limit"):
        read_packed(str(tmp_path), "a.xz")
