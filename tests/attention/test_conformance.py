"""Every attention under every mask in every mode: what docs/attention.md says of each cell is what happens.

    python tests/attention/test_conformance.py     # writes the table into docs/attention.md

A cell is refused, with the reason that the code itself gives, or all of this holds in it, for a sequence that attends
to itself and, where the mask is not causal, for one and for many queries to a memory apart: padding (NaN in it too) and
batch-mates are invisible; nothing is seen of later places where the mask is causal; a row with nothing to see is zero,
with finite gradients; the weights handed out times the values are the context. In the cells `compiled` and `cached` it
is that they give what the plain call gives.
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor

from iamm.attention.base import Attention
from tests.composing import config_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "attention.md"
BEGIN, END = "<!-- conformance: begin -->", "<!-- conformance: end -->"
NAMES = sorted(path.stem for path in (ROOT / "configs" / "attention").glob("*.yaml"))
MASKS = ("none", "padding", "causal", "padding and causal", "arbitrary")
MODES = ("train", "eval", "no_grad", "bf16", pytest.param("compiled", marks=pytest.mark.long), "cached")
B, T, D = (
    3,
    191,
    16,
)  # long enough for windows to be cut into blocks, wide enough for one query to read without projecting
LAST = 97  # what is real of the second example ends before
REFUSED = {(name, mask) for name in ("low_rank", "ridge") for mask in ("causal", "padding and causal", "arbitrary")}

place = torch.arange(T)
REAL = torch.stack((place < T, (place < LAST) & (place != 5), place < 0))  # the last example is all padding
ALLOW = torch.rand(B, 1, T, T, generator=torch.Generator().manual_seed(3)) < 0.3
ALLOW[1, 0, 7] = False
VISIBLE = {  # what each mask leaves in sight: (B or 1, T, T)
    "none": torch.ones(1, T, T, dtype=torch.bool),
    "padding": REAL[:, None].expand(B, T, T),
    "causal": torch.ones(1, T, T, dtype=torch.bool).tril(),
    "padding and causal": REAL[:, None] & torch.ones(T, T, dtype=torch.bool).tril(),
    "arbitrary": ALLOW[:, 0],
}


@cache
def composed(name: str):
    return config_of(f"attention={name}").attention


def made(name: str) -> Attention:
    torch.manual_seed(0)
    return instantiate(composed(name))(D)


def refusal(attention: Attention, mask: str) -> str:
    """Why this mask cannot be had; empty where it can."""
    if "causal" in mask and attention.no_causal:
        return attention.no_causal
    return attention.no_pairwise if mask == "arbitrary" else ""


def words(mask: str, rows: slice = slice(None)) -> dict:
    found = {"causal": "causal" in mask}
    if "padding" in mask:
        found["key_allow"] = REAL[rows]
    if mask == "arbitrary":
        found["allow"] = ALLOW[rows]
    return found


def given(filling: float, dtype: torch.dtype, mask: str) -> Tensor:
    """The same random places each time; `filling` where there is padding."""
    places = torch.randn(B, T, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64) / 2
    if "padding" in mask:
        places = places.masked_fill(~REAL.unsqueeze(-1), filling)
    return places.to(dtype).requires_grad_()


def shown(context: Tensor, mask: str) -> Tensor:
    """The places that count: what stands at padding's own places as queries is nobody's business."""
    return context[REAL] if "padding" in mask else context


def slopes(attention: Attention, context: Tensor, places: Tensor, mask: str) -> list[Tensor]:
    result = shown(context.double(), mask)
    probe = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).view_as(result)
    wanted = [places, *attention.parameters()]
    found = torch.autograd.grad((result * probe).sum(), wanted, allow_unused=True)
    return [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(wanted, found, strict=True)]


def cached(attention: Attention, places: Tensor, mask: str) -> Tensor:
    """Place by place: a causal mask behind a growing past, any other over a memory that was projected once."""
    key_allow = REAL if "padding" in mask else None
    if "causal" in mask:
        state, parts = attention.empty_state(places), []
        for at in range(T):
            new = slice(at, at + 1)
            seen = None if key_allow is None else key_allow[:, new]
            context, _, state = attention(places[:, new], causal=True, key_allow=seen, state=state)
            parts.append(context)
        return torch.cat(parts, dim=1)
    memory = attention.remember(places, key_allow=key_allow)
    rows = [ALLOW[:, :, at, None] if mask == "arbitrary" else None for at in range(T)]
    steps = [attention(places[:, at, None], state=memory, allow=row).context for at, row in enumerate(rows)]
    return torch.cat(steps, dim=1)


def check_claims(attention: Attention, mask: str, dtype: torch.dtype, close: dict, gradients: bool) -> None:
    clean = given(0.0, dtype, mask)
    context, weights, _ = attention(clean, **words(mask), need_weights=True)
    context = context.float() if close else context  # bf16 beside fp32, where a variant has steps of its own in fp32
    visible = VISIBLE[mask].expand(B, T, T)

    empty = ~visible.any(-1)  # (B, T)
    assert (context[empty] == 0).all()
    assert (weights.masked_select(~visible.unsqueeze(1)) == 0).all()
    carried = attention.merge(weights.to(clean.dtype) @ attention.project_value(clean).to(clean.dtype))
    torch.testing.assert_close(shown(carried.to(context.dtype), mask), shown(context, mask), **close)

    plain = attention(clean, **words(mask)).context.to(context.dtype)
    torch.testing.assert_close(plain, context, **close)
    if "padding" in mask:
        spoilt = attention(given(math.nan, dtype, mask), **words(mask)).context.to(context.dtype)
        torch.testing.assert_close(shown(spoilt, mask), shown(context, mask), **close)
    alone = [attention(clean[b, None], **words(mask, slice(b, b + 1))).context for b in range(B)]
    torch.testing.assert_close(torch.cat(alone).to(context.dtype), context, **close)
    if "causal" in mask:
        later = clean.detach().clone()
        later[:, 150:] += 1.0
        changed = attention(later, **words(mask)).context.to(context.dtype)
        torch.testing.assert_close(changed[:, :150], context[:, :150], **close)
    if "causal" not in mask:
        for queries in (slice(0, 1), slice(None)):
            check_memory(attention, mask, dtype, close, queries)
    if gradients:
        for slope in slopes(attention, plain, clean, mask):
            assert slope.isfinite().all()
        if "padding" in mask:
            spoilt = given(math.nan, dtype, mask)
            slope = slopes(attention, attention(spoilt, **words(mask)).context, spoilt, mask)[0]
            assert (slope[~REAL] == 0).all()


def check_memory(attention: Attention, mask: str, dtype: torch.dtype, close: dict, queries: slice) -> None:
    """The claims on padding, batch-mates, empty rows and weights over a memory apart."""
    memory, query = given(0.0, dtype, mask), given(0.0, dtype, "none").flip(1)[:, queries]
    said = words(mask)
    del said["causal"]
    if "allow" in said:
        said["allow"] = said["allow"][:, :, queries]
    context, weights, _ = attention(query, memory, **said, need_weights=True)
    visible = VISIBLE[mask].expand(B, T, T)[:, queries]
    assert (context[~visible.any(-1)] == 0).all()
    assert (weights.masked_select(~visible.unsqueeze(1)) == 0).all()
    plain = attention(query, memory, **said).context
    torch.testing.assert_close(plain, context, **close)
    alone = [
        attention(query[b, None], memory[b, None], **{key: each[b, None] for key, each in said.items()}).context
        for b in range(B)
    ]
    torch.testing.assert_close(torch.cat(alone), context, **close)
    if mask == "padding":
        spoilt = attention(query, given(math.nan, dtype, mask), **said).context
        torch.testing.assert_close(spoilt, context, **close)
        cut = attention(query[1:2], memory[1:2, :LAST], key_allow=REAL[1:2, :LAST]).context
        torch.testing.assert_close(cut, context[1:2], **close)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_cell(name, mask, mode):
    attention = made(name).train(mode in ("train", "compiled"))
    attention = attention if mode == "bf16" else attention.double()
    dtype = torch.float32 if mode == "bf16" else torch.float64
    reason = refusal(attention, mask)
    assert bool(reason) == ((name, mask) in REFUSED)
    if reason:
        with pytest.raises(ValueError, match=f".*{reason}"):
            attention(given(0.0, dtype, mask), **words(mask))
    elif mode == "compiled":
        check_compiled(attention, mask)
    elif mode == "cached":
        places = given(math.nan if "padding" in mask else 0.0, dtype, mask)
        full = whole(attention, places, mask)
        torch.testing.assert_close(shown(cached(attention, places, mask), mask), shown(full, mask))
    elif mode == "bf16":
        with torch.autocast("cpu", dtype=torch.bfloat16):
            check_claims(attention, mask, dtype, {"atol": 3e-2, "rtol": 3e-2}, gradients=True)
    elif mode == "no_grad":
        with torch.no_grad():
            check_claims(attention, mask, dtype, {}, gradients=False)
    else:
        check_claims(attention, mask, dtype, {}, gradients=True)


def whole(attention: Attention, places: Tensor, mask: str) -> Tensor:
    """All at once: what `cached` should give."""
    if "causal" in mask:
        return attention(places, **words(mask)).context
    said = {key: value for key, value in words(mask).items() if key != "causal"}
    return attention(places, places, **said).context


def check_compiled(attention: Attention, mask: str) -> None:
    """One graph without a break, and the plain call's numbers and gradients."""
    torch._dynamo.reset()
    compiled = torch.compile(attention, backend="aot_eager", fullgraph=True)
    found = []
    for call in (attention, compiled):
        places = given(math.nan, torch.float64, mask)
        context = call(places, **words(mask)).context
        found.append([shown(context, mask), *slopes(attention, context, places, mask)])
    torch.testing.assert_close(*found)


def table() -> str:
    """A row an attention, a column a mask, a mark for each mode; refusals by number, with their reasons below."""
    reasons: list[str] = []
    rows = [f"| `attention=` | {' | '.join(MASKS)} |", "| --- " * (len(MASKS) + 1) + "|"]
    for name in NAMES:
        cells = []
        for mask in MASKS:
            reason = refusal(made(name), mask)
            if reason and reason not in reasons:
                reasons.append(reason)
            cells.append(f"refused ({reasons.index(reason) + 1})" if reason else " ".join("✓" * len(MODES)))
        rows.append(f"| `{name}` | {' | '.join(cells)} |")
    notes = [f"({number}) {reason}." for number, reason in enumerate(reasons, start=1)]
    return "\n".join([*rows, "", *notes])


def page_with_table() -> str:
    head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return f"{head}{BEGIN}\n{table()}\n{END}{rest.split(END)[1]}"


def test_the_page_shows_this_table():
    assert PAGE.read_text(encoding="utf-8") == page_with_table(), "run python tests/attention/test_conformance.py"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(), encoding="utf-8")
