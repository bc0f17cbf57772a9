"""The user's pictures, in a folder for each class, or with a number each."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from iamm.constraints import Count, Number, Seed
from iamm.dataset.base import Dataset, random_generator
from iamm.dataset.cache import folder_checksum, is_picture
from iamm.dataset.files import record_file
from iamm.dataset.idx import picture_scene, picture_split
from iamm.dataset.own import Part, require_different, require_number
from iamm.dataset.pictures import read_pictures
from iamm.dataset.splitting import DRAWN, WORDS, Unit, divided, sampled
from iamm.dataset.table_file import bad_row, read_rows, value_of
from iamm.errors import BadDataError, MissingDataError

METADATA, FILE_NAME = "metadata.csv", "file_name"
"""The file in the folder that holds the numbers, and its column of the pictures' paths, as Hugging Face's datasets name
them."""


class Pictures(NamedTuple):
    """A file, its class (or its number, as it is written) and the split that its folder gives."""

    path: Path
    label: str
    split: str


class ImageFolderDataset(Dataset):
    """Pictures from a user's folder, which has a folder for each class, or `train`, `validation` and `test` with such
    folders in them; or, of a regression, a file `metadata.csv` with the path of each picture and its number.

    PNG, JPEG and WebP, grey or in colour, of any sizes: turned as EXIF data say, their middle square resized. Names of
    classes are those of the folders. Other files are ignored, with a notice; a damaged or animated picture is
    refused by its name. Decoded pictures are cached below `IAMM_CACHE_DIR`.

    Args:
        name: the name of the data set, and of its scene.
        path: path of the folder, relative to the current one.
        seed: seed of the splits, and of the pictures that `limit` selects.
        side: height and width of all pictures, in pixels.
        colour: three channels; False: one.
        number: the column of `metadata.csv` to predict, beside `file_name`, the path from the folder; None = a
            classification.
        validation, test: shares of the pictures to draw for these splits, of each class alike, where the folder has
            none for them; what is the same twice stands in one.
        limit: number of pictures to draw; None = all.
        clean: leave out of train what also stands in validation or test, and out of validation what stands in test.
        batch_size: pictures per step.

    Raises:
        ValueError: a number out of its range.
        MissingDataError, BadDataError: no such folder; no pictures of two classes; a file that is no whole picture;
            more than memory holds.
    """

    joins = True
    """Whether scenes that share get one list of labels over all data sets of this class: see `joining.py`."""
    provides = ({"name": "{name}", "kind": "image", "task": "classification"},)
    task_by: ClassVar = {"number": "regression"}
    at_most: ClassVar = {("validation", "test"): 0.9}

    def __init__(
        self,
        *,
        name: str,
        path: str,
        seed: Seed,
        side: Annotated[int, Number(1, 1_024, whole=True)] = 32,
        colour: bool = True,
        number: str | None = None,
        validation: Part = 0.1,
        test: Part = 0.1,
        limit: Count | None = None,
        clean: bool = False,
        batch_size: Count = 64,
    ) -> None:
        pictures, notices = pictures_of(name, path) if number is None else numbered_pictures(name, path, number)
        pictures = sampled(pictures, limit, random_generator(seed, name, "limit"))
        classes = sorted({each.label for each in pictures}) if number is None else []
        if number is None and len(classes) < 2:
            raise BadDataError(
                f"{path} must have a folder of pictures for each of two classes at least. Found {classes}: name the "
                "folder that holds those of the classes."
            )
        content = folder_checksum(path)
        record_file(path, content)
        pixels = read_pictures([each.path for each in pictures], content, side, colour)  # (N, channels, side, side)
        same = [hashlib.sha256(row).digest() for row in pixels]
        units = [
            Unit(each.split, each.label if classes else "", digest, digest)
            for each, digest in zip(pictures, same, strict=True)
        ]
        generator = random_generator(seed, name)
        rows, repeats = divided(name, units, validation=validation, test=test, clean=clean, generator=generator)
        target = classes.index if classes else float
        labels = np.array([target(each.label) for each in pictures])
        if number is not None:
            require_different(name, labels[rows["train"]])
        splits = {split: picture_split(pixels[part], labels[part]) for split, part in rows.items()}
        scene = picture_scene(name, splits, tuple(classes))
        super().__init__(name, (scene,), batch_size, notices=(*notices, *repeats))


def pictures_of(name: str, path: str) -> tuple[list[Pictures], list[str]]:
    """List the pictures of a folder in the order of their names, with a notice on the other files.

    Raises:
        MissingDataError: there is no such folder.
        BadDataError: as `splits_of`.
    """
    folder = folder_at(path)
    splits = splits_of(folder) or {folder: DRAWN}
    files = [
        Pictures(file, label.name, split)
        for above, split in splits.items()
        for label in folders(above)
        for file in sorted(label.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    ]
    pictures = [each for each in files if is_picture(each.path)]
    others = len(files) - len(pictures)
    notice = f"{name}: {others:,} of {len(files):,} files are no pictures by their names, and left alone."
    return pictures, [notice] if others else []


def numbered_pictures(name: str, path: str, number: str) -> tuple[list[Pictures], list[str]]:
    """List the pictures of a folder that its `metadata.csv` gives a number, in its order, with a notice on the others.

    Raises:
        MissingDataError: there is no such folder, or no such file in it.
        BadDataError: a malformed line, one that names no picture of the folder, or one without a number.
    """
    folder = folder_at(path)
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if is_picture(file)}
    table, pictures = str(folder / METADATA), []
    for row in read_rows(table, format="csv", delimiter=None, encoding="utf-8"):
        file, written = value_of(table, row, FILE_NAME, FILE_NAME), value_of(table, row, "number", number)
        if file not in files:
            raise bad_row(table, f"name a picture of its folder in the column {FILE_NAME}", repr(file[-40:]), row.line)
        require_number(table, written, row.line)
        pictures.append(Pictures(files[file], written, WORDS.get(file.split("/")[0].lower(), DRAWN)))
    others = len(files) - len({each.path for each in pictures})
    notice = f"{name}: {others:,} of {len(files):,} pictures are not in {METADATA}, and left out."
    return pictures, [notice] if others else []


def folder_at(path: str) -> Path:
    if not Path(path).is_dir():
        raise MissingDataError(
            f"`path` must name a folder. Found no {path} in {Path().absolute()}: write it as seen from here."
        )
    return Path(path)


def splits_of(folder: Path) -> dict[Path, str]:
    """Map the folders of splits to their names; empty where the folders are those of classes.

    Raises:
        BadDataError: some folders are named like splits and hold folders, and others are not named so.
    """
    inside = folders(folder)
    splits = {each: WORDS[each.name.lower()] for each in inside if each.name.lower() in WORDS}
    others = [each for each in inside if each not in splits]
    if not others:
        return splits
    if nested := [split for split in splits if folders(split)]:
        raise BadDataError(
            f"{folder} must have folders of classes, or of splits with classes in them. Found {others[0].name} beside "
            f"{nested[0].name}: move one of them away."
        )
    return {}


def folders(above: Path) -> list[Path]:
    return sorted(each for each in above.iterdir() if each.is_dir() and not each.name.startswith("."))
