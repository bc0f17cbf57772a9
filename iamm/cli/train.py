"""`iamm-train`: the one entry point to train and evaluate."""

from __future__ import annotations

from iamm.cli.command import command


def help_text() -> str:
    from iamm.cli.help import help_text

    return help_text()


def run() -> int:
    from iamm.cli.compose import run_command_line

    return run_command_line()


def main() -> None:
    command("iamm-train", help_text, run, "the same command goes on from the last epoch.")


if __name__ == "__main__":
    main()
