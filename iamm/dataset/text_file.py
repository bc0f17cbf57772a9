"""A user's file of texts with labels or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Annotated, ClassVar, NamedTuple

from iamm.constrained import Constrained
from iamm.constraints import Count, Number, Seed
from iamm.dataset.base import Dataset, random_generator
from iamm.dataset.labelled_text import Labelled, text_datasets
from iamm.dataset.overlap import signs_of
from iamm.dataset.own import Part, Reading, Words, chosen_scenes, own_examples, require_different, require_number
from iamm.dataset.splitting import DRAWN, Unit, divided, require_each, split_named
from iamm.dataset.table_file import Format, Row, value_of
from iamm.dataset.text_format import TextFormat
from iamm.errors import BadDataError
from iamm.names import in_order, scene_name

MOST_LABELS = 10_000
"""The largest number of labels in a scene; with more, the column is not one of classes."""


class Entry(NamedTuple):
    """The contents of a row of the file; the label of a regression is its number as it is written."""

    text: str
    label: str
    scene: str
    unit: Unit


class TextFileDataset(list[Dataset], Constrained):
    """Texts with a label or a number each, from a user's file; each scene is a separate data set.

    CSV and TSV begin with the names of their columns, each line of JSON is an object; `label<TAB>text` and fastText's
    `__label__x text` have none. A row without a text or a label is left out, with a notice. Labels stay names.
    All scenes share one vocabulary, learnt on their training texts.

    Args:
        name: the name of the data set, and of its scene; several scenes are called `<name>_<scene>`.
        path: path of the file, relative to the current folder; `.gz` and `.xz` are unpacked.
        seed: seed of the splits, and of the rows that `limit` selects.
        validation_path, test_path: files of the same format for these splits; None = drawn from `path`.
        format: the format of the files; None = by their names.
        delimiter: between the fields of a CSV; None = comma, semicolon, tab or bar, whichever its first line has most.
        encoding: the encoding of the files.
        text, label: the columns that hold them.
        number: the column of a number to predict in place of the label; None = a classification.
        scene: the column whose values are scenes; None = one scene.
        scenes: some of these values, in the order of the run; None = all, in alphabetical order.
        split: the column that names a row's split; None = drawn.
        group: a column; no value of it is in two splits that are drawn. None = no text is.
        validation, test: shares of the rows to draw for these splits, of each label alike.
        limit: number of rows to draw from each file; None = all.
        clean: leave out of train what also stands in validation or test, and out of validation what stands in test:
            letters and digits are compared, in lower case, over all scenes.
        batch_size: texts per step, of each scene.
        lowercase: whether texts are put into lower case.
        subwords: pieces of the vocabulary; None = words, punctuation being a word.
        min_count: occurrences in train from which a word has an id; unused with subwords.
        max_length: length in words or pieces at which longer texts are cut, in every split.
        known: scenes whose training texts the vocabulary is learnt from; None = all. A run with a `target` sets it.

    Raises:
        ValueError: an invalid number, format or encoding; a scene that the file lacks.
        MissingDataError, BadDataError: no such file; a malformed line; more data than memory holds.
    """

    joins = True
    """Whether scenes that share get one vocabulary, and one list of labels, over all data sets of this class."""
    provides = ({"name": "{name}", "kind": "text", "task": "classification"},)
    task_by: ClassVar = {"number": "regression"}
    at_most: ClassVar = {("validation", "test"): 0.9}
    different = (("path", "validation_path"), ("path", "test_path"), ("validation_path", "test_path"))

    def __init__(
        self,
        *,
        name: str,
        path: str,
        seed: Seed,
        validation_path: str | None = None,
        test_path: str | None = None,
        format: Format | None = None,
        delimiter: str | None = None,
        encoding: str = "utf-8",
        text: str = "text",
        label: str = "label",
        number: str | None = None,
        scene: str | None = None,
        scenes: Words | None = None,
        split: str | None = None,
        group: str | None = None,
        validation: Part = 0.1,
        test: Part = 0.1,
        limit: Count | None = None,
        clean: bool = False,
        batch_size: Count = 64,
        lowercase: bool = True,
        subwords: Annotated[int, Number(5, 1_000_000, whole=True)] | None = None,
        min_count: Count = 2,
        max_length: Count = 256,
        known: Words | None = None,
    ) -> None:
        files = {DRAWN: path, "validation": validation_path, "test": test_path}
        target = {"label": label} if number is None else {"number": number}
        columns = {"text": text, **target, "scene": scene, "split": split, "group": group}
        reading = Reading(format, delimiter, encoding, limit)
        entries = own_examples(name, files, reading, seed, partial(entry_of, columns))
        entries, notices = complete(name, entries, needs_scene=scene is not None)
        units, generator = [entry.unit for entry in entries], random_generator(seed, name)
        rows, repeats = divided(name, units, validation=validation, test=test, clean=clean, generator=generator)
        parts = by_scene(entries, rows, chosen_scenes(path, {entry.scene for entry in entries}, scenes))
        labels = labels_of(name, parts) if number is None else no_labels(name, parts)
        require_each(name, rows)
        text_format = TextFormat(lowercase, "apart" if subwords is None else "spaces", max_length)
        texts = {
            each: {
                of: labelled(entries_of_split, labels[each], text_format)
                for of, entries_of_split in parts[each].items()
            }
            for each in parts
        }
        super().__init__(
            text_datasets(
                name,
                texts,
                labels,
                [*notices, *repeats],
                text_format,
                min_count=min_count,
                batch_size=batch_size,
                subwords=subwords,
                known=known,
            )
        )


def entry_of(columns: Mapping[str, str | None], path: str, file_split: str, row: Row) -> Entry:
    """Make an entry of a row, with the split that its file or its column gives."""
    values = {key: value_of(path, row, key, column) for key, column in columns.items() if column is not None}
    text, scene, numbers = values["text"], values.get("scene", ""), "number" in values
    label = values["number" if numbers else "label"]
    if numbers:
        require_number(path, label, row.line)
    split = split_named(path, values["split"], row.line) if "split" in values and not file_split else file_split
    stratum = (scene, "" if numbers else label)
    content = blake2b((signs_of(text) or text).encode(), digest_size=16).digest()
    return Entry(text, label, scene, Unit(split, stratum, values.get("group") or content, content))


def complete(name: str, entries: Sequence[Entry], *, needs_scene: bool) -> tuple[list[Entry], list[str]]:
    """Select the entries without an empty field; return them with notices.

    Raises:
        BadDataError: there is none.
    """
    filled = [entry for entry in entries if entry.text and entry.label and (entry.scene or not needs_scene)]
    if not filled:
        raise BadDataError(f"{name} must have rows with a text and a label. Found none: give it some.")
    removed = len(entries) - len(filled)
    notice = f"{name}: {removed:,} of {len(entries):,} rows lack a text, a label or a scene and are left out."
    return filled, [notice] if removed else []


def by_scene(
    entries: Sequence[Entry], rows: Mapping[str, Sequence[int]], scenes: Sequence[str]
) -> dict[str, dict[str, list[Entry]]]:
    """Group entries as scene → split → entries."""
    grouped: dict[str, dict[str, list[Entry]]] = {scene: {split: [] for split in rows} for scene in scenes}
    for split, part in rows.items():
        for entry in (entries[row] for row in part):
            if entry.scene in grouped:
                grouped[entry.scene][split].append(entry)
    return grouped


def labels_of(name: str, scenes: Mapping[str, Mapping[str, Sequence[Entry]]]) -> dict[str, tuple[str, ...]]:
    """Give the labels of each scene.

    Raises:
        BadDataError: a scene with fewer than two labels, or too many.
    """
    labels_by_scene = {
        each: {entry.label for rows in parts.values() for entry in rows} for each, parts in scenes.items()
    }
    for scene, labels in labels_by_scene.items():
        if not 2 <= len(labels) <= MOST_LABELS:
            one = f", {min(labels)!r} among them" if labels else ""
            raise BadDataError(
                f"A classification has 2 to {MOST_LABELS:,} labels. Found {len(labels):,} in "
                f"{scene_name(name, scene)}{one}: name the column that holds them."
            )
    return {scene: in_order(labels) for scene, labels in labels_by_scene.items()}


def no_labels(name: str, scenes: Mapping[str, Mapping[str, Sequence[Entry]]]) -> dict[str, tuple[str, ...]]:
    """Give each scene of a regression no labels.

    Raises:
        BadDataError: a scene whose numbers are equal.
    """
    for scene, parts in scenes.items():
        require_different(scene_name(name, scene), [float(entry.label) for entry in parts["train"]])
    return dict.fromkeys(scenes, ())


def labelled(entries: Sequence[Entry], labels: Sequence[str], text_format: TextFormat) -> list[Labelled]:
    """Give the place of each entry's label among the labels, or, where there are none, its number."""
    place = {label: number for number, label in enumerate(labels)}
    target = place.__getitem__ if labels else float
    return [Labelled(target(entry.label), text_format.tidied(entry.text)) for entry in entries]
