"""Interest: the known scenes that an example resembles, and the interest vectors of these scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.attention.base import Attention
from iamm.encoder.base import Features, masked_mean
from iamm.fusion.prototypes import Prototypes

CONTROLS = ("shuffled", "scene", "constant", "uniform", "absent")
"""Replacements of interest in training, and in a report on a trained model."""


class Recognised(NamedTuple):
    """The output of the recogniser for B examples.

    Shapes:
        interest: q (B, K, D)
        scenes: p (B, S), sums to 1 over the known scenes
        loss: (B,), −log p(own scene), before any scene is hidden; 0 for a scene that is not known
        hidden: (B,) bool, True where the own scene is left out of p
    """

    interest: Tensor
    scenes: Tensor
    loss: Tensor
    hidden: Tensor


class Guidance(NamedTuple):
    """The last look for the G scenes of a group: q and h (B, G, K, D), w (B, H, G, K, S), and each scene's p."""

    interest: Tensor
    context: Tensor
    weights: Tensor
    recognised: Mapping[str, Recognised]


class InterestRecogniser(nn.Module):
    """u = U x̄,  p_sm = softmax_sm(cos(u, U c_sm) / τ),  p_s = Σ_m p_sm,  q_k = Σ_sm p_sm Q_smk.

    The prototypes c_sm (M a scene) represent the scenes' examples, the interest vectors Q_smk what they look for. U is
    learnt by the cross-entropy of p with the scenes' names, and by what q is used for. An example of a scene that is
    not known gets an interest all the same, from the known scenes that it resembles. For a scene in
    `resembled` p_s is given: p_sm = p_s softmax_m(cos / τ). `added` holds vectors that are added to the q of a scene.
    Q begins at a tenth of unit size, small beside an example's own interest, which so leads at first.

    D0 §3.2 step 3 asks for a recogniser trained on known scenes and says no more; prototypes as its keys are ours.

    Args:
        scenes: names of all S scenes.
        dim: D.
        interests: K.
        prototypes: M.
        temperature: τ.
    """

    def __init__(self, scenes: Sequence[str], dim: int, *, interests: int, prototypes: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.exchanged = False
        self.added = nn.ParameterDict()
        self.resembled: dict[str, Tensor] = {}
        self.project = nn.Linear(dim, dim, bias=False)
        self.prototypes = nn.ModuleDict({name: Prototypes(prototypes, dim) for name in scenes})
        self.interests = nn.ParameterDict(  # of pairs: the names of a mapping would be sorted
            (name, (0.1 * torch.randn(interests, dim)).expand(prototypes, -1, -1).clone()) for name in scenes
        )

    def forward(self, vector: Tensor, scene: str, hidden: Tensor | None = None) -> Recognised:
        """Recognise examples of one scene.

        Args:
            vector: x̄ (B, D).
            scene: the name of their scene.
            hidden: (B,) bool, True where that scene is left out of p, so that q comes only from the others.
        """
        scores = self.scores(vector)  # (B, S, M)
        own = list(self.interests).index(scene) if scene in self.interests else None
        logits = scores.logsumexp(dim=-1)  # (B, S)
        loss = vector.new_zeros(vector.shape[0]) if own is None else -logits.log_softmax(dim=-1)[:, own]
        if hidden is None or own is None or len(self.interests) == 1:
            hidden = torch.zeros(vector.shape[0], dtype=torch.bool, device=vector.device)
        else:
            own_scene = torch.arange(logits.shape[1], device=vector.device) == own
            scores = scores.masked_fill((hidden[:, None] & own_scene)[:, :, None], -torch.inf)
        shares = scores.flatten(1).softmax(dim=-1).view_as(scores)
        if scene in self.resembled:
            shares = self.resembled[scene].to(scores)[:, None] * scores.softmax(dim=-1)
        interest = torch.einsum("bsm,smkd->bkd", shares, torch.stack(list(self.interests.values())))
        if scene in self.added:
            interest = interest + self.added[scene]
        return Recognised(interest, shares.sum(dim=-1), loss, hidden)

    def scores(self, vector: Tensor) -> Tensor:
        """cos(U x̄, U c_sm) / τ.  # (B, S, M)"""
        centres = torch.stack([self.centres(name) for name in self.prototypes])  # (S, M, D)
        keys = functional.normalize(self.project(centres), dim=-1)
        query = functional.normalize(self.project(vector), dim=-1)
        return torch.einsum("bd,smd->bsm", query, keys) / self.temperature

    def of_scene(self, scene: str) -> Tensor:
        """Give the mean of a scene's interest vectors (of all, of an unknown one), and what is added.  # (K, D)"""
        known = [self.interests[scene]] if scene in self.interests else list(self.interests.values())
        mean = torch.stack(known).mean(dim=(0, 1))
        return mean + self.added[scene] if scene in self.added else mean

    def centres(self, scene: str) -> Tensor:
        """Give the prototypes of a known scene; a row of zeros is one without an example.  # (M, D)

        Where `exchanged` is true, they are those of the next scene.
        """
        names = list(self.interests)
        name = names[(names.index(scene) + 1) % len(names)] if self.exchanged else scene
        return cast(Prototypes, self.prototypes[name]).centres

    def memories(self, scenes: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Give the prototypes of J known scenes, (J, M, D), and which of them have an example, (J, M)."""
        centres = torch.stack([self.centres(scene) for scene in scenes])
        return centres, (centres != 0).any(dim=-1)

    def quality(self, scene: str) -> Tensor:
        """Give a known scene's quality at the last validation, over the best scene's; 1 before, and for unknown scenes.

        Shapes:
            → ()
        """
        known = scene in self.prototypes
        return cast(Prototypes, self.prototypes[scene]).quality if known else self.project.weight.new_ones(())

    def remember(self, scene: str, vectors: Tensor) -> None:
        """Remember examples (N, D) of a known scene for its prototypes, until `count`."""
        cast(Prototypes, self.prototypes[scene]).remember(vectors)

    def count(self, applied: bool = True) -> None:
        """Write the remembered examples into the prototypes, or drop them."""
        for part in self.prototypes.values():
            cast(Prototypes, part).count(applied)


class SceneGates(nn.Module):
    """2σ(Σ_s p_s W_s x) ⊙ x: the gates of the scenes that an example resembles (D1 §4: σ(W_s x) ⊙ x).

    W_s begins at 0, and the factor 2 makes that a gate of 1. `added` holds vectors that are added inside σ for a scene.

    Args:
        scenes: names of all S scenes.
        dim: D.
    """

    def __init__(self, scenes: Sequence[str], dim: int) -> None:
        super().__init__()
        self.added = nn.ParameterDict()
        self.weights = nn.ParameterDict((name, torch.zeros(dim, dim)) for name in scenes)  # in this order

    def forward(self, values: Tensor, scenes: Tensor, name: str) -> Tensor:
        """Gate x (B, T, D) of a scene by p (B, S)."""
        return self.gate(values, scenes, name) * values

    def gate(self, values: Tensor, scenes: Tensor, name: str) -> Tensor:
        """2σ(Σ_s p_s W_s x).  # (B, T, D)"""
        weight = torch.einsum("bs,sde->bde", scenes, torch.stack(list(self.weights.values())))
        logits = values @ weight
        return 2 * torch.sigmoid(logits + self.added[name] if name in self.added else logits)

    def mean(self, features: Features, scenes: Tensor, name: str) -> Tensor:
        """Give the mean gate of each feature over an example's places.  # (B, D)"""
        return masked_mean(Features(self.gate(features.values, scenes, name), features.allow))


def weighed(
    attention: Attention,
    interest: Tensor,
    keys: Tensor,
    x: Tensor,
    present: Tensor,
    bias: Tensor | None,
    *,
    branch: bool,
) -> tuple[Tensor, Tensor]:
    """Weigh I scenes by each interest: h_k = Σ_i w_ki x_ki.

    Args:
        attention: w.
        interest: q (B, G, K, D).
        keys: (B, G, K, I, D), by which q weighs the scenes.
        x: (B, G, K, I, D), what each q reads in each scene, the G of the group first.
        present: (B, I) bool.
        bias: (1, I), added to the scores.
        branch: True adds a scene's own x_k as it is, and weighs only the others.

    Returns:
        h (B, G, K, D) and w (B, H, G, K, I).
    """
    batch, group, count, scenes, dim = x.shape
    own_scene = torch.eye(group, scenes, dtype=torch.bool, device=x.device)
    allow = present[:, None] & ~own_scene if branch else present[:, None].expand(-1, group, -1)  # (B, G, I)
    output = attention(
        interest.reshape(-1, 1, dim),
        keys.flatten(0, 2),
        x.flatten(0, 2),
        key_allow=allow.repeat_interleave(count, dim=1).flatten(0, 1),
        bias=bias,
        need_weights=True,
    )
    assert output.weights is not None
    context = output.context.view(batch, group, count, dim)
    if branch:
        context = context + (x * own_scene[:, None, :, None]).sum(dim=3)
    return context, output.weights.view(batch, group, count, -1, scenes).permute(0, 3, 1, 2, 4)
