"""Seeds for each purpose, and deterministic settings of torch."""

from __future__ import annotations

import hashlib

import torch


def derived_seed(seed: int, *names: object) -> int:
    """A seed for one named purpose, independent of all others: 63 bits of SHA-256 over seed and names."""
    text = "\x1f".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def make_deterministic(seed: int, threads: int) -> None:
    """Make torch deterministic: fix threads, kernels and the global random stream.

    Args:
        seed: of the run.
        threads: of each operation; their number changes the order of sums.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs 7 % and guards only against reading garbage
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)
