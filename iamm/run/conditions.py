"""The conditions under which a resumed run computes the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from iamm.errors import BadDataError, ConfigError
from iamm.run.provenance import commit, versions


class Conditions:
    """A part of each checkpoint that refuses other threads and other data, and reports another version or machine.

    Another number of threads changes the order of sums; a key can restore it, so it is refused. Another version, device
    or instruction set may round differently; the run is resumed, and its result says so.

    Args:
        threads: of each operation.
        device: of the model.
        data: data set → checksum.
    """

    def __init__(self, threads: int, device: str, data: Mapping[str, str]) -> None:
        self.threads, self.data = threads, dict(data)
        self.machine: dict[str, Any] = {
            "commit": commit(Path(__file__).parent),
            **versions(),
            "device": device,
            "instructions": instructions(),
        }
        self.notices: list[str] = []
        self.commits = [self.machine["commit"]]
        """Of all parts of the run; more than one where the code changed before it was resumed."""
        self.source: dict[str, str] | None = None
        """The address and SHA-256 of the model that the run began from."""

    def state_dict(self) -> dict[str, Any]:
        saved = {"threads": self.threads, "data": self.data, "machine": self.machine, "source": self.source}
        return {**saved, "commits": self.commits, "notices": self.notices}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Compare the saved conditions with the present ones.

        Raises:
            ConfigError: the number of threads differs.
            BadDataError: the data differ.
        """
        if state["threads"] != self.threads:
            raise ConfigError(
                f"A run goes on with the threads that it began with. Found threads={self.threads}, begun with "
                f"{state['threads']}: add threads={state['threads']}, or start anew with rerun=true."
            )
        changed = [name for name, sum in self.data.items() if state["data"].get(name) != sum]
        if changed:
            raise BadDataError(
                f"A run goes on with the data that it began with. Found {', '.join(changed)} changed: bring the data "
                "back, or start anew with rerun=true."
            )
        before = state["machine"]
        changes = [
            f"{name} {before.get(name)} before, {now} now"
            for name, now in self.machine.items()
            if before.get(name) != now
        ]
        self.notices, self.source = list(state["notices"]), state["source"]
        self.commits = list(dict.fromkeys((*state["commits"], *self.commits)))
        if changes:
            self.notices.append(f"this run went on elsewhere, so not surely to the same bits: {'; '.join(changes)}.")


def instructions() -> str:
    """The instruction set that torch's kernels were chosen for."""
    return str(torch.backends.cpu.get_cpu_capability())
