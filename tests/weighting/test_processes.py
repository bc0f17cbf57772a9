"""Two processes with half a batch each make the step that one process makes of the whole."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor, distributed, multiprocessing, nn

from iamm import processes
from iamm.weighting.base import Paths, Weighting

CONFIGS = Path(__file__).parents[2] / "configs" / "weighting"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
RULES = [name for name in NAMES if "wrt" in list(OmegaConf.load(CONFIGS / f"{name}.yaml"))]
CASES = [*NAMES, *(f"{name} representation" for name in RULES), *(f"{name} every" for name in RULES)]
MODES = {"representation": {"wrt": "representation"}, "every": {"every": 3}, "": {}}
GIVEN = {"values": [0.7, 0.1, 0.4], "seed": 3}
STEPS = 4
ABSENT = (1, 2)
SCENES, ROWS, WIDTH = 3, 6, 5


def built(case: str) -> Weighting:
    name, _, mode = case.partition(" ")
    config = OmegaConf.load(CONFIGS / f"{name}.yaml")
    given = {key: value for key, value in GIVEN.items() if key in list(config)}
    return instantiate(OmegaConf.merge(config, given, MODES[mode]))(SCENES).double()


class Job:
    """Three scenes, each with a head of one number, read x and a batch of centres: L = mean over rows of a distance.

    Args:
        absent: a step and a scene whose examples are only in the first half of the rows; None: all are there.
    """

    def __init__(self, absent: tuple[int, int] | None) -> None:
        generator = torch.Generator().manual_seed(0)
        self.centres = torch.randn(STEPS, SCENES, ROWS, WIDTH, generator=generator, dtype=torch.float64)
        self.x = nn.Parameter(torch.randn(WIDTH, generator=generator, dtype=torch.float64))
        self.heads = [nn.Parameter(torch.ones((), dtype=torch.float64)) for _ in range(SCENES)]
        self.shares = torch.full((STEPS, SCENES, ROWS), 1 / ROWS, dtype=torch.float64)  # of a row in its loss
        if absent is not None:
            self.shares[absent] = torch.tensor([2 / ROWS, 0.0], dtype=torch.float64).repeat_interleave(ROWS // 2)

    def losses(self, step: int, rows: slice) -> tuple[list[Tensor], Paths]:
        z = self.x.expand(ROWS, WIDTH)[rows] * 1.0  # (B, P), a place of the batch each
        distances = (z - self.centres[step, :, rows]).square().mean(dim=2).sqrt()  # (S, B)
        each = (distances * self.shares[step, :, rows]).sum(dim=1) * processes.count()  # (S,)
        losses = [loss * (1 + head.square()) for loss, head in zip(each.unbind(), self.heads, strict=True)]
        return losses, Paths([z] * SCENES, [z], [[head] for head in self.heads], [self.x], [])


def trained(name: str, rows: slice, absent: tuple[int, int] | None = None) -> list[Tensor]:
    """Weights and gradients of each step, by plain gradient descent."""
    job, weighting, noted = Job(absent), built(name), []
    parameters = [job.x, *job.heads, *weighting.parameters()]
    attended = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
    for step in range(STEPS):
        losses, paths = job.losses(step, rows)
        observed = torch.ones(SCENES, dtype=torch.bool)
        weighting.backward(losses, observed=observed, paths=paths, scene_weights=attended)
        noted.append(weighting.finish().clone())
        processes.average_gradients(parameters)
        noted += [torch.zeros(()) if p.grad is None else p.grad.clone() for p in parameters]
        with torch.no_grad():
            for parameter in parameters:
                parameter -= 0.1 * (0.0 if parameter.grad is None else parameter.grad)
                parameter.grad = None
        weighting.end_epoch(weighting_losses(losses))
    return noted


def weighting_losses(losses: list[Tensor]) -> Tensor:
    return processes.mean(torch.stack(losses).detach())


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    rows = slice(0, ROWS // 2) if rank == 0 else slice(ROWS // 2, ROWS)
    found = {name: [trained(name, rows), trained(name, rows, ABSENT)] for name in CASES}
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    """The values of each of two processes: with all scenes, and where the second one misses a scene once."""
    folder = tmp_path_factory.mktemp("processes")
    multiprocessing.spawn(work, (str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("name", CASES)
def test_two_halves_make_the_whole(name, halves):
    for case, absent in enumerate((None, ABSENT)):
        whole = trained(name, slice(None), absent)
        for found in halves:
            torch.testing.assert_close(found[name][case], whole, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_both_agree_bit_by_bit_where_one_misses_a_scene(name, halves):
    one, other = (found[name][1] for found in halves)
    torch.testing.assert_close(one, other, rtol=0, atol=0)
    assert all(tensor.isfinite().all() for tensor in one)


def test_alone_nothing_changes():
    values = torch.tensor([1.0, 2.0])
    assert processes.mean(values) is values
    assert processes.count() == 1
    parameter = nn.Parameter(values)
    processes.average_gradients([parameter])
    assert parameter.grad is None
