"""`weighting.values=simplex(3,10)`: every point of a grid over the weights, as a sweep."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import combinations, pairwise

from iamm.errors import ConfigError

CALL = re.compile(r"(?P<key>[^=]+)=\s*simplex\(\s*(?P<scenes>\d+)\s*,\s*(?P<parts>\d+)\s*\)")
MOST = 10_000


def expanded(word: str) -> str:
    """A word of the command line, its `simplex(S,N)` written out as Hydra's list of choices.

    Raises:
        ConfigError: what is not `simplex(S,N)` with S ≥ 2 scenes and N ≥ 1 parts, or has too many points.
    """
    if not re.match(r"[^=]+=\s*simplex\b", word):
        return word
    found = CALL.fullmatch(word)
    scenes, parts = (int(found["scenes"]), int(found["parts"])) if found else (0, 0)
    if found is None or scenes < 2 or parts < 1:
        raise ConfigError(
            f"`simplex(S,N)` takes S scenes, at least 2, and N parts of the whole, at least 1. Found {word!r}: "
            "write 'weighting.values=simplex(3,10)', in quotes."
        )
    count = math.comb(parts + scenes - 1, scenes - 1)
    if count > MOST:
        raise ConfigError(f"A sweep takes at most {MOST:,} points. Found {count:,} in {word!r}: take fewer parts.")
    return f"{found['key']}={','.join(str(list(point)) for point in grid(scenes, parts))}"


def grid(scenes: int, parts: int) -> Iterator[tuple[float, ...]]:
    """All weights of S scenes that are multiples of 1/N and sum to 1, the first scene's weight falling.

    Each is a way to set S − 1 bars among N stars: the weights are the stars between neighbouring bars.
    """
    places = parts + scenes - 1
    for bars in reversed(list(combinations(range(places), scenes - 1))):
        edges = (-1, *bars, places)
        yield tuple((right - left - 1) / parts for left, right in pairwise(edges))
