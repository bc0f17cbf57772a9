"""Data files: where they lie, and reading them whole or not at all."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from iamm.errors import BadDataError, MissingDataError


def read_gzip(data_dir: str | None, name: str) -> bytearray:
    """The unpacked content of `data_dir/name`.

    Raises:
        MissingDataError: no such file, or none that may be read.
        BadDataError: not gzip, cut short, or damaged.
    """
    content = bytearray()
    try:
        with gzip.open(Path(data_dir or "") / name) as file:
            while part := file.read1(1 << 20):
                content += part
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        place = f"byte {len(content):,}, line {content.count(10) + 1:,}"
        raise BadDataError(f"{name} must be a whole gzip file. Found at {place}: {error} Get it again.") from error
    except OSError as error:
        raise MissingDataError(missing(data_dir, name, error)) from error
    return content


def missing(data_dir: str | None, name: str, error: OSError) -> str:
    where = f"Looked in {Path(data_dir).absolute()} ({error.strerror})" if data_dir else "`data_dir` is not set"
    return f"This data set needs {name}. {where}: set data_dir=… or IAMM_DATA_DIR to the folder that holds it."
