"""`iamm-table`: run the missing runs of a comparison table, then build it."""

from __future__ import annotations

import sys

from iamm.cli.command import command


def help_text() -> str:
    from iamm.cli.help import table_help_text

    return table_help_text()


def run() -> int:
    from iamm.table.work import run_command_line

    return run_command_line(sys.argv[1:])


def main() -> None:
    command("iamm-table", help_text, run)


if __name__ == "__main__":
    main()
