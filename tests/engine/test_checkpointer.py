from __future__ import annotations

import pytest
import torch
from torch import nn

from iamm.engine import checkpointer
from iamm.engine.checkpointer import FileCheckpointer
from iamm.engine.plan import RunState
from iamm.errors import BadDataError


@pytest.fixture
def make(tmp_path):
    """Intervals → a checkpointer of a small model in a folder."""

    def keeping(**options) -> FileCheckpointer:
        model = nn.Linear(2, 1)
        files = [tmp_path / f"{name}.pt" for name in ("last", "previous", "best")]
        return FileCheckpointer(*files, {"model": model}, **options)

    return keeping


def kept(keeping: FileCheckpointer, states) -> list[int]:
    """The steps after which a run was kept."""
    found = []
    for step, epoch in states:
        state = RunState(step=step, epoch=epoch)
        if keeping.due(state):
            keeping.save(state)
            found.append(step)
    return found


STATES = [(1, 0), (2, 0), (3, 0), (3, 1), (4, 1), (5, 1), (6, 1), (6, 2), (7, 2), (8, 2), (9, 2), (9, 3)]
"""Three epochs of three steps; at an epoch's end there is a state before validation, and one after it."""


def test_each_epoch(make):
    assert kept(make(), STATES) == [3, 6, 9]


def test_each_other_epoch(make):
    assert kept(make(epochs=2), STATES) == [6]


def test_each_other_step(make):
    """Counted from when it was last kept; an epoch's end counts too."""
    assert kept(make(steps=2), STATES) == [2, 3, 5, 6, 8, 9]
    assert kept(make(steps=2, epochs=99), STATES) == [2, 4, 6, 8]


def test_by_the_clock(make, monkeypatch):
    """Every step lasts 40 s; kept each minute, so each other step."""
    monkeypatch.setattr(checkpointer.time, "monotonic", lambda: now)
    now = 0.0
    keeping, found = make(minutes=1, epochs=99), []
    for step in range(1, 7):
        now = 40.0 * step
        found += kept(keeping, [(step, 0)])
    assert found == [2, 4, 6]


def test_whoever_is_asked_to_leave_is_kept_first(make):
    keeping = make(stop_requested=lambda: True)
    with pytest.raises(KeyboardInterrupt):
        kept(keeping, [(1, 0)])
    assert make().restore() == (RunState(step=1), "")


def test_nothing_is_kept_twice(make):
    keeping = make()
    keeping.save(RunState(step=3, epoch=1))
    before = keeping.last.stat().st_mtime_ns
    keeping.save(RunState(step=3, epoch=1))
    assert keeping.last.stat().st_mtime_ns == before
    assert not keeping.previous.exists()


def test_a_run_that_was_never_kept_begins(make):
    assert make().restore() == (RunState(), "")


def test_generations(make):
    """The newer one, else the older with a word, else an end; killed between two renames, only the older is there."""
    first = make()
    weights = first.parts["model"].weight.detach().clone()
    first.save(RunState(step=1))
    with torch.no_grad():
        first.parts["model"].weight += 1
    first.save(RunState(step=2))
    newer, again = first.last.read_bytes(), make()
    assert again.restore() == (RunState(step=2), "")
    torch.testing.assert_close(again.parts["model"].weight, weights + 1)
    again.last.write_bytes(newer[:-70] + b"x" + newer[-69:])
    state, said = again.restore()
    assert (state.step, said) == (1, "last.pt is damaged; this run goes on from previous.pt, step 1.")
    torch.testing.assert_close(again.parts["model"].weight.detach(), weights)
    again.last.unlink()
    assert again.restore() == (RunState(step=1), "")
    again.previous.write_bytes(b"")
    with pytest.raises(BadDataError, match=r"Found .*previous.pt damaged: their SHA-256 is not right. Start anew"):
        again.restore()
