"""The page of what the documents name: each choice on it exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
CONFIGS = ROOT / "configs"
LISTS = re.compile(
    r"`(?:\w+@[\w.]+=\w+ )?(attention|fusion|model|weighting|optimizer|table|dataset)=(\w+)[^`]*`((?:, `\w+`)*)"
)


def choices() -> set[tuple[str, str]]:
    """Each `group=choice`, and the words in code that follow it in a list."""
    pairs = set()
    for group, first, others in LISTS.findall(PAGE):
        pairs |= {(group, name) for name in (first, *re.findall(r"`(\w+)`", others))}
    return pairs


def test_every_choice_exists():
    assert len(choices()) > 50
    assert [pair for pair in sorted(choices()) if not (CONFIGS / pair[0] / f"{pair[1]}.yaml").is_file()] == []


def test_every_key_of_a_fusion_exists():
    text = (CONFIGS / "fusion" / "interest_guidance.yaml").read_text(encoding="utf-8")
    keys = re.findall(r"`fusion\.(\w+)", PAGE)
    assert keys
    assert all(re.search(rf"^{key}:", text, re.MULTILINE) for key in keys)
