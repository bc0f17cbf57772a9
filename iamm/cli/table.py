"""`iamm-table`: runs what a comparison table lacks, then builds it."""

from __future__ import annotations

from iamm.cli.command import command


def help_text() -> str:
    from iamm.cli.help import table_help_text

    return table_help_text()


def run() -> int:
    from iamm.cli.tables import run_command_line

    return run_command_line()


def main() -> None:
    command("iamm-table", help_text, run, "the same command goes on with what is not finished.")


if __name__ == "__main__":
    main()
