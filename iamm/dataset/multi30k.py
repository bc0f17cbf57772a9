"""Multi30k: captions in four languages for translation."""

from __future__ import annotations

from typing import Annotated, ClassVar

from iamm.constraints import Count, Number, OneOf
from iamm.dataset.base import Dataset
from iamm.dataset.files import read_lines
from iamm.dataset.translation import Pairs, translation_scene
from iamm.errors import BadDataError

Language = Annotated[str, OneOf(("en", "de", "fr", "cs"))]
TestFile = Annotated[str, OneOf(("test_2016_flickr", "test_2017_flickr", "test_2017_mscoco"))]
FOLDER = "multi30k/task1/raw"


class Multi30kDataset(Dataset):
    """29,000 + 1,014 + 1,000 captions in two of four languages, from `data_dir/multi30k/task1/raw/`.

    Args:
        source, target: two of en, de, fr, cs.
        data_dir: the folder of all data sets.
        batch_size: pairs per step, at most.
        batch_tokens: target tokens per step, padding included; None = `batch_size` alone counts.
        lowercase: whether both sides are put into lower case.
        subwords: pieces of a vocabulary that both languages share; None = one vocabulary of words for each language,
            punctuation being a word.
        min_count: occurrences in train from which a word has an id; unused with subwords.
        max_length: of both sides of a training pair, in tokens; longer pairs are left out, but never from test.
        train: number of training pairs, from the first one on; None = all.
        test: the test file, such as test_2017_mscoco.

    Raises:
        ValueError: an unknown language, or a number out of its range.
        MissingDataError, BadDataError: a file is missing or wrong.

    Source: Elliott, Frank, Sima'an, Specia 2016; Elliott et al. 2017 (French); Barrault et al. 2018 (Czech).
    """

    provides = ({"name": "multi30k_{source}_{target}", "kind": "text", "task": "generation"},)
    different = (("source", "target"),)
    impossible: ClassVar = {
        "The test files of 2017 have no Czech": (
            {"source": ("cs",), "test": ("test_2017_flickr", "test_2017_mscoco")},
            {"target": ("cs",), "test": ("test_2017_flickr", "test_2017_mscoco")},
        )
    }

    def __init__(
        self,
        *,
        source: Language,
        target: Language,
        data_dir: str | None,
        batch_size: Count = 64,
        batch_tokens: Count | None = None,
        lowercase: bool = True,
        subwords: Annotated[int, Number(5, 1_000_000, whole=True)] | None = 6000,
        min_count: Count = 2,
        max_length: Count = 80,
        train: Annotated[int, Number(1, 29_000, whole=True)] | None = None,
        test: TestFile = "test_2016_flickr",
    ) -> None:
        name = f"multi30k_{source}_{target}"
        files = {"train": "train", "validation": "val", "test": test}
        texts = {split: read_pairs(data_dir, stem, source, target) for split, stem in files.items()}
        texts["train"] = Pairs(*(side[:train] for side in texts["train"]))
        scene, notices = translation_scene(
            name, texts, lowercase=lowercase, subwords=subwords, min_count=min_count, max_length=max_length
        )
        super().__init__(name, (scene,), batch_size, batch_tokens, tuple(notices))


def read_pairs(data_dir: str | None, stem: str, source: str, target: str) -> Pairs:
    """Read the aligned lines of two files."""
    names = [f"{FOLDER}/{stem}.{language}.gz" for language in (source, target)]
    pairs = Pairs(*(read_lines(data_dir, name) for name in names))
    counts = [len(side) for side in pairs]
    if counts[0] != counts[1]:
        raise BadDataError(
            f"{names[0]} and {names[1]} must have as many lines. Found {counts[0]:,} and {counts[1]:,}: "
            f"line {min(counts) + 1:,} has no partner."
        )
    return pairs
