"""`iamm-table`: runs what a comparison table lacks, then builds it."""

from __future__ import annotations

import sys

from iamm.cli.command import command


def help_text() -> str:
    from iamm.cli.help import table_help_text

    return table_help_text()


def run() -> int:
    if sys.argv[1:] and sys.argv[1].startswith("--complet"):
        from iamm.cli.completion import answer

        return answer(sys.argv[1:])
    from iamm.config.overrides import in_order, refuse_rerun

    refuse_rerun(sys.argv[1:])
    sys.argv[1:] = in_order(sys.argv[1:])
    from iamm.cli.tables import run_command_line

    return run_command_line()


def main() -> None:
    command("iamm-table", help_text, run)


if __name__ == "__main__":
    main()
