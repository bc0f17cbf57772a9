from __future__ import annotations

import io
import sys

import pytest

from iamm.output import print_anything


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
