"""Every preset as a program of torch.export, for lengths that are not known when it is traced."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor, nn

from iamm.attention.base import Attention
from tests.composing import config_of

ROOT = Path(__file__).parents[2]
NAMES = sorted(path.stem for path in (ROOT / "configs" / "attention").glob("*.yaml"))
REFUSED = {"hierarchical"}
"""Whose segments torch's shape inference cannot follow; docs/attention.md names them."""
BELOW = {"low_rank": 256}
"""The length that the places stay below, where a configuration foresees one."""
D = 16
QUICK = ("additive", "linear", "multi_head")
EACH = [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in NAMES]


class Program(nn.Module):
    """What is exported: a call with padding, of a sequence that reads itself or a memory, plain or causal."""

    def __init__(self, attention: Attention, way: str) -> None:
        super().__init__()
        self.attention, self.way = attention, way

    def forward(self, query: Tensor, places: Tensor, key_allow: Tensor) -> Tensor:
        if self.way == "memory":
            return self.attention(query, places, key_allow=key_allow).context
        return self.attention(places, key_allow=key_allow, causal=self.way == "causal").context


def inputs(length: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(length)
    return (
        torch.randn(2, 1, D),
        torch.randn(2, length, D),
        torch.arange(length).repeat(2, 1) >= torch.tensor([[0], [1]]),
    )


def exported(attention: Attention, way: str, name: str) -> nn.Module:
    length = torch.export.Dim("T", min=2, max=BELOW.get(name, 4097) - 1)
    shapes = ({}, {1: length}, {1: length})
    return torch.export.export(Program(attention, way), inputs(20), dynamic_shapes=shapes).module()


@pytest.mark.parametrize("name", EACH)
def test_of_any_length(name):
    torch.manual_seed(0)
    attention = instantiate(config_of(f"attention={name}").attention)(D).eval()
    for way in ("self", "memory") if attention.no_causal else ("self", "causal", "memory"):
        with torch.no_grad():
            if name in REFUSED:
                with pytest.raises(torch._dynamo.exc.UserError, match="Constraints violated"):
                    exported(attention, way, name)
                continue
            program = exported(attention, way, name)
            for length in (2, 9, 50, BELOW.get(name, 301) - 1):
                found, expected = program(*inputs(length)), Program(attention, way)(*inputs(length))
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_page_names_what_is_refused():
    (line,) = [line for line in (ROOT / "docs" / "attention.md").read_text().splitlines() if "`torch.export`" in line]
    assert {name for name in NAMES if f"`{name}`" in line} == REFUSED | set(BELOW)
