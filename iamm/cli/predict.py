"""`iamm-predict`: the answers of a finished run's model to a user's pictures, texts or records."""

from __future__ import annotations

import sys

from iamm.cli.command import command

HELP = """iamm-predict: the answers of a finished run's model to your own pictures or texts

  iamm-predict run=outputs/<run folder> input=photos                        every picture below a folder
  iamm-predict run=outputs/<run folder> input=reviews.txt output=answers.csv   a text a line
  iamm-predict run=outputs/<run folder> input=reviews.csv column=body scene=fdu_mtl_books attention=true

The training data are not needed. Pictures (PNG, JPEG, WebP) are brought to the size and channels of the scene, texts
are tidied and cut as in training. A scene of clicks reads lines of JSON with an entry for each of its fields, such as
{"history": ["a", "b"], "candidate": "c", "user": 0}, and answers with the probability of a click.

Keys:
  run=           folder of a finished run
  input=         a picture or a folder of pictures; a text a line, a .csv or .tsv with a header, or a .jsonl
  output=-       answers.csv or answers.jsonl, which appear when they are whole; -: lines of JSON on the terminal
  scene=         whose encoder and head answer; may be left out where the run has one
  column=text    of a table, or the key of JSON objects: holds the text
  encoding=utf-8  of a file of texts
  attention=false  true adds the attention weights of the head (also --attention)
  tokenised=false  true: the words stand apart already, as in the data set's own files
  device=auto    auto, cpu, cuda, cuda:1
  precision=fp32  int8: linear layers of 8-bit integers, a quarter of the size"""


def run() -> int:
    from iamm.serve.predict import run_command_line

    return run_command_line(sys.argv[1:])


def main() -> None:
    command("iamm-predict", lambda: HELP, run)


if __name__ == "__main__":
    main()
