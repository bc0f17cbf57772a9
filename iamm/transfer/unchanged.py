"""No adaptation: migration by attention, where the fusion has interest."""

from __future__ import annotations

from typing import Annotated

from iamm.constraints import OneOf
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Material, Transfer, require_interest


class UnchangedTransfer(Transfer):
    """θ_t = θ: nothing is trained, and no label is read.

    With `fusion=interest_guidance` this is migration by attention (D0 §2.3.3): an example of the target has the
    interest q(x) = Σ_s p_s(x) q_s of the known scenes that it resembles. A fusion with parameters of single scenes uses
    those for unknown scenes, any other fusion those of all scenes.

    Args:
        control: what stands in for interest, as in `fusion.control`, now that the model is trained: if `learnt` is no
            better than the others, it is not interest that migrates. `shuffled` is another example's, `constant` the
            bias of the scenes alone.
    """

    reads_labels = False

    def __init__(
        self, *, control: Annotated[str, OneOf(("learnt", "shuffled", "constant", "uniform", "absent"))] = "learnt"
    ) -> None:
        self.control = control

    def check(self, model: SceneNetwork, material: Material) -> None:
        if self.control != "learnt":
            require_interest(model)

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        if self.control != "learnt":
            model.fusion.control = self.control
