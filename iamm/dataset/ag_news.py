"""News stories of four topics."""

from __future__ import annotations

import hashlib
import html
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import torch

from iamm.constraints import Count, Number
from iamm.dataset.base import Dataset, Scene, Split
from iamm.dataset.fields import CLASS, TOKENS
from iamm.dataset.files import bad_text, read_lines
from iamm.dataset.text_format import TextFormat
from iamm.dataset.vocabulary import SubwordVocabulary, Vocabulary, WordVocabulary, padded
from iamm.errors import BadDataError

FILE = "ag_news_csv/test.csv.gz"
CLASSES = ("World", "Sports", "Business", "Sci/Tech")
FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)')
"""A field, quoted or plain, up to a comma or the end of the line."""
HELD_OUT = 200
"""Stories of each class in validation, and in test."""


class Story(NamedTuple):
    """One row of the file; the label counts from 0."""

    label: int
    title: str
    description: str


class AgNewsDataset(Dataset):
    """6,000 + 800 + 800 news stories, 4 topics in equal parts, from `data_dir/ag_news_csv/test.csv.gz`.

    The file is the published test split, 7,600 stories; this data set splits them again, so its results cannot be
    compared with those of papers, which train on 120,000 other stories. The split depends on the texts only, not on the
    seed. Stories whose descriptions have the same words are in one split.

    A text is "title. description", without remains of HTML. The vocabulary is learnt on the training texts.

    Args:
        data_dir: the folder of all data sets.
        batch_size: stories a step.
        lowercase: whether texts are converted to lower case.
        subwords: pieces of the vocabulary; None = words, punctuation being a word.
        min_count: occurrences in train from which a word has its own id; unused with subwords.
        max_length: of a text, in tokens; longer ones are cut, in every split.
        train: number of the 6,000 to train on, from the first one; None = all.

    Raises:
        ValueError: a number out of its range.
        MissingDataError, BadDataError: a file is missing or wrong.

    Source: Zhang, Zhao, LeCun 2015; the stories were gathered by A. Gulli.
    """

    provides = ({"name": "ag_news", "kind": "text", "task": "classification"},)

    def __init__(
        self,
        *,
        data_dir: str | None,
        batch_size: Count = 64,
        lowercase: bool = True,
        subwords: Annotated[int, Number(5, 1_000_000, whole=True)] | None = 4000,
        min_count: Count = 2,
        max_length: Count = 80,
        train: Annotated[int, Number(1, 6_000, whole=True)] | None = None,
    ) -> None:
        stories = read_stories(data_dir)
        rows = split_rows(stories)
        rows["train"] = rows["train"][:train]
        text_format = TextFormat(lowercase, "apart" if subwords is None else "spaces", max_length)
        texts = [text_format.tidied(text_of(story)) for story in stories]
        vocabulary = learnt([texts[row] for row in rows["train"]], subwords, min_count)
        ids = vocabulary.encode_all(texts)
        labels = torch.tensor([story.label for story in stories])
        splits = {split: encoded(ids, labels, chosen, max_length) for split, chosen in rows.items()}
        arguments = ("ag_news", "text", "classification", splits, {"text": TOKENS}, CLASS, CLASSES, vocabulary)
        scene = Scene(*arguments, text_format=text_format)
        used = [ids[row] for chosen in rows.values() for row in chosen]
        super().__init__("ag_news", (scene,), batch_size, notices=cut_notices(used, max_length))


def read_stories(data_dir: str | None) -> list[Story]:
    """The rows of the file, a line each: class from 1 to 4, title and description, comma-separated."""
    lines = read_lines(data_dir, FILE)
    stories = [story_of(line, number) for number, line in enumerate(lines, start=1)]
    if len(stories) <= (least := 2 * HELD_OUT * len(CLASSES)):
        raise BadDataError(f"{FILE} must have more than {least:,} stories. Found {len(stories):,}: get it again.")
    if missing := set(range(len(CLASSES))) - {story.label for story in stories}:
        raise BadDataError(f"{FILE} must have stories of each class. Found none of {min(missing) + 1}: get it again.")
    return stories


def story_of(line: str, number: int) -> Story:
    """Parse and check one row."""
    rule = "have a class from 1 to 4, a title and a description in each row"
    fields = fields_of(line, number)
    if len(fields) != 3:
        column = fields[3][0] if len(fields) > 3 else len(line) + 1
        raise bad_text(FILE, rule, f"{len(fields)} fields", number, column)
    (column, label), *texts = fields
    if label not in ("1", "2", "3", "4"):
        raise bad_text(FILE, rule, f"class {label[:20]!r}", number, column)
    for column, text in texts:
        if not text.strip():
            raise bad_text(FILE, rule, "an empty text", number, column)
    return Story(int(label) - 1, *(text for _, text in texts))


def fields_of(line: str, number: int) -> list[tuple[int, str]]:
    """The fields with their first columns; a quote inside a quoted field is doubled."""
    fields, start = [], 0
    while match := FIELD.match(line, start):
        quoted, plain = match.groups()
        fields.append((start + 1, plain if quoted is None else quoted.replace('""', '"')))
        if match.end() == len(line):
            return fields
        start = match.end() + 1
    raise bad_text(FILE, "be comma-separated, texts in quotes", f"{line[start:][:20]!r}", number, start + 1)


def split_rows(stories: Sequence[Story], held_out: int = HELD_OUT) -> dict[str, list[int]]:
    """Rows of each split, in an order that SHA-256 of the texts draws: of each class the first `held_out` for test, as
    many for validation, the rest for training. Stories of one description stay together."""
    groups = defaultdict(list)
    for row, story in enumerate(stories):
        groups[words_of(story.description)].append(row)
    rows: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
    room = Counter({(split, label): held_out for split in ("test", "validation") for label in range(len(CLASSES))})
    for words in sorted(groups, key=lambda words: hashlib.sha256(words.encode()).digest()):
        group, label = groups[words], stories[groups[words][0]].label
        split = next((split for split in ("test", "validation") if room[split, label] >= len(group)), "train")
        room[split, label] -= len(group)
        rows[split] += group
    return rows


def words_of(text: str) -> str:
    """The words of a text in lower case, by which two descriptions are compared."""
    return " ".join(re.findall(r"\w+", text.lower()))


def text_of(story: Story) -> str:
    """Title and description as one text."""
    return without_html(f"{story.title}. {story.description}")


def without_html(text: str) -> str:
    """Replace entities by characters (most lack their &: ` #39;s` for `'s`), and tags and backslashes by spaces.

    A word that ends with the name of an entity (`result;`) is not replaced.
    """
    text = html.unescape(re.sub(r"[ &]?(#\d{2,3}|(?<!\w)(?:amp|quot|lt|gt|hellip));", r"&\1;", text))
    return re.sub(r"<[^<>]*>|\\", " ", text)


def learnt(texts: Sequence[str], subwords: int | None, min_count: int) -> Vocabulary:
    if subwords is None:
        return WordVocabulary.learn(texts, min_count=min_count)
    return SubwordVocabulary.learn(texts, size=subwords)


def encoded(ids: Sequence[Sequence[int]], labels: torch.Tensor, rows: Sequence[int], max_length: int) -> Split:
    inputs = padded(ids[row][:max_length] for row in rows)  # (N, T)
    return Split({"text": inputs}, labels[list(rows)], torch.ones(len(rows), dtype=torch.bool))


def cut_notices(ids: Sequence[Sequence[int]], max_length: int) -> tuple[str, ...]:
    """A notice on the number of texts that are cut."""
    count = sum(len(row) > max_length for row in ids)
    return (f"ag_news: {count:,} of {len(ids):,} texts are cut to their first {max_length} tokens.",) if count else ()
