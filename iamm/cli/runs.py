"""`iamm-runs`: the finished runs, in what they differ and what they scored."""

from __future__ import annotations

import sys
from pathlib import Path

from iamm.cli.command import command

HELP = """iamm-runs: the finished runs, in what they differ and what they scored

  iamm-runs                             all of outputs, the best quality on validation first
  iamm-runs fusion=none dataset=shapes  those whose settings have these values
  iamm-runs sort=accuracy               numbers: the highest first; words: in alphabetical order
  iamm-runs output=runs.csv             as a file, with every setting and the path of each folder

A setting is a key that the run's command line has set; model, dataset and seed are settings of every run.

Keys:
  output_dir=outputs  folder of run folders
  sort=validation     a setting, a measure, validation or seconds
  output=             a CSV file instead of the terminal"""
OPTIONS = {"output_dir": "outputs", "sort": "validation", "output": ""}


def run() -> int:
    from iamm.config.command_line import written
    from iamm.errors import BadDataError, ConfigError, MissingDataError, nearest
    from iamm.files import write_text
    from iamm.output import print_mistake
    from iamm.record.overview import csv_text, in_order, read_scored, show_overview, values
    from iamm.terminal import plain_console

    words = written(sys.argv[1:])
    output_dir, sort, output = (words.pop(key, default) for key, default in OPTIONS.items())
    runs = []
    for result in sorted(Path(output_dir).glob("*/result.json")):
        try:
            runs.append(read_scored(result.parent))
        except BadDataError as error:
            print_mistake("note", error)
    if not runs:
        raise MissingDataError(
            f"`output_dir` must hold finished runs. Found none in {output_dir}: name another folder."
        )
    known = {key for each in runs for key in values(each)}
    for key in (*words, sort):
        if key not in known:
            raise ConfigError(f"A key must be one of these runs. Found {key}. {nearest(key, known | OPTIONS.keys())}")
    chosen = [each for each in runs if all(str(values(each).get(key)) == value for key, value in words.items())]
    if output:
        write_text(Path(output), csv_text(in_order(chosen, sort)))
    else:
        show_overview(plain_console(), in_order(chosen, sort))
    return 0


def main() -> None:
    command("iamm-runs", lambda: HELP, run)


if __name__ == "__main__":
    main()
