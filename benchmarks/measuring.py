"""CPU time and tensor memory of some work; what the benchmarks share."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from itertools import accumulate

import torch

Work = Callable[[], object]


def cpu_seconds(work: Work) -> float:
    """CPU time of all threads: other programs on the machine do not count, only what they do to its caches."""
    started = time.process_time()
    work()
    return time.process_time() - started


def in_turns(works: Mapping[str, Work], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each, one after another round by round, so that the machine's moods meet all alike."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            seconds = cpu_seconds(work)
            if number:  # the first round warms up
                found[name].append(seconds)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def peak_bytes(work: Work) -> int:
    """The most memory that tensors made by the work held at one time, above what there was before it."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    assert profile.profiler is not None
    assert profile.profiler.kineto_results is not None
    events = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = (event.nbytes() for event in sorted(events, key=lambda event: event.start_ns()))
    return max(accumulate(changes), default=0)


def forward_backward(call: Callable[..., torch.Tensor], *leaves: torch.Tensor) -> Work:
    """The call and the gradients of its sum for all leaves that want one."""

    def work() -> None:
        result = call(*leaves)
        result.backward(torch.ones_like(result))
        for leaf in leaves:
            leaf.grad = None

    return work
