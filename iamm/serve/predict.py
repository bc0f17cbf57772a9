"""`iamm-predict` writes the answers of a finished run's model to a user's pictures, texts or records."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from iamm.output import discard
from iamm.serve.options import options, switch
from iamm.serve.written import answers_to, require_place

KEYS = {
    **{"run": None, "input": None, "output": "-", "scene": "", "column": "text", "encoding": "utf-8"},
    **{"attention": "false", "tokenised": "false", "device": "auto", "precision": "fp32"},
}


def run_command_line(words: Sequence[str]) -> int:
    """Write all answers; return the exit code."""
    values = options(words, KEYS)
    attention, tokenised = switch(values, "attention"), switch(values, "tokenised")
    require_place(values["output"], values["input"])
    try:
        with answers_to(values["output"]) as write:
            for answer in predictions(values, attention=attention, tokenised=tokenised):
                write(answer)
    except BrokenPipeError as error:
        discard(sys.stdout, error)
    return 0


def predictions(values: Mapping[str, str], *, attention: bool, tokenised: bool) -> Iterator[dict[str, Any]]:
    """Yield an answer for each input, with its name first."""
    from iamm.serve.example import example_of, input_kind
    from iamm.serve.rows import batches, picture_rows, record_rows, require_encoding, text_rows
    from iamm.serve.trained import AT_ONCE, load

    path, encoding = Path(values["input"]), values["encoding"]
    require_encoding(encoding)
    trained = load(values["run"], values["device"], values["precision"])
    scene = trained.scene(values["scene"] or None)
    readers = {
        "pixels": lambda: picture_rows(path),
        "tokens": lambda: text_rows(path, values["column"], encoding),
        "record": lambda: record_rows(path, encoding),
    }
    rows = readers[input_kind(scene)]()
    for batch in batches(rows, AT_ONCE):
        examples = [example_of(scene, row.value, row.location, tokenised=tokenised) for row in batch]
        for row, answer in zip(batch, trained.answers(scene, examples, attention=attention), strict=True):
            yield {"input": row.name, **answer}
