"""A user's texts and their translations, in files of aligned lines."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Annotated, ClassVar, NamedTuple

from iamm.constraints import Count, Number, Seed
from iamm.dataset.base import Dataset, random_generator
from iamm.dataset.overlap import signs_of
from iamm.dataset.own import Part, require_room
from iamm.dataset.splitting import DRAWN, Unit, divided, require_each, sampled
from iamm.dataset.table_file import bad_row, text_lines
from iamm.dataset.translation import Pairs, translation_scene
from iamm.errors import BadDataError


class Pair(NamedTuple):
    """A text and its translation, in the split that their files give."""

    split: str
    source: str
    target: str


class ParallelTextDataset(Dataset):
    """Texts to translate, from a user's files: two with aligned lines, or one with a tab between text and translation.

    A line without a partner is refused; a pair with an empty side, or one that a split already has, is left out with a
    notice. No source sentence is in two splits that are drawn: letters and digits are compared, in lower case.

    Args:
        name: the name of the data set, and of its scene.
        source_path: the file of the texts, relative to the current folder; `.gz` and `.xz` are unpacked.
        target_path: the file of their translations; None = after a tab in the same lines, up to the next tab.
        seed: seed of the splits, and of the pairs that `limit` selects.
        validation_source_path, validation_target_path, test_source_path, test_target_path: the same for these splits;
            None = drawn.
        encoding: the encoding of the files.
        validation, test: shares of the pairs to draw for these splits.
        limit: number of pairs to draw from each file; None = all.
        clean: leave out of train the source sentences that also stand in validation or test, and out of validation
            those of test.
        batch_size: pairs per step, at most.
        batch_tokens: target tokens per step, padding included; None = `batch_size` alone counts.
        lowercase: whether both sides are put into lower case.
        subwords: pieces of a vocabulary that both sides share; None = one vocabulary of words for each side.
        min_count: occurrences in train from which a word has an id; unused with subwords.
        max_length: of both sides of a training pair, in tokens; longer pairs are left out, but never from test.

    Raises:
        ValueError: an invalid number or encoding.
        MissingDataError, BadDataError: no such file; lines without a partner; more data than memory holds.
    """

    provides = ({"name": "{name}", "kind": "text", "task": "generation"},)
    at_most: ClassVar = {("validation", "test"): 0.9}
    different = (("source_path", "target_path"),)

    def __init__(
        self,
        *,
        name: str,
        source_path: str,
        seed: Seed,
        target_path: str | None = None,
        validation_source_path: str | None = None,
        validation_target_path: str | None = None,
        test_source_path: str | None = None,
        test_target_path: str | None = None,
        encoding: str = "utf-8",
        validation: Part = 0.1,
        test: Part = 0.1,
        limit: Count | None = None,
        clean: bool = False,
        batch_size: Count = 64,
        batch_tokens: Count | None = None,
        lowercase: bool = True,
        subwords: Annotated[int, Number(5, 1_000_000, whole=True)] | None = 6000,
        min_count: Count = 2,
        max_length: Count = 80,
    ) -> None:
        files = {
            DRAWN: (source_path, target_path),
            "validation": (validation_source_path, validation_target_path),
            "test": (test_source_path, test_target_path),
        }
        for split, (source, target) in files.items():
            if target is not None and source is None:
                raise ValueError(
                    f"`{split}_target_path` goes with `{split}_source_path`. Found {target} alone: give both."
                )
        pairs: list[Pair] = []
        for split, (source, target) in files.items():
            if source is not None:
                if limit is None:
                    require_room(*(file for file in (source, target) if file is not None))
                split_pairs = read_pairs(split, source, target, encoding)
                pairs += sampled(split_pairs, limit, random_generator(seed, name, split, "limit"))
        pairs, notices = tidied(name, pairs)
        units = [
            Unit(pair.split, "", content, content)
            for pair in pairs
            for content in [signs_of(pair.source) or pair.source]
        ]
        generator = random_generator(seed, name)
        rows, repeats = divided(name, units, validation=validation, test=test, clean=clean, generator=generator)
        require_each(name, rows)
        texts = {
            split: Pairs([pairs[row].source for row in part], [pairs[row].target for row in part])
            for split, part in rows.items()
        }
        scene, scene_notices = translation_scene(
            name, texts, lowercase=lowercase, subwords=subwords, min_count=min_count, max_length=max_length
        )
        super().__init__(name, (scene,), batch_size, batch_tokens, (*notices, *repeats, *scene_notices))


def read_pairs(split: str, source: str, target: str | None, encoding: str) -> Iterator[Pair]:
    """Read the pairs of two files, or of one with tabs.

    Raises:
        MissingDataError, BadDataError: no such file, or a line without a partner.
    """
    sources = text_lines(source, encoding, newline="\n")
    if target is None:
        for number, line in enumerate(sources, start=1):
            text, *others = line.split("\t")
            if line.strip() and not others:
                raise bad_row(source, "have a tab between a text and its translation", repr(line[:20]), number)
            yield Pair(split, text.strip(), others[0].strip() if others else "")
        return
    targets = text_lines(target, encoding, newline="\n")
    for number, (text, translation) in enumerate(zip_longest(sources, targets), start=1):
        if text is None or translation is None:
            longer = number + sum(1 for _ in (sources if translation is None else targets))
            counts = (longer, number - 1) if translation is None else (number - 1, longer)
            raise BadDataError(
                f"{source} and {target} must have as many lines. Found {counts[0]:,} and {counts[1]:,}: line "
                f"{number:,} has no partner."
            )
        yield Pair(split, text.strip(), translation.strip())


def tidied(name: str, pairs: list[Pair]) -> tuple[list[Pair], list[str]]:
    """Select the pairs with two sides, each once per split; return them with notices.

    Raises:
        BadDataError: there is none.
    """
    filled = [pair for pair in pairs if pair.source and pair.target]
    different = list(dict.fromkeys(filled))
    if not different:
        raise BadDataError(f"{name} must have pairs of texts. Found none: give it some.")
    counts = {
        "have an empty side": len(pairs) - len(filled),
        "stand there a second time": len(filled) - len(different),
    }
    notices = [
        f"{name}: {count:,} of {len(pairs):,} pairs {what} and are left out." for what, count in counts.items() if count
    ]
    return different, notices
