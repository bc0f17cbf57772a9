"""No adaptation: migration by attention, where the fusion has interest."""

from __future__ import annotations

from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Material, Transfer


class UnchangedTransfer(Transfer):
    """θ_t = θ: nothing is trained, and no label is read.

    With `fusion=interest_guidance` this is migration by attention (D0 §2.3.3): an example of the target has the
    interest q(x) = Σ_s p_s(x) q_s of the known scenes that it resembles. A fusion with parameters of single scenes uses
    those for unknown scenes, any other fusion those of all scenes.
    """

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        """Change nothing."""
