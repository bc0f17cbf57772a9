"""No sharing."""

from __future__ import annotations

from collections.abc import Mapping

from iamm.encoder.base import Features
from iamm.fusion.base import Fused, Fusion


class NoneFusion(Fusion):
    """x'_s = x_s: each scene is learnt alone, in one run."""

    has_parameters = False

    def forward(self, features: Mapping[str, Features]) -> Fused:
        return Fused(features, None)
