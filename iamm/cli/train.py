"""`iamm-train`: the one entry point to train and evaluate."""

from __future__ import annotations

import os
import sys

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: threads that spin for long crawl on busy cores
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # a short spin: twice as fast on idle cores, at most half on busy ones
os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # mistakes reach `main`, which says them in one line


def print_help() -> None:
    """The help; quietly only as much of it as is read, as in `--help | head`."""
    from iamm.cli.help import help_text

    try:
        print(help_text(), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Run the command line; exit with 0, or with the code of the user's mistake."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        return print_help()
    from iamm.cli.compose import run_command_line
    from iamm.errors import UserError

    try:
        sys.exit(run_command_line())
    except UserError as error:
        print(f"iamm-train: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("iamm-train: interrupted; the same command goes on from the last epoch.", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
