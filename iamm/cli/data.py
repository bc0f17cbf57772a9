"""`iamm-data`: which data files are there, and getting those that are not."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from iamm.cli.command import command

HELP = """iamm-data: which data files are there, and getting those that are not

  iamm-data                           what is there, missing or not as published
  iamm-data mnist multi30k            get these; the same command goes on with what was interrupted
  iamm-data mnist data_dir=/data      elsewhere than below IAMM_DATA_DIR, or else data

docs/data.md says which data sets need no files, and how to bring those that are not here yourself."""


def run() -> int:
    names, data_dir = asked_for(sys.argv[1:])
    if not names:
        show(data_dir)
    for name in names:
        get(name, data_dir)
    return 0


def asked_for(words: Sequence[str]) -> tuple[list[str], str]:
    """The data sets and the folder.

    Raises:
        ConfigError: a word that is neither.
    """
    from iamm.dataset.sources import PUBLISHED
    from iamm.errors import ConfigError, nearest

    names, data_dir = [], os.environ.get("IAMM_DATA_DIR") or "data"
    for word in words:
        name = "multi30k" if word.startswith("multi30k_") else word
        if name in PUBLISHED:
            names.append(name)
        elif word.startswith("data_dir=") and word != "data_dir=":
            data_dir = word.removeprefix("data_dir=")
        else:
            raise ConfigError(f"A data set must be one with files. Found {word}. {nearest(word, PUBLISHED)}")
    return names, data_dir


def show(data_dir: str) -> None:
    """A line for each data set."""
    from iamm.dataset.fetch import state
    from iamm.dataset.sources import PUBLISHED

    print(f"below {os.path.abspath(data_dir)}:")
    for name, (terms, files) in PUBLISHED.items():
        states = {source.name: state(data_dir, source) for source in files}
        lacking = [f"{state}: {file}" for file, state in states.items() if state != "there"]
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        megabytes = sum(source.size for source in files) / 1e6
        print(f"  {name:<14} {megabytes:6.1f} MB  {lacking[0] + more if lacking else 'there'}  ({terms})")


def get(name: str, data_dir: str) -> None:
    """Download every missing file of a data set.

    Raises:
        BadDataError: a file exists, but is not as published; it is not replaced.
    """
    from iamm.dataset.fetch import fetch, state
    from iamm.dataset.sources import PUBLISHED
    from iamm.errors import BadDataError

    for source in PUBLISHED[name].files:
        file_state = state(data_dir, source)
        if file_state == "missing":
            fetch(data_dir, source)
        elif file_state != "there":
            path = os.path.join(data_dir, source.name)
            raise BadDataError(
                f"A file must be as published, or not there. Found {path}: move it away, then give the same command "
                "again."
            )
        print(f"{'got  ' if file_state == 'missing' else 'there'}  {source.name}", flush=True)


def main() -> None:
    command("iamm-data", lambda: HELP, run)


if __name__ == "__main__":
    main()
