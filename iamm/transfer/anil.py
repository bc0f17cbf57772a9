"""Meta-learning over known scenes in which gradient steps within a scene move the head alone."""

from __future__ import annotations

from iamm.transfer.maml import MamlTransfer


class AnilTransfer(MamlTransfer):
    """MAML whose gradient steps, within a known scene and on the target, move the head alone (Raghu et al. 2020, §4).

    All parameters learn from the queries. The arguments are those of `maml`.
    """

    adapts = "head"
