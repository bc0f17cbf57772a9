"""Rows of one's own files: formats, encodings, and what is refused with its line."""

from __future__ import annotations

import gzip
import lzma
import os

import pytest

from iamm.dataset.cache import checksum
from iamm.dataset.files import recorded_files
from iamm.dataset.table_file import LONGEST, read_rows, value_of
from iamm.errors import BadDataError, MissingDataError


def rows(path, *, format=None, delimiter=None, encoding="utf-8"):
    found = read_rows(str(path), format=format, delimiter=delimiter, encoding=encoding)
    return [(line, dict(values)) for line, values in found]


def written(folder, name: str, content: bytes | str):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


CSV = 'id,body\r\n1,"a ""fine"" book,\r\nread twice"\r\n\r\n2,ça va\r\n'
CASES = {
    "CSV": (
        "a.csv",
        CSV,
        [(2, {"id": "1", "body": 'a "fine" book,\r\nread twice'}), (5, {"id": "2", "body": "ça va"})],
    ),
    "a byte order mark": ("a.csv", b"\xef\xbb\xbfid,body\n1,x\n", [(2, {"id": "1", "body": "x"})]),
    "TSV": ("a.tsv", 'id\tbody\r\n1\t"no quotes\r\n\n', [(2, {"id": "1", "body": '"no quotes'})]),
    "JSON lines": (
        "a.jsonl",
        '{"id": 1, "body": "a\\nb", "sure": true, "x": null}\n\n{"id": 2.5, "body": ""}\n',
        [(1, {"id": "1", "body": "a\nb", "sure": "true", "x": ""}), (3, {"id": "2.5", "body": ""})],
    ),
    "labelled lines": (
        "a.txt",
        "good\tvery\tgood\r\n\nbad\t__label__\n",
        [(1, {"label": "good", "text": "very\tgood"}), (3, {"label": "bad", "text": "__label__"})],
    ),
    "fastText": ("a.txt", "__label__so-so a text\n", [(1, {"label": "so-so", "text": "a text"})]),
    "an empty file": ("a.csv", "", []),
}


@pytest.mark.parametrize(("name", "content", "found"), CASES.values(), ids=CASES)
def test_formats(tmp_path, name, content, found):
    assert rows(written(tmp_path, name, content)) == found


def test_another_delimiter_and_encoding(tmp_path):
    path = written(tmp_path, "a.csv", "id;texte\n1;déçu, très\n".encode("cp1252"))
    assert rows(path, encoding="cp1252") == [(2, {"id": "1", "texte": "déçu, très"})]  # as the first line has them
    with pytest.raises(BadDataError, match=r"1 fields in each row.*Found 2 in line 2"):
        rows(path, delimiter=",", encoding="cp1252")
    with pytest.raises(ValueError, match="`delimiter` must be one sign"):
        rows(path, delimiter="||", encoding="cp1252")
    path = written(tmp_path, "a.csv", "id~texte\n1~a;b\n")
    assert rows(path, delimiter="~") == [(2, {"id": "1", "texte": "a;b"})]
    path = written(tmp_path, "b.txt", "a\tdéçu\n".encode("utf-16"))
    assert rows(path, encoding="utf-16") == [(1, {"label": "a", "text": "déçu"})]


@pytest.mark.parametrize(("name", "pack"), [("a.csv.gz", gzip.compress), ("a.csv.xz", lzma.compress)])
def test_packed_files(tmp_path, name, pack):
    assert rows(written(tmp_path, name, pack(CSV.encode()))) == CASES["CSV"][2]
    with pytest.raises(BadDataError, match="must be a whole"):
        rows(written(tmp_path, name, pack(CSV.encode())[:-3]))


BAD = {
    "another encoding": ("a.csv", b"id\nfine\nd\xe9\xe7u\n", r"utf-8\. Found byte 0xE9 in line 3: save it as UTF-8"),
    "UTF-16": ("a.csv", "id\n1\n".encode("utf-16"), "Found byte 0xFF in line 1"),
    "a zero byte": ("a.csv", b"id\nx\n\0\n", r"control characters\. Found U\+0000 in line 3"),
    "signs for the terminal": ("a.txt", b"a\tb\na\t\x1b[2J\n", r"U\+001B in line 2"),
    "a row too long": (
        "a.csv",
        'id,body\n1,"x\ny"\n2,a,b\n',
        r"2 fields in each row.*\(id, body\)\. Found 3 in line 4",
    ),
    "a row too short": ("a.tsv", "id\tbody\n1\n", "Found 1 in line 2"),
    "a quote left open": ("a.csv", 'id\n1\n"x\ny\n', "Found unexpected end of data in line 3"),
    "a quote inside": ("a.csv", 'id\n"x"y\n', "in line 2"),
    "a column twice": ("a.csv", "id,id\n1,2\n", "Found id twice in line 1"),
    "no object": ("a.jsonl", '{"a": 1}\n[1]\n', r"object of JSON.*Found '\[1\]\\n' in line 2"),
    "an object in an object": ("a.jsonl", '{"a": {"b": 1}}\n', "plain values"),
    "half a sign": ("a.jsonl", '{"a": "\\ud83d"}\n', "in line 1"),
    "brackets without end": ("a.jsonl", "[" * 100_000, "in line 1"),
    "no tab": ("a.txt", "good\ttext\nbad text\n", "a label and a tab before each text. Found 'bad text"),
    "no mark": ("a.txt", "__label__a text\nb text\n", "in line 2"),
    "a line without end": ("a.txt", b"a\t" + b"x" * (LONGEST + 9), f"at most {LONGEST:,} characters in a line"),
}


@pytest.mark.parametrize(("name", "content", "said"), BAD.values(), ids=BAD)
def test_what_is_refused(tmp_path, name, content, said):
    with pytest.raises(BadDataError, match=said) as error:
        rows(written(tmp_path, name, content))
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file_and_no_encoding(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        MissingDataError, match=r"Found no a\.csv in .* \(No such file or directory\): write it as seen"
    ):
        rows("a.csv")
    (tmp_path / "b").mkdir()
    with pytest.raises(BadDataError, match="b must be a file"):
        rows("b")
    for encoding in ("nonsense", "zip"):
        with pytest.raises(ValueError, match="`encoding` must be one that Python knows"):
            rows(written(tmp_path, "c.csv", "id\n"), encoding=encoding)


def test_a_column_that_is_not_there(tmp_path):
    (row,) = read_rows(str(written(tmp_path, "a.csv", "id,body\n1,x\n")), format=None, delimiter=",", encoding="utf-8")
    assert value_of("a.csv", row, "text", "body") == "x"
    said = (
        r"a\.csv must have the column that `text` names\. Found no bodie in line 2\. Did you mean \"body\"\? Choices:"
    )
    with pytest.raises(BadDataError, match=said):
        value_of("a.csv", row, "text", "bodie")


@pytest.mark.parametrize(("name", "pack"), [("a.csv", bytes), ("a.csv.gz", gzip.compress)])
def test_the_checksum_of_a_read_file_is_recorded(tmp_path, name, pack):
    path = written(tmp_path, name, pack(CSV.encode()))
    with recorded_files() as files:
        rows(path)
    assert files == {str(path): checksum(None, str(path))}
    before = checksum(None, str(path))
    written(tmp_path, name, pack(CSV.encode() + b"3,more\n"))
    assert checksum(None, str(path)) != before


PLACES = {
    "a pipe": os.mkfifo,
    "a link to endless zeros": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_what_is_no_file(tmp_path, place):
    place(tmp_path / "a.csv")
    with pytest.raises(BadDataError, match=r"a\.csv must be a file\. Found"):
        rows(tmp_path / "a.csv")
