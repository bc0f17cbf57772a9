"""The fusion of IAMM: interest, learnt on known scenes, guides where a scene looks and what it takes from others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.attention.base import Attention
from iamm.constraints import Count, Number, OneOf, Share, ShareBelow1
from iamm.encoder.base import Features, masked_mean, present_mean
from iamm.fusion.base import Fused, Fusion, Interest
from iamm.fusion.interest import CONTROLS, Guidance, InterestRecogniser, Recognised, SceneGates, weighed


class InterestGuidanceFusion(Fusion):
    """x'_t = x_t + γ W A(x̂_t; h_1 … h_K): places read what an example's interest gathers from all scenes.

        q_k = LN(Σ_s p_s(x) q_sk + U_k LN x̄)   an example's interest: that of the scenes that it resembles, and its own
        z_t = 2σ(Σ_s p_s W_s x̂_t) ⊙ x̂_t   the scenes' gates (D1 §4: σ(W_s x) ⊙ x)
        α_kit = softmax_t(score(q_k, z_it)),  x_ki = Σ_t α_kit z_it      where interest looks in scene i (D0 §2.3)
        w_ki = softmax_i(q_kᵀ(LN x_ki + e_i)/√D),  h_k = Σ_i w_ki x_ki   which scenes count (D0 §3.1.2, §4)

    x̂ = LayerNorm x. For a scene of the group the places are its own; an absent view is masked. For a scene elsewhere
    they are its prototypes, z = LN c without gates, learnt from its own examples alone. p comes from
    `InterestRecogniser`, whose cross-entropy is the penalty `recognition`. With probability `hide` an example's own
    scene is left out of p in training and has no e_i, so that the model learns there what it does for a scene that it
    has never met: such a scene has places, and interest and gates of the known scenes that it resembles.

    From the documents: q (D0 §2.3, §3.2), w, h, the gates, and recognition on known scenes. Ours: U, 1/√D, LN,
    prototypes, `hide`, e_i, W_s = 0 at the start (a gate of 1), and K > 1, where each place chooses among several h by
    A. With K = 1, the form of D0, A(x̂_t; h_1) = h_1 is added to all places, and projections of A's own learn nothing.

    Args:
        scenes: names of all S scenes.
        dim: D.
        attention: a partial that takes `dim`: w, how q weighs the scenes (the formula: scaled_dot_product).
        pool: a partial that takes `dim`: α, how q looks at a scene's places.
        guide: a partial that takes `dim`: A, how a scene's places read K > 1 h.
        interests: K.
        own: False leaves U out: an example's interest is then that of the known scenes alone.
        prototypes: M a scene.
        temperature: τ of the recogniser.
        recognition: weight of the recogniser's cross-entropy, in nats.
        hide: probability that an example's own scene is hidden.
        strength: γ, the strength of guidance (D0 §9.4).
        gates: False leaves W_s out.
        normalise: False takes x as it is wherever the formulas have x̂ or LN, as D0 does.
        residual: False gives A alone in place of x_t + γ W A, as D0 §4 has it.
        branch: True follows D0 §2.5: a scene's own x_k is fused as it is, and only other scenes are weighed by w.
        performance: β; β ln(quality) of each scene at the last validation is added to its score in w (D0 §3.3, which
            gives no formula); qualities are divided by their largest, and count as at least 0.001.
        control: `learnt`; `shuffled`: q of the example half a batch away; `scene`: the scene's own q, without the
            example; `constant`: as `scene`, and w from q_kᵀe_i alone; `uniform`: q = 0 and w = 1/S; `fresh`: q
            is not trained; `absent`: no guidance, x' = x. All have the same parameters, and gates of the
            example's own p: what they lose against `learnt` is due to q and w.
        dropout: share dropped of what is added.
    """

    gives_scene_weights = True
    mixes_views = True
    controls = (*CONTROLS, "exchanged")

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        attention: Callable[..., Attention],
        pool: Callable[..., Attention],
        guide: Callable[..., Attention],
        interests: Count = 1,
        own: bool = True,
        prototypes: Count = 8,
        temperature: Annotated[float, Number(0.001, 100)] = 0.1,
        recognition: Annotated[float, Number(0, 100)] = 0.1,
        hide: Share = 0.0,
        strength: Annotated[float, Number(0, 100)] = 1.0,
        gates: bool = True,
        normalise: bool = True,
        residual: bool = True,
        branch: bool = False,
        performance: Annotated[float, Number(0, 100)] = 0.0,
        control: Annotated[str, OneOf(("learnt", "fresh", *CONTROLS))] = "learnt",
        dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim)
        self.recognition, self.hide, self.strength, self.control = recognition, hide, strength, control
        self.residual, self.branch, self.performance = residual, branch, performance
        self.recogniser = InterestRecogniser(
            self.scenes, dim, interests=interests, prototypes=prototypes, temperature=temperature
        )
        self.gates = SceneGates(self.scenes, dim) if gates else None
        self.marks = nn.ParameterDict((name, torch.zeros(dim)) for name in self.scenes)
        self.norm = nn.LayerNorm(dim) if normalise else nn.Identity()
        self.normalise = normalise
        self.attention, self.pool, self.guide = attention(dim), pool(dim), guide(dim)
        self.own = nn.Linear(dim, interests * dim, bias=False) if own else None
        self.output = nn.Linear(dim, dim, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Mapping[str, Features]) -> Fused:
        places = self.normalised(features)
        guidance = self.guidance(features, places)
        fused = {}
        for row, (name, scene) in enumerate(features.items()):
            context = guidance.context[:, row]  # (B, K, D)
            read = self.guide(places[name], self.standard(context), context).context  # (B, T, D)
            added = self.strength * self.dropout(self.output(read)) * (self.control != "absent")
            keep = self.residual or self.control == "absent"
            fused[name] = Features(scene.values + added if keep else added, scene.allow)
        weights = guidance.weights.mean(dim=(1, 3))  # (B, G, S)
        losses = [present_mean(part.loss, features[name].present) for name, part in guidance.recognised.items()]
        penalties = {"recognition": self.recognition * torch.stack(losses)} if self.control != "fresh" else {}
        return Fused(fused, {name: weights[:, row] for row, name in enumerate(features)}, penalties)

    def describe(self, features: Mapping[str, Features]) -> dict[str, Interest]:
        places = self.normalised(features)
        guidance = self.guidance(features, places)
        gated, described = self.gated(features, places, guidance.recognised), {}
        for row, (name, part) in enumerate(guidance.recognised.items()):
            read = {other: self.read(guidance.interest[:, row], scene) for other, scene in gated.items()}
            weights, allow = guidance.weights[:, :, row].mean(dim=(1, 2)), features[name].allow
            gates = self.gates.mean(Features(places[name], allow), part.scenes, name) if self.gates else weights[:, :0]
            described[name] = Interest(part.scenes, weights, read.pop(name), allow, gates, read)
        return described

    def read(self, interest: Tensor, scene: Features) -> Tensor:
        """α of interest (B, K, D) in a scene, the mean over heads.  # (B, K, T)"""
        weights = self.pool(interest, scene.values, key_allow=scene.allow, need_weights=True).weights
        assert weights is not None
        return weights.mean(dim=1)

    def attention_map(self, features: Mapping[str, Features]) -> dict[str, Tensor]:
        weights = self.guidance(features, self.normalised(features)).weights.mean(dim=3)
        return {name: weights[:, :, row] for row, name in enumerate(features)}  # (B, H, S)

    def standard(self, values: Tensor) -> Tensor:
        """LN without parameters."""
        return functional.layer_norm(values, (self.dim,)) if self.normalise else values

    def normalised(self, features: Mapping[str, Features]) -> dict[str, Tensor]:
        """x̂ of each scene of the group, zero where nothing is allowed.  # (B, T, D) each"""
        return {name: Features(self.norm(values), allow).real for name, (values, allow) in features.items()}

    def guidance(self, features: Mapping[str, Features], places: Mapping[str, Tensor]) -> Guidance:
        """Gather from all scenes with the interest of each scene of the group."""
        recognised = {name: self.recognise(name, scene) for name, scene in features.items()}
        each = [self.interest(name, features[name], part.interest) for name, part in recognised.items()]
        interest = torch.stack(each, dim=1)
        if self.control == "shuffled":
            interest = interest.roll(max(1, len(interest) // 2), dims=0)
        hidden = torch.stack([part.hidden for part in recognised.values()], dim=1)  # (B, G)
        return Guidance(interest, *self.look(interest, hidden, self.gated(features, places, recognised)), recognised)

    def look(self, interest: Tensor, hidden: Tensor, gated: Mapping[str, Features]) -> tuple[Tensor, Tensor]:
        """Look at all scenes by q (B, G, K, D): h (B, G, K, D) and w (B, H, G, K, S)."""
        queries = interest.flatten(1, 2)  # (B, GK, D)
        reads = [self.pool(queries, values, key_allow=allow).context for values, allow in gated.values()]
        x, present = torch.stack(reads, dim=2), torch.stack([scene.present for scene in gated.values()], dim=1)
        others = [name for name in self.scenes if name not in gated]
        if others:
            read, available = self.elsewhere(others, queries)
            x, present = torch.cat((x, read), dim=2), torch.cat((present, available), dim=1)
        x, names = x.unflatten(1, interest.shape[1:3]), [*gated, *others]  # (B, G, K, I, D)
        keys, bias = self.keys(x, hidden, names), self.performance_bias(names)
        context, weights = weighed(self.attention, interest, keys, x, present, bias, branch=self.branch)
        return context, weights[..., [names.index(name) for name in self.scenes]]

    def recognise(self, name: str, scene: Features) -> Recognised:
        """Recognise a scene's examples; in training, some of them with their own scene hidden."""
        vector = self.vector(scene).detach()  # the encoder does not learn to give its scene away
        if self.training and name in self.scenes:
            self.recogniser.remember(name, vector[scene.present])
        hidden = torch.rand(len(vector), device=vector.device) < self.hide if self.training and self.hide else None
        self.recogniser.exchanged = self.control == "exchanged"
        recognised = self.recogniser(vector, name, hidden)
        return Recognised(*(part.detach() for part in recognised)) if self.control == "fresh" else recognised

    def vector(self, scene: Features) -> Tensor:
        """LN x̄, x̄ the mean place.  # (B, D)"""
        return self.standard(masked_mean(scene))

    def interest(self, name: str, scene: Features, q: Tensor) -> Tensor:
        """LN(q + U LN x̄) of each example of a scene, or its replacement by the control.  # (B, K, D)"""
        if self.control == "uniform":
            return torch.zeros_like(q)
        if self.control in ("scene", "constant"):
            return self.standard(self.recogniser.of_scene(name).expand_as(q))
        if self.own is None:
            return self.standard(q)
        own = self.own(self.vector(scene)).view_as(q)
        return self.standard(q + (own.detach() if self.control == "fresh" else own))

    def gated(
        self, features: Mapping[str, Features], places: Mapping[str, Tensor], recognised: Mapping[str, Recognised]
    ) -> dict[str, Features]:
        """z of each scene of the group."""
        if self.gates is not None:
            places = {name: self.gates(places[name], part.scenes, name) for name, part in recognised.items()}
        return {name: Features(places[name], scene.allow) for name, scene in features.items()}

    def elsewhere(self, names: Sequence[str], queries: Tensor) -> tuple[Tensor, Tensor]:
        """Read the prototypes of J other scenes by q (B, GK, D): (B, GK, J, D), and which scenes have any, (B, J)."""
        batch, (centres, allow) = len(queries), self.recogniser.memories(names)
        keys, allow = self.standard(centres).expand(batch, -1, -1, -1).flatten(0, 1), allow.expand(batch, -1, -1)
        repeated = queries.repeat_interleave(len(names), dim=0)  # (BJ, GK, D)
        read = self.pool(repeated, keys, key_allow=allow.flatten(0, 1)).context
        return read.unflatten(0, (batch, len(names))).transpose(1, 2), allow.any(dim=-1)

    def keys(self, x: Tensor, hidden: Tensor, names: Sequence[str]) -> Tensor:
        """LN x_ki + e_i, by which q weighs the scenes; 0 gives w = 1/S.  # (B, G, K, I, D)"""
        if self.control == "uniform":
            return torch.zeros_like(x)
        marks = torch.stack([self.marks.get(name, x.new_zeros(self.dim)) for name in names]).expand_as(x)
        own = torch.eye(hidden.shape[1], len(names), dtype=torch.bool, device=x.device)  # (G, I)
        marks = marks.masked_fill((hidden[:, :, None] & own)[:, :, None, :, None], 0.0)
        return marks if self.control == "constant" else self.standard(x) + marks

    def performance_bias(self, names: Sequence[str]) -> Tensor | None:
        """β ln(quality / best quality) of each scene; None where a control fixes w.  # (1, I)"""
        if not self.performance or self.control in ("constant", "uniform"):
            return None
        qualities = torch.stack([self.recogniser.quality(name) for name in names])
        return self.performance * qualities.clamp(min=1e-3).log()[None]

    def add_scene(self, name: str) -> None:
        """Add to q, to the logits of the gates, and e of the scene: all 0."""
        q = self.recogniser.of_scene(name)  # (K, D)
        self.recogniser.added[name] = torch.zeros_like(q)
        self.marks[name] = torch.zeros_like(q[0])
        if self.gates is not None:
            self.gates.added[name] = torch.zeros_like(q[0])

    def resemble(self, name: str, weights: Tensor) -> None:
        self.recogniser.resembled[name] = weights

    def end_step(self, *, applied: bool = True) -> None:
        """Write the step's examples into the prototypes; those of a frozen fusion stay as they are."""
        self.recogniser.count(applied and self.recogniser.project.weight.requires_grad)

    def end_validation(self, qualities: Mapping[str, float]) -> None:
        best = max(max(qualities.values()), 1e-9)
        for name, quality in qualities.items():
            self.recogniser.quality(name).fill_(quality / best)
