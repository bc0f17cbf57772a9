"""`iamm-train`: the one entry point to train and evaluate."""

from __future__ import annotations

import sys

from iamm.cli.command import command


def help_text() -> str:
    from iamm.cli.help import help_text

    return help_text()


def run() -> int:
    from iamm.sweep.jobs import run_command_line

    return run_command_line(sys.argv[1:])


def main() -> None:
    command("iamm-train", help_text, run)


if __name__ == "__main__":
    main()
