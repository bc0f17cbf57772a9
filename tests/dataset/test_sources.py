from __future__ import annotations

import os
import re
from typing import get_args

import pytest

from iamm.dataset import ag_news, amazon_cdr, amazon_sequences, idx, multi30k
from iamm.dataset.fetch import state
from iamm.dataset.files import LARGEST
from iamm.dataset.sources import PUBLISHED

FILES = [source for _, files in PUBLISHED.values() for source in files]


def test_every_file_that_a_data_set_reads_is_known():
    names = {source.name for source in FILES}
    stems = [f"{stem}-{kind}-ubyte.gz" for stem in idx.FILES.values() for kind in ("images-idx3", "labels-idx1")]
    needed = {f"{folder}/{stem}" for folder in ("mnist", "fashion-mnist") for stem in stems} | {ag_news.FILE}
    for split in ("train", "val", "test_2016_flickr"):
        needed |= {f"{multi30k.FOLDER}/{split}.{language}.gz" for language in get_args(multi30k.Language)[1].choices}
    needed |= {amazon_sequences.file_of(scene) for scene in amazon_sequences.SCENES}
    needed |= {amazon_cdr.file_of(scene) for scene in amazon_cdr.SCENES}
    assert needed <= names
    assert len(names) == len(FILES) == 4 + 4 + 1 + 18 + 3 + 4


@pytest.mark.parametrize("source", FILES, ids=lambda source: source.name)
def test_addresses_are_safe_and_do_not_change(source):
    assert source.url.startswith("https://")
    assert "githubusercontent" not in source.url or re.search(r"/[0-9a-f]{40}/", source.url)
    assert source.url.rsplit("/", 1)[1].removesuffix(".gz") == source.name.rsplit("/", 1)[1].removesuffix(".gz")
    assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
    assert 1000 < source.size <= LARGEST
    assert ".." not in source.name


def test_sizes_are_those_of_the_format():
    sizes = {source.name: source.size for source in FILES}
    for folder in ("mnist", "fashion-mnist"):
        for stem, count in (("train", 60_000), ("t10k", 10_000)):
            assert sizes[f"{folder}/{stem}-images-idx3-ubyte.gz"] == 16 + count * 28 * 28
            assert sizes[f"{folder}/{stem}-labels-idx1-ubyte.gz"] == 8 + count


@pytest.mark.parametrize("name", PUBLISHED)
def test_real_files_are_as_published(name):
    data_dir = os.environ.get("IAMM_DATA_DIR")
    states = {source.name: state(data_dir or "", source) for source in PUBLISHED[name].files}
    if data_dir is None or "missing" in states.values():
        pytest.skip(f"needs the files of {name}")
    assert set(states.values()) == {"there"}
