"""Two real processes: what they share, and what ends them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
import torch
from torch import distributed, nn

from iamm import processes
from iamm.errors import LostProcessError

ROWS = torch.arange(15.0).view(5, 3)


def shared() -> list[torch.Tensor]:
    """What the functions give in this process: of each, a value that depends on its number."""
    own = processes.part(ROWS)
    parameter = nn.Parameter(torch.zeros(2))
    parameter.grad = None if processes.rank() else torch.tensor([4.0, 6.0])
    processes.average_gradients([parameter])
    first = processes.of_first(processes.rank() == 0)
    norm = nn.BatchNorm1d(3)
    norm(own + processes.rank())
    processes.average_statistics(norm)
    gathered = processes.gathered(own), processes.gathered(ROWS[: processes.rank()])
    return [own, *gathered, processes.mean(own[0]), parameter.grad, torch.tensor(first), norm.running_mean]


def beside(folder: str) -> None:
    torch.save(shared(), Path(folder) / "second.pt")
    distributed.barrier()


def test_two_processes_share(tmp_path):
    with processes.started(2, beside, str(tmp_path)):
        first = shared()
        distributed.barrier()
    second = torch.load(tmp_path / "second.pt", weights_only=True)
    torch.testing.assert_close(first[0], ROWS[:3])
    torch.testing.assert_close(second[0], ROWS[3:])
    running = 0.1 * (ROWS[1] + (ROWS[3] + ROWS[4]) / 2 + 1) / 2
    expected = [ROWS, ROWS[:1], (ROWS[0] + ROWS[3]) / 2, torch.tensor([2.0, 3.0]), torch.tensor(True), running]
    torch.testing.assert_close(first[1:], expected)
    torch.testing.assert_close(second[1:], expected)
    assert not processes.several()


def fallen(how: str) -> None:
    processes.wait()
    if how == "killed":
        os.kill(os.getpid(), signal.SIGTERM)  # which is blocked there
        os.kill(os.getpid(), signal.SIGKILL)
    raise ValueError("a defect")


def wait_twice() -> None:
    processes.wait()
    processes.wait()


@pytest.mark.long
@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ("killed", LostProcessError, "Found one ended by SIGKILL: give the same command again"),
        ("raised", torch.multiprocessing.ProcessRaisedException, "ValueError: a defect"),
    ],
)
def test_the_first_process_ends_when_another_one_does(how, error, message):
    begun = time.monotonic()
    with pytest.raises(error, match=message), processes.started(2, fallen, how):
        wait_twice()
    assert time.monotonic() - begun < 60
    assert not processes.several()


def test_one_process_shares_nothing():
    with processes.started(1, beside):
        assert processes.count() == 1
        assert processes.rank() == 0
        assert processes.part(ROWS) is not None
        assert processes.gathered(ROWS) is ROWS
        assert processes.mean(ROWS) is ROWS
        assert processes.of_first(True)
        processes.wait()
