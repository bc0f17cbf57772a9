from __future__ import annotations

import io
import sys

import pytest

from iamm.output import CONTROL, print_anything, printable, spreadsheet
from iamm.terminal import plain_console, print_table


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", rb"\u03b1 \u2014 \xe9 \udcff"),
        ("latin-1", b"\\u03b1 \\u2014 \xe9 \\udcff"),
        ("utf-8", "α — é".encode() + rb" \udcff"),
    ],
)
def test_what_an_encoding_lacks_is_written_in_ascii(monkeypatch, encoding, written):
    content = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(content, encoding=encoding))
    print_anything()
    print("α — é \udcff", end="", flush=True)
    assert content.getvalue() == written


def test_control_characters_are_written_as_escapes():
    assert printable("a\x1b[31mb\x9b\u202ec\td\n\x00") == r"a\x1b[31mb\x9b\u202ec" + "\td\n" + r"\x00"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1"])
def test_no_text_is_a_formula_of_a_spreadsheet(text):
    assert spreadsheet(text) == f"'{text}"


def test_other_cells_are_left_as_they_are():
    assert [spreadsheet(value) for value in ("a=1", "", -1.5, None, True)] == ["a=1", "", -1.5, None, True]


def test_a_console_prints_no_control_characters(capsys):
    console = plain_console()
    console.print("a\x1b]0;owned\x07b")
    print_table(console, "title\x1b[2J", ["x", "y"], [["\x9b31m", "1"]])
    assert not CONTROL.search(capsys.readouterr().out.replace("\n", ""))
