"""`iamm-export`: a finished run's model as a program that runs without this project."""

from __future__ import annotations

import sys

from iamm.cli.command import command

HELP = """iamm-export: a finished run's model as a program that runs without this project

  iamm-export run=outputs/<run folder> output=exported                      model.pt2, of torch.export
  iamm-export run=outputs/<run folder> output=exported format=onnx          model.onnx, by packages for ONNX
  iamm-export run=outputs/<run folder> output=exported scene=shapes_image   one of several scenes

The program gives the probabilities or numbers of a batch; it is run beside the network before it is written, and must
agree to 1e-5. Beside it, scene.json holds the classes and the form of the inputs. docs/library.md loads one.

Keys:
  run=          folder of a finished run
  output=       a new folder
  scene=        whose encoder and head answer; may be left out where the run has one
  format=torch  torch or onnx"""


def run() -> int:
    from iamm.serve.export import run_command_line

    return run_command_line(sys.argv[1:])


def main() -> None:
    command("iamm-export", lambda: HELP, run)


if __name__ == "__main__":
    main()
