"""CPU time of an epoch of 1 M generated interactions, DIN with histories of up to 50 clicks: ours and a bare loop.

python benchmarks/recommendation.py
python benchmarks/recommendation.py model=guided_din    # any overrides
"""

from __future__ import annotations

import statistics
import sys

from loop import timed

BATCH, SCENES, STEPS, ROUNDS = 1024, 3, 4, 3
FEEDS = [f"dataset.feeds.{key}" for key in ("history=all", "max_history=50", "impressions=300")]


def main() -> None:
    overrides = ["+experiment=recommendation", "model=din", f"batch_size={BATCH}", *FEEDS, *sys.argv[1:]]
    ratios, seconds = timed(overrides, STEPS, ROUNDS)
    bare = statistics.median(seconds) * 1e6 / (BATCH * SCENES)
    ours = bare * statistics.median(ratios)
    print(f"1 M interactions: ours {ours:.0f} s CPU, bare loop {bare:.0f} s, {ours / bare:.3f} times that (one thread)")


if __name__ == "__main__":
    main()
