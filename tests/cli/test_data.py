"""`iamm-data`, with small files in place of the published ones and no server."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import subprocess
import sys

import pytest

from iamm.cli import data
from iamm.dataset import fetch as module
from iamm.dataset import sources
from iamm.dataset.fetch import Source
from iamm.errors import UnreachableError


class Payload:
    """Unpickled, it makes a file `ran`."""

    def __reduce__(self):
        return os.system, ("touch ran",)


CONTENTS = {"mnist/a.gz": b"A" * 1000, "mnist/b.gz": b"B" * 2000, "ag_news_csv/c.gz": b"C" * 3000}
URL = "https://example.org/"


@pytest.fixture
def published(monkeypatch):
    """Names → contents of what `fetch` would find; without one, no answer."""
    found = dict(CONTENTS)
    all_files = [
        Source(name, URL + name, len(content), hashlib.sha256(content).hexdigest()) for name, content in found.items()
    ]
    few = {
        "mnist": sources.Published("free", tuple(all_files[:2])),
        "ag_news": sources.Published("for research", tuple(all_files[2:])),
    }
    monkeypatch.setattr(sources, "PUBLISHED", few)

    def download(source, part, file):
        if source.name not in found:
            raise UnreachableError(f"A server must answer. Found at {source.url}: silence.")
        file.write(gzip.compress(found[source.name]))
        file.flush()

    monkeypatch.setattr(module, "download", download)
    monkeypatch.delenv("IAMM_DATA_DIR", raising=False)
    return found


@pytest.fixture
def iamm_data(monkeypatch, capfd):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["iamm-data", *words])
        with pytest.raises(SystemExit) as left:
            data.main()
        return int(left.value.code or 0), *capfd.readouterr()

    return run


def test_what_is_missing_is_got_and_then_there(iamm_data, published, tmp_path):
    assert iamm_data() == (
        0,
        f"below {tmp_path / 'data'}:\n"
        "  mnist             0.0 MB  missing: mnist/a.gz and 1 more  (free)\n"
        "  ag_news           0.0 MB  missing: ag_news_csv/c.gz  (for research)\n",
        "",
    )
    assert iamm_data("mnist") == (0, "got    mnist/a.gz\ngot    mnist/b.gz\n", "")
    assert iamm_data("mnist") == (0, "there  mnist/a.gz\nthere  mnist/b.gz\n", "")
    for name in ("mnist/a.gz", "mnist/b.gz"):
        assert gzip.decompress((tmp_path / "data" / name).read_bytes()) == CONTENTS[name]
    assert "  mnist             0.0 MB  there  (free)\n" in iamm_data()[1]
    assert sorted(path.name for path in tmp_path.rglob("*.gz*")) == ["a.gz", "b.gz"]


def test_a_folder_of_ones_own(iamm_data, published, tmp_path, monkeypatch):
    assert iamm_data("data_dir=mine", "ag_news")[0] == 0
    assert (tmp_path / "mine" / "ag_news_csv" / "c.gz").exists()
    monkeypatch.setenv("IAMM_DATA_DIR", str(tmp_path / "other"))
    assert iamm_data("ag_news")[0] == 0
    assert (tmp_path / "other" / "ag_news_csv" / "c.gz").exists()


def test_what_is_not_as_published_is_told_and_left_alone(iamm_data, published, tmp_path):
    path = tmp_path / "data" / "mnist" / "b.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(b"my own"))
    before = path.read_bytes()
    assert "not as published: mnist/b.gz  (free)\n" not in iamm_data()[1]  # the first of two is named
    code, out, err = iamm_data("mnist")
    assert (code, out) == (65, "got    mnist/a.gz\n")
    assert err == (
        "iamm-data: A file must be as published, or not there. Found data/mnist/b.gz: move it away, then give the same "
        "command again.\n"
    )
    assert path.read_bytes() == before
    assert "  mnist             0.0 MB  not as published: mnist/b.gz  (free)\n" in iamm_data()[1]


def test_a_wrong_sum_is_65_and_nothing_stays(iamm_data, published, tmp_path):
    published["mnist/b.gz"] = b"X" * 2000
    code, out, err = iamm_data("mnist")
    assert (code, out) == (65, "got    mnist/a.gz\n")
    assert err.startswith(f"iamm-data: {URL}mnist/b.gz must be what was published. Found SHA-256 ")
    assert [path.name for path in tmp_path.rglob("b.gz*")] == []


def test_no_answer_is_68(iamm_data, published):
    published.clear()
    assert iamm_data("mnist") == (
        68,
        "",
        f"iamm-data: A server must answer. Found at {URL}mnist/a.gz: silence.\n",
    )


@pytest.mark.parametrize("word", ["mnits", "--mnist", "data_dir=", "digits"])
def test_other_words_are_refused(iamm_data, published, word):
    code, out, err = iamm_data(word)
    assert (code, out) == (2, "")
    assert err.startswith(f"iamm-data: A data set must be one with files. Found {word}. ")
    assert err.endswith("Choices: ag_news, mnist.\n")


@pytest.mark.parametrize(
    ("write", "code", "line"),
    [
        (lambda path: path.write_bytes(pickle.dumps(Payload())), 65, "must be a whole gzip file. Found at byte 1: "),
        (os.mkfifo, 65, "must be a file. Found a pipe or a device: get it again."),
        (lambda path: path.symlink_to("/dev/zero"), 65, "must be a file. Found a pipe or a device: get it again."),
        (lambda path: None, 66, "Looked in "),
    ],
)
def test_a_run_refuses_what_means_harm(command, tmp_path, write, code, line):
    (tmp_path / "mnist").mkdir()
    write(tmp_path / "mnist" / "train-images-idx3-ubyte.gz")
    answer = command("dataset=[mnist]", f"data_dir={tmp_path}", "dim=8")
    assert (answer.code, answer.err.count("\n")) == (code, 1)
    assert answer.err.startswith("iamm-train: ")
    assert f"mnist/train-images-idx3-ubyte.gz{' ' if code == 65 else '. '}{line}" in answer.err
    assert not (tmp_path / "ran").exists()


def test_translations_are_of_one_set_of_files():
    assert data.asked_for(["multi30k_de_en", "data_dir=/d"]) == (["multi30k"], "/d")


def test_help_and_list_need_no_torch(tmp_path):
    script = "import sys; from iamm.cli.data import *; {}; assert not {{'torch', 'numpy', 'hydra'}} & set(sys.modules)"
    for does in ("print(HELP)", "show('nowhere')"):
        call = [sys.executable, "-c", script.format(does)]
        done = subprocess.run(call, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "multi30k" in done.stdout
