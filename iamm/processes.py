"""The processes of one training on several devices: their start, and averages over them; alone, nothing changes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, distributed, nn

from iamm.errors import LostProcessError
from iamm.interruption import SIGNALS

HOST = "127.0.0.1"
PATIENCE = 1.0
"""Seconds in which a process ends once another one is gone."""


@contextmanager
def started(count: int, work: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """A block in which this process is the first of `count`; the others run `work(*arguments)`, and end with the block.

    The others take no signals: it is the first process that stops, and saves, and ends them.

    Raises:
        LostProcessError: another process was killed.
        torch.multiprocessing.ProcessRaisedException: another process failed; with its traceback.
    """
    if count == 1:
        yield
        return
    store = distributed.TCPStore(HOST, 0, is_master=True, wait_for_workers=False)
    others = spawned(count, work, arguments, store.port)
    try:
        distributed.init_process_group(store=store, rank=0, world_size=count)
        yield
    except RuntimeError:  # of torch.distributed, where a process is gone
        require_living(others)
        raise
    finally:
        for process in others.processes:
            process.kill()
            process.join()
        if distributed.is_initialized():
            distributed.destroy_process_group()


def spawned(count: int, work: Callable[..., None], arguments: tuple[Any, ...], port: int) -> Any:
    """Start the other processes, in which all signals that ask to leave are blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return torch.multiprocessing.spawn(follow, (count, port, work, arguments), nprocs=count - 1, join=False)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follow(index: int, count: int, port: int, work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Run `work` as process `index + 1`."""
    threading.Thread(target=leave_with_parent, daemon=True).start()
    store = distributed.TCPStore(HOST, port, is_master=False)
    distributed.init_process_group(store=store, rank=index + 1, world_size=count)
    work(*arguments)


def leave_with_parent() -> None:
    """End this process when the first one has ended, by whatever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def require_living(others: Any) -> None:
    """Raise the reason if a process has ended; the others end then, too."""
    for process in others.processes:
        process.join(PATIENCE)
    killed = [signal.Signals(-process.exitcode).name for process in others.processes if (process.exitcode or 0) < 0]
    if killed:
        raise LostProcessError(
            f"A training on several devices needs all its processes. Found one ended by {killed[0]}: give the same "
            "command again, which goes on from the last checkpoint."
        )
    others.join(timeout=0, grace_period=PATIENCE)


def count() -> int:
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def several() -> bool:
    return count() > 1


def rank() -> int:
    """The number of this process; 0 is the first one, which writes the files."""
    return distributed.get_rank() if several() else 0


def wait() -> None:
    """Wait until all processes are here."""
    if several():
        distributed.barrier()


def mean(values: Tensor) -> Tensor:
    """The mean over all processes, the same in each."""
    if not several():
        return values
    values = values.clone()
    distributed.all_reduce(values)
    return values / count()


def of_first(value: bool) -> bool:
    """The value that the first process has."""
    if not several():
        return value
    flag = torch.tensor(value)
    distributed.broadcast(flag, src=0)
    return bool(flag)


def part(rows: Tensor) -> Tensor:
    """This process's share of the rows; all shares, in the order of the processes, are the rows."""
    return rows.tensor_split(count())[rank()]


def gathered(rows: Tensor) -> Tensor:
    """The rows (n, …) of all processes, in their order; n may differ."""
    if not several():
        return rows
    numbers = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(count())]
    distributed.all_gather(numbers, torch.tensor([len(rows)], device=rows.device))
    longest = int(torch.cat(numbers).max())
    padded = torch.cat((rows, rows.new_zeros(longest - len(rows), *rows.shape[1:])))
    parts = [torch.empty_like(padded) for _ in numbers]
    distributed.all_gather(parts, padded)
    return torch.cat([each[: int(number)] for each, number in zip(parts, numbers, strict=True)])


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes; a missing gradient counts as zero."""
    if not several():
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    flat = mean(torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in trained]))
    for parameter, piece in zip(trained, flat.split([p.numel() for p in trained]), strict=True):
        parameter.grad = piece.view_as(parameter)


def average_statistics(model: Any) -> None:
    """Replace the running mean and variance of each batch norm by their means over the processes."""
    for part in model.modules() if several() else ():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_mean is not None:
            part.running_mean, part.running_var = mean(part.running_mean), mean(cast(Tensor, part.running_var))
