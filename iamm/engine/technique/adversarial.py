"""Adversarial inputs: small changes of pictures and of embeddings that raise a model's losses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from iamm.dataset.base import Dataset
from iamm.engine.collate import all_batches
from iamm.engine.evaluate import Batch, Measures
from iamm.engine.freezing import begin_training

LENGTH = 2.5
"""Of all steps together, in radii (Madry et al. 2018, app. B); one step ends on the border of its ball."""

TINY = 1e-12


@dataclass(frozen=True)
class Attack:
    """x + r, where r in a ball around 0 raises the sum of the scenes' losses, by k steps along its gradient g.

    Pictures: r ← r + 2.5 ε/k · sign g, cut to [−ε, ε]; x + r is cut to [0, 1]. One step is the fast gradient sign
    method (FGSM, Goodfellow, Shlens and Szegedy 2015, §4), several are projected gradient descent (PGD, Madry et al.
    2018, §2.1). Embeddings of the encoders: r ← r + 2.5 ρ/k · g/|g|, shortened to |r| ≤ ρ, with the norm over all
    values of an example (Miyato, Dai and Goodfellow 2017, eq. 2, with k = 1).

    Ours: r begins at 0, not at a random place; ρ is relative to the norm of an example's embeddings, where Miyato et
    al. normalise the embeddings; dropout is off while r is computed.

    Args:
        pictures: ε, with pixels in [0, 1]; None leaves pictures alone.
        embeddings: ρ over the norm of an example's embeddings; None leaves them alone.
        steps: k.
        share: of the training examples that are attacked (Kurakin, Goodfellow and Bengio 2017, alg. 1).
    """

    pictures: float | None
    embeddings: float | None
    steps: int
    share: float

    @contextmanager
    def on(self, model: Any, batches: Sequence[Batch], share: float = 1.0) -> Iterator[None]:
        """Add r to what the model reads of these batches.

        Args:
            model: a `SceneNetwork`, which is then called with each batch in turn, or with all in one call.
            batches: one of each data set.
            share: of the examples of a batch, evenly spread.
        """
        if not share:
            yield
            return
        changes, training = Changes(self), model.training
        model.train(False)
        for _ in range(self.steps):
            with torch.enable_grad(), changes.added(model), torch.backends.cudnn.flags(enabled=False):
                losses = [loss for batch in batches for loss in model(batch).losses.values()]
                changes.step(torch.stack(losses).sum())
        if training:
            begin_training(model)
        changes.spare(share)
        with changes.added(model):
            yield

    def measures(self, model: Any, datasets: Sequence[Dataset], device: torch.device) -> Measures:
        """Per scene, each measure on test under the attack: `accuracy_attacked` and so on."""
        outputs: dict[str, list[Any]] = defaultdict(list)
        model.train(False)
        for batch in all_batches(datasets, "test", device):
            with self.on(model, [batch]):
                for name, part in model.observe(batch)[0].items():
                    outputs[name].append(part)
        measures: Measures = model.measure(outputs)[0]
        return {name: {f"{key}_attacked": each for key, each in part.items()} for name, part in measures.items()}


@dataclass
class Changes:
    """The r of each picture and each embedding, in the order in which the encoders read them."""

    attack: Attack
    changes: list[Tensor] = field(default_factory=list)
    radii: list[float | Tensor] = field(default_factory=list)  # ε of pictures, ρ (B, 1, …) of embeddings
    count: int = 0

    @contextmanager
    def added(self, model: Any) -> Iterator[None]:
        """Add r in a forward pass."""
        self.count = 0
        with ExitStack() as hooks:
            if self.attack.pictures is not None:
                for encoder in model.encoders.children():
                    hooks.enter_context(encoder.register_forward_pre_hook(self.change_picture))
            if self.attack.embeddings is not None:
                for part in embeddings_of(model):
                    hooks.enter_context(part.register_forward_hook(self.change_embedding))
            yield

    def change_picture(self, encoder: nn.Module, read: tuple[Mapping[str, Tensor], Tensor]) -> tuple[Any, Tensor]:
        inputs, present = read
        if "image" not in inputs or self.attack.pictures is None:
            return read
        return {**inputs, "image": self.changed(inputs["image"], self.attack.pictures).clamp(0, 1)}, present

    def change_embedding(self, embedding: nn.Module, read: tuple[Tensor], values: Tensor) -> Tensor:
        return self.changed(values, (self.attack.embeddings or 0) * lengths(values.detach()))

    def changed(self, values: Tensor, radius: float | Tensor) -> Tensor:
        """x + r; r is 0 when x is read for the first time."""
        if self.count == len(self.changes):
            self.changes.append(torch.zeros_like(values).requires_grad_())
            self.radii.append(radius)
        self.count += 1
        return values + self.changes[self.count - 1]

    def step(self, loss: Tensor) -> None:
        """One step of each r along the gradient of the loss."""
        gradients = torch.autograd.grad(loss, self.changes, materialize_grads=True)
        length = LENGTH / self.attack.steps
        with torch.no_grad():
            for r, gradient, radius in zip(self.changes, gradients, self.radii, strict=True):
                if isinstance(radius, Tensor):
                    r += length * radius * gradient / lengths(gradient).clamp(min=TINY)
                    r *= (radius / lengths(r).clamp(min=TINY)).clamp(max=1)
                else:
                    r += length * radius * gradient.sign()
                    r.clamp_(-radius, radius)

    def spare(self, share: float) -> None:
        """Leave r in this share of the examples alone, evenly spread, and do without its gradient."""
        for place, r in enumerate(self.changes):
            attacked = torch.arange(len(r) + 1, device=r.device).mul(share).floor().diff()  # (B,)
            self.changes[place] = r.detach() * attacked.view(-1, *[1] * (r.dim() - 1))


def embeddings_of(model: Any) -> list[nn.Embedding]:
    """The embeddings of the encoders."""
    return [part for part in model.encoders.modules() if isinstance(part, nn.Embedding)]


def lengths(values: Tensor) -> Tensor:
    """The norm over all values of each example: (B, …) → (B, 1, …)."""
    return values.flatten(1).norm(dim=1).view(-1, *[1] * (values.dim() - 1))
