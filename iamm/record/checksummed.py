"""Strict JSON, and JSON with a checksum."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from iamm.files import encoded, write_text

CHECKSUM_BYTES = 64 + len('"\n}\n')
"""Bytes of the checksum and of the JSON after it."""


def strict(content: Any, indent: int | None = None) -> str:
    """Standard JSON, in which a number that is not finite is null."""
    return json.dumps(finite(content), indent=indent, ensure_ascii=False, allow_nan=False)


def finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def with_checksum(content: Mapping[str, Any]) -> str:
    """JSON whose last key is the SHA-256 of the text before it."""
    text = strict({**content, "sha256": ""}, indent=2)[: -len('"\n}')]
    return f'{text}{hashlib.sha256(encoded(text)).hexdigest()}"\n}}\n'


def checked(file: bytes) -> dict[str, Any]:
    """Verify the checksum, then parse the JSON.

    Raises:
        ValueError: the checksum is not right, or the rest is no object of JSON.
    """
    text, end = file[:-CHECKSUM_BYTES], file[-CHECKSUM_BYTES:]
    if end != f'{hashlib.sha256(text).hexdigest()}"\n}}\n'.encode():
        raise ValueError("its SHA-256 is not right")
    try:
        content: dict[str, Any] = json.loads(file)
        del content["sha256"]
    except (RecursionError, LookupError, TypeError) as error:
        raise ValueError(f"it is no plain JSON: {error}") from error
    return content


def write_checksummed(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, with_checksum(content))


def write_json(path: Path, content: Any) -> None:
    write_text(path, strict(content, indent=2) + "\n")
