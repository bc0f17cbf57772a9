"""`simplex(S,N)` in an override stands for all weights of S scenes that are multiples of 1/N and sum to 1."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import combinations, pairwise

from iamm.errors import ConfigError

SIMPLEX = re.compile(r"(?P<key>[^=]+)=\s*simplex\(\s*(?P<scenes>\d+)\s*,\s*(?P<parts>\d+)\s*\)")
MOST_POINTS = 10_000


def expanded(word: str) -> str:
    """Write out `simplex(S,N)` as Hydra's list of choices; leave any other override as it is.

    Raises:
        ConfigError: fewer than 2 scenes or 1 part, too many points, or another form.
    """
    if not re.match(r"[^=]+=\s*simplex\b", word):
        return word
    match = SIMPLEX.fullmatch(word)
    scenes, parts = (int(match["scenes"]), int(match["parts"])) if match else (0, 0)
    if match is None or scenes < 2 or parts < 1:
        raise ConfigError(
            f"`simplex(S,N)` takes S scenes, at least 2, and N parts of the whole, at least 1. Found {word!r}: "
            "write 'weighting.values=simplex(3,10)', in quotes."
        )
    count = math.comb(parts + scenes - 1, scenes - 1)
    if count > MOST_POINTS:
        raise ConfigError(
            f"A sweep takes at most {MOST_POINTS:,} points. Found {count:,} in {word!r}: take fewer parts."
        )
    return f"{match['key']}={','.join(str(list(point)) for point in grid(scenes, parts))}"


def grid(scenes: int, parts: int) -> Iterator[tuple[float, ...]]:
    """Yield all weights of S scenes that are multiples of 1/N and sum to 1, the first scene's weight falling.

    Each is a way to set S − 1 bars among N stars: the weights are the stars between neighbouring bars.
    """
    places = parts + scenes - 1
    for bars in reversed(list(combinations(range(places), scenes - 1))):
        edges = (-1, *bars, places)
        yield tuple((right - left - 1) / parts for left, right in pairwise(edges))
