"""Posts of twenty newsgroups."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, NamedTuple

from iamm.constrained import Constrained
from iamm.constraints import Count, ListOf, OneOf, Seed
from iamm.dataset.base import Dataset, random_generator
from iamm.dataset.files import NO_TEXT, bad_text, read_lines
from iamm.dataset.idx import hold_out
from iamm.dataset.labelled_text import Labelled, text_datasets
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import UNKNOWN_SURFACE

GROUPS = (
    *("alt.atheism", "comp.graphics", "comp.os.ms-windows.misc", "comp.sys.ibm.pc.hardware", "comp.sys.mac.hardware"),
    *("comp.windows.x", "misc.forsale", "rec.autos", "rec.motorcycles", "rec.sport.baseball", "rec.sport.hockey"),
    *("sci.crypt", "sci.electronics", "sci.med", "sci.space", "soc.religion.christian", "talk.politics.guns"),
    *("talk.politics.mideast", "talk.politics.misc", "talk.religion.misc"),
)
ALL = "all"
SCENES = ("comp", "rec", "sci", "talk", "all")
Scenes = Annotated[Sequence[str], ListOf(OneOf(SCENES), different=True)]
LARGEST, LONGEST = 1 << 25, 500_000
"""Bytes of a file and characters of a line: the published ones have 23 MB and fewer than 200,000."""
NO_LINE = re.compile("[\x00-\x1f]")
"""Characters that no line has, since JSON escapes them."""
QUOTE = re.compile(r"^[ \t]*(?:\w{0,4}[>|}]|:[ \t]).*$", re.MULTILINE)
"""A quoted line, which starts with >, |> or initials."""
QUOTED = re.compile(
    r"^(?:In (?:a previous )?article\b.*|.*\b(?:writes|wrote|says|asks)[ \t]*(?::|\.\.\.)[ \t]*)$", re.MULTILINE
)
"""The line that introduces a quote."""
RULE = re.compile(r"^[ \t]*[-=_*#~]{2,}[ \t]*$", re.MULTILINE)
"""A line of symbols; the last one, with a few lines after it, begins a signature."""
SIGNATURE = 10
"""Largest number of lines of a signature."""
FORMAT = TextFormat(lowercase=True, words="apart")


class PostParts(NamedTuple):
    """The parts of a post that are read besides its body."""

    headers: bool
    quotes: bool
    footers: bool


class NewsgroupsDataset(list[Dataset], Constrained):
    """11,314 + 7,532 posts of 20 newsgroups, split by date, from `data_dir/20news-bydate/`.

    `comp` (5 groups), `rec`, `sci` and `talk` (4 each) are scenes with a task each, the group of a post, and data sets
    of their own; `all` is one scene of all 20 groups, and stands alone. One vocabulary is learnt on all training texts.

    Headers, quotes and signatures are left out: they name people, machines and threads, which tell the group without
    the topic, and do so no longer in a later month. A post of nothing else reads as one unknown word, so that the test
    split has its published size.

    Args:
        data_dir: the folder of all data sets.
        seed: draws the validation posts.
        batch_size: posts a step, of each scene.
        scenes: some of comp, rec, sci and talk, or all.
        headers: whether the lines above a post are read.
        quotes: whether lines of other posts are read.
        footers: whether signatures are read.
        validation: how many training posts of each scene are held out.
        min_count: occurrences in train from which a word has its own id.
        max_length: of a post, in words and signs; a longer one is cut behind them, in every split.
        train: how many posts of each scene to train on; None = all the others.

    Raises:
        ValueError: an unknown scene, or `all` beside others; a number out of its range.
        MissingDataError, BadDataError: a file is missing or wrong.

    Source: Lang 1995, in the edition `bydate` of J. Rennie.
    """

    provides = ({"name": "newsgroups_{scene}", "kind": "text", "task": "classification"},)

    def __init__(
        self,
        *,
        data_dir: str | None,
        seed: Seed,
        batch_size: Count = 64,
        scenes: Scenes = SCENES[:-1],
        headers: bool = False,
        quotes: bool = False,
        footers: bool = False,
        validation: Count = 200,
        min_count: Count = 2,
        max_length: Count = 256,
        train: Count | None = None,
    ) -> None:
        if ALL in scenes and len(scenes) > 1:
            raise ValueError(f"`scenes` must be all, or some without it. Found {', '.join(scenes)}: leave all out.")
        groups = {scene: tuple(group for group in GROUPS if scene in (ALL, group.split(".")[0])) for scene in scenes}
        parts_read = PostParts(headers, quotes, footers)
        files = {split: read_posts(data_dir, split) for split in ("train", "test")}
        posts = {}
        for scene, names in groups.items():
            rows = {split: labelled(lines, names, parts_read) for split, lines in files.items()}
            generator = random_generator(seed, "newsgroups", scene, "validation")
            held_out, training = hold_out(len(rows["train"]), generator, validation, train)
            parts = {"train": [rows["train"][row] for row in training]}
            posts[scene] = {**parts, "validation": [rows["train"][row] for row in held_out], "test": rows["test"]}
        built = partial(text_datasets, min_count=min_count, batch_size=batch_size)
        super().__init__(built("newsgroups", posts, groups, (), replace(FORMAT, max_length=max_length)))


class Post(NamedTuple):
    """One row of a file."""

    group: str
    text: str


def read_posts(data_dir: str | None, split: str) -> list[Post]:
    """The rows of a file, each an object of JSON with a group and a text."""
    name = f"20news-bydate/20news-bydate-{split}.jsonl.xz"
    lines = read_lines(data_dir, name, LARGEST, LONGEST, NO_LINE)
    return [post_of(name, line, number) for number, line in enumerate(lines, start=1)]


def post_of(name: str, line: str, number: int) -> Post:
    rule = "have a JSON object with `group` and `text` in each line"
    try:
        row = json.loads(line)
        post = Post(row["group"], row["text"])
        post.text.encode()
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise bad_text(name, rule, repr(line[:20]), number, 1) from error
    if post.group not in GROUPS:
        raise bad_text(name, "name one of the 20 groups in each line", repr(str(post.group)[:20]), number, 1)
    return post


def labelled(posts: Sequence[Post], groups: tuple[str, ...], parts_read: PostParts) -> list[Labelled]:
    """The posts of some groups: the words of their chosen parts, and the number of the group."""
    return [Labelled(groups.index(group), words_of(text, parts_read)) for group, text in posts if group in groups]


def words_of(text: str, parts_read: PostParts) -> str:
    head, _, body = text.partition("\n\n")
    if not parts_read.footers:
        body = without_signature(body)
    if not parts_read.quotes:
        body = QUOTED.sub("", QUOTE.sub("", body))
    text = f"{head}\n{body}" if parts_read.headers else body
    return FORMAT.tidied(NO_TEXT.sub(" ", text)) or UNKNOWN_SURFACE


def without_signature(body: str) -> str:
    """The post without its signature, which follows the last line of symbols."""
    body = body.rstrip().removesuffix("--").rstrip("-=_*#~ \n\t")
    rules = list(RULE.finditer(body))
    return body[: rules[-1].start()] if rules and body.count("\n", rules[-1].end()) <= SIGNATURE else body
